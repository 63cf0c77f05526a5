/// The printable alphabet in which byte-level vocabularies spell bytes (GPT-2's `bytes_to_unicode`).
///
/// Printable bytes of Latin-1 stand for themselves; the 68 others take the code points from U+0100 on,
/// so a space is written `Ġ` and a line feed `Ċ`.
enum ByteAlphabet {
    /// The code point of each byte.
    static let codePoints: [UInt16] = {
        var next: UInt16 = 0x100
        return (0...255).map { (byte: UInt16) in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
            default:
                defer { next += 1 }
                return next
            }
        }
    }()

    /// The byte of each code point below U+0144, or -1.
    private static let byteOfCodePoint: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x144)
        for (byte, codePoint) in codePoints.enumerated() { bytes[Int(codePoint)] = Int16(byte) }
        return bytes
    }()

    /// All byte values in the order of their code points, which is the order of ids in a trained vocabulary.
    static let bytesInCodePointOrder: [UInt8] = (0...255).sorted { codePoints[Int($0)] < codePoints[Int($1)] }

    /// How a vocabulary spells `bytes`.
    static func spelling(of bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes {
            if let scalar = Unicode.Scalar(codePoints[Int(byte)]) { text.unicodeScalars.append(scalar) }
        }
        return text
    }

    /// The bytes that `spelling` stands for, or `nil` when it has a character outside the alphabet.
    static func bytes(spelled spelling: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(spelling.utf8.count)
        for scalar in spelling.unicodeScalars {
            guard scalar.value < 0x144, byteOfCodePoint[Int(scalar.value)] >= 0 else { return nil }
            bytes.append(UInt8(byteOfCodePoint[Int(scalar.value)]))
        }
        return bytes
    }
}
