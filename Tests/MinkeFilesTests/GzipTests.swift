import Foundation
import Testing

@testable import MinkeFiles

@Suite struct GzipTests {
    // Made with Python's zlib: a block of fixed codes, a stored block, matches, a block of dynamic codes.
    static let fixed = "H4sIAAAAAAACA0vLrEhNUUjKyU/O1lFIQ3AASQqExRgAAAA="
    static let stored = "H4sIAAAAAAAEAwEHAPj/c3RvcmVkIaJl7wkHAAAA"
    static let repeating = "H4sIAAAAAAACAwvJSFUoTk1UKE8sVkhOzMnVUwgZFRkVGbIiAN8ceZbQAgAA"
    static let dynamic =
        "H4sIAAAAAAACA+3PSY7EIBBE0auAE0yli7HSic3o+9+q6G3foKVeh74UT0iFsagkkioRldQ7ep7YjubhuSmefA/8jDCD6ZQsOp/aFpvrTtccgo2p"
        + "zIOAVXUGei8D9tg1m2xVYVp93SzJBNdL1HyemRu4Yi4c9NbyeaR+08DLFAeNf/YqXhckSXarZyTiomw2rHvcYZTewbiqGOiYJUUbQq56XWlxa8k7"
        + "tIm6WVfHB8fNq78f8IuCkz3u+hdV/NP/Nv0LNmJtoLwCAAA="

    static func bytes(_ base64: String) throws -> [UInt8] {
        Array(try #require(Data(base64Encoded: base64)))
    }

    static func expand(_ bytes: [UInt8], maximumSize: Int? = nil) throws -> [UInt8] {
        var output: [UInt8] = []
        try bytes.withUnsafeBytes { bytes in
            try Gzip.decompress(bytes, maximumSize: maximumSize) { output.append(contentsOf: $0) }
        }
        return output
    }

    /// A header with `flags` and `fields` around the block and trailer of `stored`.
    static func storedWith(flags: UInt8, fields: [UInt8]) throws -> [UInt8] {
        let plain = try bytes(stored)
        return [0x1F, 0x8B, 8, flags] + plain[4..<10] + fields + plain[10...]
    }

    @Test func everyKindOfBlock() throws {
        #expect(try Self.expand(Self.bytes(Self.fixed)) == Array("fixed block, fixed block".utf8))
        #expect(try Self.expand(Self.bytes(Self.stored)) == Array("stored!".utf8))
        #expect(
            try Self.expand(Self.bytes(Self.repeating))
                == Array(String(repeating: "The sea was calm. ", count: 40).utf8))
        #expect(
            try Self.expand(Self.bytes(Self.dynamic)) == (0..<700).map { UInt8(($0 * $0 % 251) & 0x3F | 0x20) })
    }

    @Test func membersJoinAndPaddingIsIgnored() throws {
        let joined = try Self.bytes(Self.stored) + Self.bytes(Self.fixed) + [0, 0, 0]
        #expect(try Self.expand(joined) == Array("stored!fixed block, fixed block".utf8))
        #expect(throws: InputError("damaged gzip file: other data after its end", at: "byte 30")) {
            try Self.expand(Self.bytes(Self.stored) + [0, 1])
        }
    }

    @Test func optionalHeaderFields() throws {
        let text = Array("stored!".utf8)
        #expect(try Self.expand(Self.storedWith(flags: 0x08, fields: Array("name\0".utf8))) == text)
        #expect(try Self.expand(Self.storedWith(flags: 0x1C, fields: [2, 0, 9, 9] + Array("n\0c\0".utf8))) == text)
        var checksum = CRC32()
        try Self.storedWith(flags: 0x02, fields: [])[..<10].withUnsafeBytes { checksum.update($0) }
        let sum = [UInt8(checksum.value & 0xFF), UInt8(checksum.value >> 8 & 0xFF)]
        #expect(try Self.expand(Self.storedWith(flags: 0x02, fields: sum)) == text)
        #expect(throws: InputError("damaged gzip file: the header's checksum does not match", at: "byte 10")) {
            try Self.expand(Self.storedWith(flags: 0x02, fields: [sum[0], sum[1] ^ 1]))
        }
        #expect(throws: InputError("damaged gzip file: reserved flags are set", at: "byte 3")) {
            try Self.expand(Self.storedWith(flags: 0x80, fields: []))
        }
    }

    @Test func outputLargerThanTheWindow() throws {
        // Stored blocks of 65,535 bytes, repeated so that the window has to slide.
        var deflated: [UInt8] = []
        let block = (0..<0xFFFF).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 7) }
        for index in 0..<5 { deflated += [index == 4 ? 1 : 0, 0xFF, 0xFF, 0, 0] + block }
        var output: [UInt8] = []
        var inflater = Inflater()
        try deflated.withUnsafeBytes { bytes in
            let end = try inflater.inflate(bytes, startingAt: 0) { output.append(contentsOf: $0) }
            #expect(end == bytes.count)
        }
        #expect(output == block + block + block + block + block)
    }

    @Test func sizeIsLimited() throws {
        #expect(try Self.expand(Self.bytes(Self.repeating), maximumSize: 720).count == 720)
        #expect(throws: InputError("the text is longer than 719 bytes when expanded")) {
            try Self.expand(Self.bytes(Self.repeating), maximumSize: 719)
        }
    }

    @Test func checksumAndLengthAreVerified() throws {
        var bytes = try Self.bytes(Self.fixed)
        bytes[bytes.count - 1] ^= 1
        #expect(throws: InputError("damaged gzip file: the length does not match", at: "byte \(bytes.count - 4)")) {
            try Self.expand(bytes)
        }
        bytes[bytes.count - 5] ^= 1
        #expect(throws: InputError("damaged gzip file: the checksum does not match", at: "byte \(bytes.count - 8)")) {
            try Self.expand(bytes)
        }
        #expect(Self.isGzip(bytes) && !Self.isGzip([0x1F]) && !Self.isGzip(Array("text".utf8)))
    }

    static func isGzip(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { Gzip.isGzip($0) } }

    @Test(arguments: [fixed, stored, repeating, dynamic])
    func damageIsAnErrorNeverACrash(base64: String) throws {
        let valid = try Self.bytes(base64)
        for count in 0..<valid.count {
            #expect(throws: InputError.self) { try Self.expand(Array(valid[..<count])) }
        }
        for index in valid.indices {
            for flip: UInt8 in [0x01, 0x10, 0xFF] {
                var damaged = valid
                damaged[index] ^= flip
                // A change of the time, the system or unused bits goes unnoticed; all else must.
                do { _ = try Self.expand(damaged, maximumSize: 10_000) } catch { #expect(error is InputError) }
            }
        }
    }

    @Test func badCodesAreRefused() throws {
        func deflate(_ bytes: [UInt8]) throws {
            var inflater = Inflater()
            try bytes.withUnsafeBytes { _ = try inflater.inflate($0, startingAt: 0) { _ in } }
        }
        #expect(throws: InputError("damaged compressed data: unknown block type 3", at: "byte 1")) {
            try deflate([0x07])
        }
        #expect(throws: InputError.self) { try deflate([]) }
        // A stored block whose length and check disagree.
        #expect(throws: InputError.self) { try deflate([0x01, 1, 0, 0, 0, 65]) }
        // Fixed codes: a match before any output.
        #expect(throws: InputError.self) { try deflate([0x03, 0x02, 0x00]) }
        // Dynamic codes: every code length 7 bits is impossible.
        #expect(throws: InputError.self) { try deflate([0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) }
    }
}
