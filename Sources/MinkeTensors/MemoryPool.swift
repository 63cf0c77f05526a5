import CMinkeKernels
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Aligned memory that goes back to a free list instead of to the system.
///
/// A training step needs the same sizes as the step before it, so after the first steps nothing new is allocated and no
/// page is faulted in again.
final class MemoryPool: Sendable {
    static let shared = MemoryPool()

    private struct State {
        var free: [Int: [UnsafeMutableRawPointer]] = [:]
        var reserved = 0
    }

    private struct SendableState: @unchecked Sendable { var state = State() }

    private let state = Mutex(SendableState())

    /// Bytes taken from the system so far, in use or waiting for reuse.
    var reservedBytes: Int { state.withLock { $0.state.reserved } }

    /// Sizes are rounded up to one of eight steps per power of two, so that nearly equal requests share memory.
    private static func rounded(_ bytes: Int) -> Int {
        let minimum = max(bytes, 256)
        let step = max(64, (1 << (Int.bitWidth - 1 - minimum.leadingZeroBitCount)) / 8)
        return (minimum + step - 1) / step * step
    }

    /// - Parameter isExact: without rounding, so that only requests of this very size share it.
    func take(_ bytes: Int, isExact: Bool = false) -> (UnsafeMutableRawPointer, capacity: Int) {
        let capacity = isExact ? max(bytes, 256) : MemoryPool.rounded(bytes)
        let reused = state.withLock { $0.state.free[capacity]?.popLast().map { SendablePointer(raw: $0) } }
        if let reused { return (reused.raw, capacity) }
        guard let pointer = MemoryPool.allocate(capacity) else {
            fatalError("out of memory: \(capacity) bytes could not be allocated; use a smaller model, batch or context")
        }
        state.withLock { $0.state.reserved += capacity }
        return (pointer, capacity)
    }

    func giveBack(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
        let pointer = SendablePointer(raw: pointer)
        state.withLock { $0.state.free[capacity, default: []].append(pointer.raw) }
    }

    /// Gives memory that waits for reuse back to the system.
    func releaseUnused() {
        state.withLock { shared in
            for (capacity, blocks) in shared.state.free {
                for block in blocks { MemoryPool.deallocate(block, capacity) }
                shared.state.reserved -= capacity * blocks.count
            }
            shared.state.free = [:]
        }
    }

    // MARK: The system's memory

    /// Blocks from this size on are mappings of their own.
    ///
    /// The C library would place them next to each other, and what is kept for long (a cache) would then keep the pages
    /// of what was given back around it (a prompt's activations): a server's memory grew to twice what it uses.
    private static let mappedBytes = 256 << 10
    /// Larger than any instruction set reads past the end.
    private static let slack = 64
    private static let hugePage = 2 << 20

    private static func isMapped(_ capacity: Int) -> Bool { capacity >= mappedBytes }

    /// Bytes of a mapping: whole pages, whatever size they have.
    private static func mappedLength(_ capacity: Int) -> Int { (capacity + slack + 0xFFFF) & ~0xFFFF }

    private static func allocate(_ capacity: Int) -> UnsafeMutableRawPointer? {
        guard isMapped(capacity) else {
            var pointer: UnsafeMutableRawPointer?
            return posix_memalign(&pointer, 64, capacity + slack) == 0 ? pointer : nil
        }
        // Large blocks may be backed by huge pages: fewer faults, fewer misses in the translation cache.
        let isHuge = capacity >= hugePage
        let length = mappedLength(capacity)
        let extra = isHuge ? hugePage : 0
        guard let base = mmap(nil, length + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0),
            base != MAP_FAILED
        else { return nil }
        guard isHuge else { return base }
        let pointer = base.alignedUp(toMultipleOf: hugePage)
        let before = pointer - base
        if before > 0 { munmap(base, before) }
        if before < extra { munmap(pointer + length, extra - before) }
        #if os(Linux)
            madvise(pointer, capacity, 14 /* MADV_HUGEPAGE */)
        #endif
        return pointer
    }

    private static func deallocate(_ pointer: UnsafeMutableRawPointer, _ capacity: Int) {
        if isMapped(capacity) { munmap(pointer, mappedLength(capacity)) } else { free(pointer) }
    }

    private struct SendablePointer: @unchecked Sendable { let raw: UnsafeMutableRawPointer }
}

/// One block of memory of the pool, given back when the last tensor that lies in it goes.
final class Storage: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
    private let capacity: Int

    /// - Parameter isExact: for what is kept long, and counted: memory that served something larger before would stay
    ///   resident as a whole, up to an eighth more than was asked for.
    init(bytes: Int, isExact: Bool = false) {
        (pointer, capacity) = MemoryPool.shared.take(bytes, isExact: isExact)
    }

    deinit {
        MemoryPool.shared.giveBack(pointer, capacity: capacity)
    }
}

/// What the process's tensors occupy.
public enum TensorMemory {
    /// Bytes that tensors have taken from the system, in use or kept for reuse.
    public static var reservedBytes: Int { MemoryPool.shared.reservedBytes }

    /// Gives memory that waits for reuse back to the system.
    public static func releaseUnused() { MemoryPool.shared.releaseUnused() }

    /// Has the process's threads share one heap of the C library, for a server, which allocates in many threads what others
    /// free: heaps of their own stay in pieces, twice as large as what is in use. To be called before threads start.
    public static func shareHeap() { minkeShareHeap() }

    /// ``releaseUnused()``, and the whole pages that are free within the C library's heap: for a process that has nothing to do.
    /// The heap is the whole process's, whoever else allocates from it.
    public static func releaseWhenIdle() {
        releaseUnused()
        minkeTrimHeap()
    }
}
