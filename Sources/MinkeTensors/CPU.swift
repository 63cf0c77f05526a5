import CMinkeKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The processor: its kernels and its threads.
///
/// There is one, `CPU.shared`. Operations that run at the same time are safe, but only one of them has all the threads.
public final class CPU: @unchecked Sendable {
    public static let shared = CPU()

    /// The kernels in force, one of the constant tables of `CMinkeKernels`.
    private let table: Atomic<UnsafePointer<MinkeKernels>>
    private let pool: ThreadPool

    private init() {
        table = Atomic(minkeKernels())
        pool = ThreadPool(width: CPU.coreCount)
    }

    var kernels: MinkeKernels { table.load(ordering: .relaxed).pointee }

    /// Whether products of codes (``Tape/usesCodes``) are faster here than those of floats: there are instructions for them.
    public var hasCodeProducts: Bool { kernels.hasCodeDots }

    /// Processors that this process may run on.
    public static var coreCount: Int { Int(minkeCoreCount()) }

    /// Threads that operations use, at least 1. Results do not depend on it.
    public var threadCount: Int {
        get { pool.width }
        set { if newValue != pool.width { pool.resize(to: newValue) } }
    }

    /// The instruction set of the kernels in force: `avx512amx`, `avx512bf16`, `avx512vnni`, `avx512`, `avx2`, `neon` or
    /// `portable`.
    public var instructionSet: String { String(cString: kernels.name) }

    /// The instruction sets that this processor supports, best first.
    public static var supportedInstructionSets: [String] {
        var names: [String] = []
        while let name = minkeSupportedISA(Int32(names.count)) { names.append(String(cString: name)) }
        return names
    }

    /// Whether `MINKE_ISA` names an instruction set that is unknown or not supported here; it is then ignored.
    public static var instructionSetRequestFailed: Bool { minkeISARequestFailed() != 0 }

    /// Switches to another supported instruction set. Returns whether there is one of that name.
    @discardableResult
    public func use(instructionSet name: String) -> Bool {
        guard let named = minkeKernelsNamed(name) else { return false }
        table.store(named, ordering: .relaxed)
        return true
    }

    /// Runs tasks `0..<count` on all threads.
    package func parallel(_ count: Int, _ body: (Int) -> Void) { pool.run(count, body) }

    /// Runs `body` over `0..<count` cut into ranges of at most `chunk`, on all threads.
    func parallel(_ count: Int, chunk: Int, _ body: (Range<Int>) -> Void) {
        let tasks = (count + chunk - 1) / chunk
        pool.run(tasks) { body($0 * chunk..<min(count, ($0 + 1) * chunk)) }
    }

    /// The arithmetic peak with all threads at work, in operations a second: the best of several short rounds of
    /// register-only multiply-adds.
    public func measuredPeak(_ type: ElementType) -> Double {
        measuredPeak { kernels in type == .float32 ? kernels.peakFloat32(400_000) : kernels.peakBFloat16(200_000) }
    }

    /// The same for sums of products of 8-bit integers; nil where there are no instructions for them.
    public func measuredBytePeak() -> Double? {
        guard kernels.peakBytes != nil else { return nil }
        return measuredPeak { $0.peakBytes(200_000) }
    }

    private func measuredPeak(_ work: (MinkeKernels) -> Double) -> Double {
        // Several tasks a thread: a round that begins while workers sleep still ends with all of them.
        let tasks = threadCount * 4
        var best = 0.0
        for _ in 0..<40 {
            let start = monotonicSeconds()
            let operations = (0..<tasks).map { _ in UnsafeMutablePointer<Double>.allocate(capacity: 1) }
            defer { operations.forEach { $0.deallocate() } }
            parallel(tasks) { task in
                operations[task].pointee = work(kernels)
            }
            let seconds = monotonicSeconds() - start
            best = max(best, operations.reduce(0) { $0 + $1.pointee } / seconds)
        }
        return best
    }
}

/// Seconds of a clock that only goes forward.
func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
