import Testing

@testable import MinkeFiles

/// Examples of FIPS 180-4 and of NIST's test vectors.
@Suite struct SHA256Tests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
    ])
    func knownHashes(text: String, expected: String) {
        #expect(Array(text.utf8).withUnsafeBytes { SHA256.hexadecimal(of: $0) } == expected)
    }

    @Test func piecesGiveTheHashOfTheWhole() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let whole = bytes.withUnsafeBytes { SHA256.hexadecimal(of: $0) }
        for size in [1, 3, 55, 63, 64, 65, 128, 299] {
            var hasher = SHA256()
            for start in stride(from: 0, to: bytes.count, by: size) {
                bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { hasher.update($0) }
            }
            #expect(SHA256.hexadecimal(hasher.finalize()) == whole)
        }
    }

    /// Which of both ways the others take depends on the processor.
    @Test func bothWaysGiveTheSameState() {
        let blocks = (0..<64 * 9).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 31 &+ $0 >> 3) }
        let initial = (0..<8).map { UInt32(truncatingIfNeeded: 0x9e37_79b9 &* ($0 + 1)) }
        var (plain, instructions) = (initial, initial)
        blocks.withUnsafeBytes { SHA256.compressPlainly($0, into: &plain) }
        let isSupported = blocks.withUnsafeBytes { SHA256.compressByInstructions($0, into: &instructions) }
        #expect(instructions == (isSupported ? plain : initial))
    }

    @Test func hashesAFile() throws {
        let directory = try TemporaryDirectory()
        try AtomicFile.write("abc", to: directory("a"))
        #expect(try SHA256.hexadecimal(ofFile: directory("a")).hasPrefix("ba7816bf8f01cfea"))
    }
}
