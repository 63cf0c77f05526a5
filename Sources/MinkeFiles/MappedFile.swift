#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file mapped read-only into memory.
///
/// The pages are read when they are first touched, so opening a file of any size costs nothing. The file must not
/// be made shorter while it is mapped: replace it by renaming, as ``AtomicFile`` does.
public final class MappedFile: @unchecked Sendable {  // The mapping is never written and lives as long as the object.
    /// The path given to ``init(path:)``.
    public let path: String

    /// The contents. Valid only while this object is alive: hold on to it, or use ``withBytes(_:)``.
    public let bytes: UnsafeRawBufferPointer

    /// How the contents will be read.
    public enum Access: Sendable {
        case sequential, random, soon
    }

    /// Maps the regular file at `path`.
    ///
    /// - Throws: ``InputError`` when it is missing, unreadable, or not a regular file.
    public init(path: String) throws {
        // Without O_NONBLOCK, opening a named pipe would wait for a writer.
        let descriptor = try openDescriptor(path, O_RDONLY | O_NONBLOCK)
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw InputError.system("read", path) }
        if information.isDirectory { throw InputError("is a directory, not a file", at: path) }
        guard information.isRegularFile else { throw InputError("is not a regular file", at: path) }
        let size = Int(information.st_size)
        self.path = path
        if size == 0 {  // mmap refuses a length of zero.
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        let address = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0)
        guard let address, address != MAP_FAILED else { throw InputError.system("map into memory", path) }
        bytes = UnsafeRawBufferPointer(start: address, count: size)
    }

    deinit {
        if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
    }

    /// Calls `body` with the contents, which stay valid until it returns.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(bytes) }
    }

    /// Tells the system how the file will be read. Only a hint: no effect on results.
    public func advise(_ access: Access) {
        guard let address = bytes.baseAddress else { return }
        let advice =
            switch access {
            case .sequential: POSIX_MADV_SEQUENTIAL
            case .random: POSIX_MADV_RANDOM
            case .soon: POSIX_MADV_WILLNEED
            }
        _ = posix_madvise(UnsafeMutableRawPointer(mutating: address), bytes.count, advice)
    }
}
