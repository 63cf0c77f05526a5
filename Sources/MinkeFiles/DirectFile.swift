import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file read piece by piece past the system's page cache, from any number of threads.
///
/// What is read once and kept elsewhere has no use in the page cache and would push out what has. Where the file system
/// does not read directly into a program's memory, the pages are dropped after each read.
public final class DirectFile: Sendable {
    /// What direct reads ask of offsets, lengths and addresses.
    public static let alignment = 4096

    #if os(Linux)
        #if arch(arm64) || arch(arm)
            private static let directFlag: Int32 = 0o200000
        #else
            private static let directFlag: Int32 = 0o40000
        #endif
    #else
        private static let directFlag: Int32 = 0
    #endif

    public let path: String
    private let descriptor: Int32
    private let isDirect: Atomic<Bool>

    /// - Throws: ``InputError`` when the file cannot be opened.
    public init(path: String) throws {
        self.path = path
        if Self.directFlag != 0, let direct = try? openDescriptor(path, O_RDONLY | O_NONBLOCK | Self.directFlag) {
            descriptor = direct
            isDirect = Atomic(true)
            return
        }
        descriptor = try openDescriptor(path, O_RDONLY | O_NONBLOCK)
        isDirect = Atomic(false)
        #if canImport(Darwin)
            _ = fcntl(descriptor, F_NOCACHE, 1)
        #endif
    }

    deinit { close(descriptor) }

    /// Bytes of the buffer that ``read(_:into:)`` needs: whole blocks around the range.
    public static func room(for range: Range<Int>) -> Int {
        (range.upperBound + alignment - 1) / alignment * alignment - range.lowerBound / alignment * alignment
    }

    /// Where in the buffer the range's first byte comes to lie.
    public static func lead(of range: Range<Int>) -> Int { range.lowerBound % alignment }

    /// Reads a range, which begins at ``lead(of:)`` of the buffer then.
    ///
    /// - Parameter buffer: aligned to ``alignment``, with ``room(for:)`` bytes.
    /// - Throws: ``InputError`` when the system cannot read, or the file ends before the range.
    public func read(_ range: Range<Int>, into buffer: UnsafeMutableRawPointer) throws {
        let start = range.lowerBound - Self.lead(of: range)
        let room = Self.room(for: range)
        var filled = 0
        while filled < range.upperBound - start {
            let count = pread(descriptor, buffer + filled, room - filled, off_t(start + filled))
            if count > 0 {
                filled += count
            } else if count == 0 {
                throw InputError(
                    "ends at byte \(start + filled), but bytes \(range.lowerBound) to \(range.upperBound) are needed",
                    at: path, remedy: "the file was made shorter while it was in use: restore it")
            } else if errno == EINVAL, isDirect.load(ordering: .relaxed) {
                // A file system that refuses direct reads, or a file whose end lies within a block.
                _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~Self.directFlag)
                isDirect.store(false, ordering: .relaxed)
            } else if errno != EINTR {
                throw InputError.system("read", path)
            }
        }
        #if os(Linux)
            if !isDirect.load(ordering: .relaxed) {
                _ = posix_fadvise(descriptor, off_t(start), off_t(room), Int32(POSIX_FADV_DONTNEED))
            }
        #endif
    }
}

/// Memory of a program's own, aligned for direct reads; a page is taken from the system when it is first written.
public final class AlignedMemory: @unchecked Sendable {  // Who writes what is for the users to agree on.
    public let pointer: UnsafeMutableRawPointer
    public let count: Int

    /// - Throws: ``InputError`` when there is not that much memory.
    public init(bytes: Int) throws {
        var memory: UnsafeMutableRawPointer?
        let isLarge = bytes >= 4 << 20
        let failed = posix_memalign(&memory, isLarge ? 2 << 20 : DirectFile.alignment, max(bytes, DirectFile.alignment))
        guard failed == 0, let memory else {
            throw InputError("\(bytes) bytes of memory cannot be had", remedy: "give a smaller --memory")
        }
        #if os(Linux)
            // Huge pages: fewer faults, and less work for each direct read.
            if isLarge { madvise(memory, bytes, 14 /* MADV_HUGEPAGE */) }
        #endif
        pointer = memory
        count = bytes
    }

    deinit { free(pointer) }
}
