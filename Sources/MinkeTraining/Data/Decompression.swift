import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Gzip {
    /// The first bytes that a gzip file holds, at most `limit`.
    static func prefix(ofFile path: String, limit: Int) throws -> [UInt8] {
        var content: [UInt8] = []
        try decompress(file: path, limit: limit) { content.append(contentsOf: $0) }
        return content
    }

    /// The content of a gzip file, at most `limit` bytes of it, by way of a temporary file that is removed at once.
    static func expandedFile(_ path: String, limit: Int) throws -> MappedFile {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        var template = Array(FileSystem.join(folder.isEmpty ? "/tmp" : folder, "minke-XXXXXX").utf8CString)
        // Only its owner can read what mkstemp creates.
        let descriptor = mkstemp(&template)
        let temporary = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard descriptor >= 0 else { throw failure("create", temporary) }
        defer {
            close(descriptor)
            unlink(temporary)
        }
        try decompress(file: path, limit: limit) { piece in
            var rest = piece[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let written = write(descriptor, part.baseAddress, part.count)
                if written >= 0 {
                    rest = rest.dropFirst(written)
                } else if errno != EINTR {
                    throw failure("write", temporary)
                }
            }
        }
        return try MappedFile(path: temporary)
    }

    private static func decompress(
        file path: String, limit: Int, into sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        struct EnoughRead: Error {}
        var remaining = limit
        do {
            try MappedFile(path: path).withBytes { bytes in
                try decompress(bytes) { piece in
                    let taken = min(piece.count, remaining)
                    try sink(UnsafeRawBufferPointer(rebasing: piece[..<taken]))
                    remaining -= taken
                    if remaining == 0 { throw EnoughRead() }
                }
            }
        } catch is EnoughRead {
        } catch let error as InputError where error.location?.hasPrefix("byte ") == true {
            throw error.located(at: path)
        }
    }

    private static func failure(_ action: String, _ path: String) -> InputError {
        InputError(
            "cannot \(action) the temporary file: \(String(cString: strerror(errno)))", at: path,
            remedy: "free some space, or set TMPDIR to a folder on another disk")
    }
}
