/// The CRC-32 checksum of gzip (RFC 1952, section 8), eight bytes at a time.
struct CRC32 {
    private var remainder: UInt32 = 0xFFFF_FFFF

    var value: UInt32 { ~remainder }

    /// `tables[256 * k + byte]`: what `byte`, followed by `k` zero bytes, adds to the remainder.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 { remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0xEDB8_8320 : remainder >> 1 }
            tables[byte] = remainder
        }
        for index in 256..<tables.count {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
        }
        return tables
    }()

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var remainder = remainder
        CRC32.tables.withUnsafeBufferPointer { buffer in
            guard let start = bytes.baseAddress, let tables = buffer.baseAddress else { return }
            var offset = 0
            while offset &+ 8 <= bytes.count {
                let word = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let mixed = word ^ UInt64(remainder)
                remainder = 0
                for lane in 0..<8 {
                    let byte = Int(truncatingIfNeeded: mixed &>> UInt64(lane &* 8) & 0xFF)
                    remainder ^= tables[(7 &- lane) &* 256 &+ byte]
                }
                offset &+= 8
            }
            while offset < bytes.count {
                let byte = start.load(fromByteOffset: offset, as: UInt8.self)
                remainder = remainder &>> 8 ^ tables[Int(UInt8(truncatingIfNeeded: remainder) ^ byte)]
                offset &+= 1
            }
        }
        self.remainder = remainder
    }
}
