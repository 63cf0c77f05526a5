/// Reading gzip files (RFC 1952).
public enum Gzip {
    /// Whether the bytes begin as a gzip file does.
    public static func isGzip(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B
    }

    /// Expands a gzip file of one or more members, handing the output to `sink` piece by piece.
    ///
    /// Memory use is constant, however large the output. Lengths and checksums are verified, so output may already
    /// have been handed over when damage is found.
    ///
    /// - Parameter maximumSize: the most bytes of output to accept.
    /// - Throws: ``InputError`` whose location is `byte N`, and whatever `sink` throws.
    public static func decompress(
        _ bytes: UnsafeRawBufferPointer, maximumSize: Int? = nil, into sink: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var inflater = Inflater()
        var position = 0
        var total = 0
        repeat {
            let start = try skipHeader(bytes, at: position)
            var checksum = CRC32()
            var size: UInt32 = 0
            position = try inflater.inflate(bytes, startingAt: start) { piece in
                checksum.update(piece)
                size &+= UInt32(truncatingIfNeeded: piece.count)
                if let maximumSize, piece.count > maximumSize - total {
                    throw InputError("the text is longer than \(maximumSize) bytes when expanded")
                }
                total += piece.count
                try sink(piece)
            }
            guard let expectedChecksum = word(bytes, at: position), let expectedSize = word(bytes, at: position + 4)
            else {
                throw damage("ends before its checksum", at: bytes.count)
            }
            guard expectedChecksum == checksum.value else { throw damage("the checksum does not match", at: position) }
            guard expectedSize == size else { throw damage("the length does not match", at: position + 4) }
            position += 8
            // Tapes and some tools pad the file with zeros.
        } while bytes[position...].contains { $0 != 0 }
    }

    private static func damage(_ problem: String, at position: Int) -> InputError {
        InputError("damaged gzip file: \(problem)", at: "byte \(position)")
    }

    /// The 32-bit little-endian number at `position`.
    private static func word(_ bytes: UnsafeRawBufferPointer, at position: Int) -> UInt32? {
        guard position <= bytes.count - 4 else { return nil }
        return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
    }

    /// Reads the header of a member; returns the position after it.
    private static func skipHeader(_ bytes: UnsafeRawBufferPointer, at start: Int) throws -> Int {
        guard isGzip(UnsafeRawBufferPointer(rebasing: bytes[start...])) else {
            throw damage(start == 0 ? "does not begin as one" : "other data after its end", at: start)
        }
        guard bytes.count - start >= 10 else { throw damage("ends inside its header", at: bytes.count) }
        guard bytes[start + 2] == 8 else { throw damage("unknown compression method", at: start + 2) }
        let flags = bytes[start + 3]
        guard flags & 0xE0 == 0 else { throw damage("reserved flags are set", at: start + 3) }
        var position = start + 10
        func take(_ count: Int) throws {
            guard count <= bytes.count - position else { throw damage("ends inside its header", at: bytes.count) }
            position += count
        }
        func number16() throws -> Int {
            try take(2)
            return Int(bytes[position - 2]) | Int(bytes[position - 1]) << 8
        }
        if flags & 0x04 != 0 { try take(try number16()) }  // Extra field.
        for flag: UInt8 in [0x08, 0x10] where flags & flag != 0 {  // File name, comment.
            guard let end = bytes[position...].firstIndex(of: 0) else {
                throw damage("ends inside its header", at: bytes.count)
            }
            position = end + 1
        }
        if flags & 0x02 != 0 {
            var checksum = CRC32()
            checksum.update(UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
            guard try number16() == Int(checksum.value & 0xFFFF) else {
                throw damage("the header's checksum does not match", at: position - 2)
            }
        }
        return position
    }
}
