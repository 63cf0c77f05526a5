/// The machine's own energy counters: Linux power capping zones (RAPL, Intel and AMD).
///
/// Counts each processor package, and memory where it has a counter beside the package's. A counter covers the whole
/// machine, not one process, and is often readable by root only.
struct EnergyCounter: Sendable {
    private struct Zone: Sendable {
        let path: String
        /// The counter goes from this value (µJ) back to zero.
        let range: UInt64
        var last: UInt64
    }

    private var zones: [Zone]
    private(set) var joules = 0.0

    /// Finds the readable counters under `root`, or returns `nil` where there are none.
    init?(root: String = "/sys/class/powercap") {
        zones = []
        for package in 0..<64 {
            let path = "\(root)/intel-rapl:\(package)"
            guard let name = Self.name(path) else { break }
            // "psys" counts the packages a second time.
            guard name.hasPrefix("package"), let zone = Self.zone(path) else { continue }
            zones.append(zone)
            for part in 0..<8 {
                let path = "\(root)/intel-rapl:\(package):\(part)"
                guard let name = Self.name(path) else { break }
                // "core" and "uncore" are inside the package's own count; memory is not.
                if name == "dram", let zone = Self.zone(path) { zones.append(zone) }
            }
        }
        if zones.isEmpty { return nil }
    }

    /// Adds what was used since the last call. A counter wraps every few minutes at full power, so call more often.
    mutating func update() {
        for index in zones.indices {
            guard let now = Self.number(zones[index].path + "/energy_uj") else { continue }
            joules += Double(Self.difference(from: zones[index].last, to: now, range: zones[index].range)) * 1e-6
            zones[index].last = now
        }
    }

    /// How far a counter moved that may have wrapped once.
    static func difference(from last: UInt64, to now: UInt64, range: UInt64) -> UInt64 {
        if now >= last { return now - last }
        let rest = range.subtractingReportingOverflow(last)
        // Below its own maximum or not at all: a counter that was reset restarts at zero.
        return rest.overflow ? now : rest.partialValue.addingReportingOverflow(now).partialValue
    }

    private static func zone(_ path: String) -> Zone? {
        guard let last = number(path + "/energy_uj"), let range = number(path + "/max_energy_range_uj") else {
            return nil
        }
        return Zone(path: path, range: range, last: last)
    }

    private static func name(_ path: String) -> String? { firstLine(path + "/name") }
    private static func number(_ path: String) -> UInt64? { firstLine(path).flatMap { UInt64($0) } }

    private static func firstLine(_ path: String) -> String? {
        guard let text = SystemFile.text(of: path, limit: 256) else { return nil }
        return text.split(whereSeparator: \.isNewline).first.map(String.init)
    }
}
