#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Whole reads and writes over file descriptors.
enum SystemFile {
    /// The first `limit` bytes of a small text file, such as a kernel reports in under `/proc` and `/sys`.
    static func text(of path: String, limit: Int) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return bytes(from: descriptor, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Up to `limit` bytes from where `descriptor` stands, or `nil` on an error, which errno then names.
    static func bytes(from descriptor: Int32, limit: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        var filled = 0
        while filled < limit {
            let count = bytes.withUnsafeMutableBytes { buffer in
                read(descriptor, buffer.baseAddress?.advanced(by: filled), limit - filled)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { break }
            filled += count
        }
        bytes.removeLast(limit - filled)
        return bytes
    }

    /// Makes the file `length` bytes long. Returns whether it did; errno says why not.
    static func cut(_ path: String, to length: Int) -> Bool { truncate(path, off_t(length)) == 0 }

    /// Writes all of `bytes`, in one write(2) unless the kernel takes less. Returns the error number, or 0.
    static func put(_ bytes: [UInt8], into descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let count = write(descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
                if count < 0, errno == EINTR { continue }
                if count < 0 { return errno }
                written += count
            }
            return 0
        }
    }
}
