#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What this process had used at one moment; the difference of two is what the section between them used.
public struct ResourceUse: Equatable, Sendable {
    /// CPU time in the program's own code, all threads together, in seconds.
    public var userSeconds: Double
    /// CPU time the kernel spent for the program, in seconds.
    public var systemSeconds: Double
    /// Time on a monotonic clock, in seconds; only differences mean something.
    public var wallSeconds: Double
    /// Energy in joules; see ``ResourceMeter/joulesSource`` for where the number comes from.
    public var joules: Double

    public init(userSeconds: Double = 0, systemSeconds: Double = 0, wallSeconds: Double = 0, joules: Double = 0) {
        self.userSeconds = userSeconds
        self.systemSeconds = systemSeconds
        self.wallSeconds = wallSeconds
        self.joules = joules
    }

    /// User and system time together, in seconds.
    public var cpuSeconds: Double { userSeconds + systemSeconds }

    public static func - (later: ResourceUse, earlier: ResourceUse) -> ResourceUse {
        ResourceUse(
            userSeconds: later.userSeconds - earlier.userSeconds,
            systemSeconds: later.systemSeconds - earlier.systemSeconds,
            wallSeconds: later.wallSeconds - earlier.wallSeconds,
            joules: later.joules - earlier.joules)
    }

    public static func + (left: ResourceUse, right: ResourceUse) -> ResourceUse {
        ResourceUse(
            userSeconds: left.userSeconds + right.userSeconds,
            systemSeconds: left.systemSeconds + right.systemSeconds,
            wallSeconds: left.wallSeconds + right.wallSeconds,
            joules: left.joules + right.joules)
    }
}

/// Reads what this process uses: CPU time, wall time, memory, energy.
///
/// ```swift
/// var meter = ResourceMeter()
/// let start = meter.read()
/// train()
/// let used = meter.read() - start
/// ```
public struct ResourceMeter: Sendable {
    /// The watts taken for one busy core where the machine has no readable energy counter.
    ///
    /// Server processors are rated 3 to 6 W a core at full load (a 64-core part at 280 W), desktop ones 8 to 15 W
    /// (a 12-core part at 120 W); memory, board and power supply add about a third. 8 W lies between the two kinds
    /// and is good to a factor of about two.
    public static let defaultWattsPerCore = 8.0

    /// The watts of the estimate that stands in for a counter.
    public let wattsPerCore: Double
    private var counter: EnergyCounter?

    /// - Parameter wattsPerCore: watts of one busy core, used only where no energy counter can be read.
    public init(wattsPerCore: Double = ResourceMeter.defaultWattsPerCore) {
        self.init(wattsPerCore: wattsPerCore, counter: EnergyCounter())
    }

    init(wattsPerCore: Double, counter: EnergyCounter?) {
        self.wattsPerCore = wattsPerCore
        self.counter = counter
    }

    /// Where joules come from: `rapl` (counted for the whole machine), or `estimate: …` with its assumption.
    public var joulesSource: String {
        counter == nil ? "estimate: \(HumanFormat.trimmed(HumanFormat.fixed(wattsPerCore, 2))) W per busy core" : "rapl"
    }

    /// What the process has used up to now. Call at least once a minute: energy counters wrap around.
    public mutating func read() -> ResourceUse {
        let usage = Self.usage()
        var use = ResourceUse(
            userSeconds: Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) * 1e-6,
            systemSeconds: Double(usage.ru_stime.tv_sec) + Double(usage.ru_stime.tv_usec) * 1e-6,
            wallSeconds: Self.monotonicSeconds())
        counter?.update()
        use.joules = counter?.joules ?? use.cpuSeconds * wattsPerCore
        return use
    }

    /// Seconds on a clock that never goes back.
    public static func monotonicSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// The most memory this process has held at once, in bytes.
    public static func peakMemoryBytes() -> Int {
        // Linux lets a process inherit ru_maxrss from the program that started it; VmHWM is its own.
        if let peak = statusBytes("VmHWM:") { return peak }
        #if canImport(Darwin)
            return Int(usage().ru_maxrss)
        #else
            return Int(usage().ru_maxrss) * 1024
        #endif
    }

    /// Makes ``peakMemoryBytes()`` start again from what is resident now, where the system can do that (Linux).
    public static func resetPeakMemory() {
        #if os(Linux)
            let file = open("/proc/self/clear_refs", O_WRONLY)
            guard file >= 0 else { return }
            _ = write(file, "5", 1)
            close(file)
        #endif
    }

    /// The memory of the machine, in bytes.
    public static func physicalMemoryBytes() -> Int {
        max(1 << 30, Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE))))
    }

    /// The memory this process holds now, in bytes, or `nil` where the system does not say.
    public static func residentMemoryBytes() -> Int? {
        #if canImport(Darwin)
            var info = proc_taskinfo()
            let size = Int32(MemoryLayout<proc_taskinfo>.size)
            guard proc_pidinfo(getpid(), PROC_PIDTASKINFO, 0, &info, size) == size else { return nil }
            return Int(info.pti_resident_size)
        #else
            return statusBytes("VmRSS:")
        #endif
    }

    private static func usage() -> rusage {
        // RUSAGE_SELF is 0 everywhere, but its type differs between C libraries.
        let ownProcess: Int32 = 0
        var usage = rusage()
        getrusage(ownProcess, &usage)
        return usage
    }

    /// A size from `/proc/self/status`, which gives them as `VmHWM:     1234 kB`.
    private static func statusBytes(_ key: String) -> Int? {
        guard let status = SystemFile.text(of: "/proc/self/status", limit: 8192) else { return nil }
        for line in status.split(separator: "\n") where line.hasPrefix(key) {
            let words = line.split(whereSeparator: \.isWhitespace)
            return words.count > 1 ? Int(words[1]).map { $0 * 1024 } : nil
        }
        return nil
    }
}
