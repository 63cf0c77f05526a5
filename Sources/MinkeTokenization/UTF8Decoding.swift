/// The scalar that starts at `position`, and its length in bytes; ``ScalarSet/invalidByte`` and 1 where the bytes are
/// no valid UTF-8.
func decodeScalar(_ text: UnsafeBufferPointer<UInt8>, _ position: Int, _ end: Int) -> (scalar: UInt32, length: Int) {
    let lead = text[position]
    if lead < 0x80 { return (UInt32(lead), 1) }
    let invalid = (scalar: ScalarSet.invalidByte, length: 1)
    let length = sequenceLength(lead)
    guard length > 1, position + length <= end, continues(lead, with: text[position + 1]) else { return invalid }
    var scalar = UInt32(lead) & (0x7F >> UInt32(length))
    scalar = scalar << 6 | UInt32(text[position + 1] & 0x3F)
    for offset in 2..<max(2, length) {
        guard text[position + offset] & 0xC0 == 0x80 else { return invalid }
        scalar = scalar << 6 | UInt32(text[position + offset] & 0x3F)
    }
    return (scalar, length)
}

/// How many bytes at the end of `bytes` begin a UTF-8 sequence that more bytes could complete.
func incompleteSuffixLength(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
        let lead = bytes[bytes.count - count]
        if lead & 0xC0 == 0x80 { continue }
        guard sequenceLength(lead) > count else { return 0 }
        return count == 1 || continues(lead, with: bytes[bytes.count - count + 1]) ? count : 0
    }
    return 0
}

/// The length of the sequence that `lead` begins; zero where no sequence begins with it.
private func sequenceLength(_ lead: UInt8) -> Int {
    switch lead {
    case 0x00...0x7F: 1
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 0
    }
}

/// Whether `second` may follow `lead`: no overlong forms, no surrogates, nothing beyond U+10FFFF.
private func continues(_ lead: UInt8, with second: UInt8) -> Bool {
    switch lead {
    case 0xE0: (0xA0...0xBF).contains(second)
    case 0xED: (0x80...0x9F).contains(second)
    case 0xF0: (0x90...0xBF).contains(second)
    case 0xF4: (0x80...0x8F).contains(second)
    default: (0x80...0xBF).contains(second)
    }
}
