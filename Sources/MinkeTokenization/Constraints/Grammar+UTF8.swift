extension Grammar {
    /// The scalars from `low` to `high` in UTF-8; the range holds no surrogates.
    mutating func addUTF8(_ low: UInt32, _ high: UInt32, from start: State, to end: State) throws {
        for (limits, length) in [
            (0...0x7F, 1), (0x80...0x7FF, 2), (0x800...0xFFFF, 3), (0x10000...0x10FFFF, 4),
        ] as [(ClosedRange<UInt32>, Int)] where low <= limits.upperBound && limits.lowerBound <= high {
            try addUTF8(
                max(low, limits.lowerBound), min(high, limits.upperBound), trailing: length - 1, isLead: true,
                length: length, from: start, to: end)
        }
    }

    /// One byte of sequences with `trailing` more bytes behind it, then those.
    private mutating func addUTF8(
        _ low: UInt32, _ high: UInt32, trailing: Int, isLead: Bool, length: Int, from start: State, to end: State
    ) throws {
        let shift = UInt32(6 * trailing)
        let below = (UInt32(1) << shift) - 1
        let mark: UInt32 = isLead ? [0, 0x00, 0xC0, 0xE0, 0xF0][length] : 0x80
        let mask: UInt32 = isLead ? 0xFF : 0x3F
        func byte(_ value: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: mark | ((value >> shift) & mask)) }
        if trailing == 0 { return bytes(byte(low)...byte(high), from: start, to: end) }
        var low = low
        while low <= high {
            // A run of first bytes behind which everything is allowed, or one behind which only a part is.
            var last = low | below
            if low & below == 0, high >= last {
                last = ((high &+ 1) & ~below) &- 1
            } else {
                last = min(last, high)
            }
            let next = try state()
            bytes(byte(low)...byte(last), from: start, to: next)
            let isWhole = low & below == 0 && last & below == below
            try addUTF8(
                isWhole ? 0 : low & below, isWhole ? below : last & below, trailing: trailing - 1, isLead: false,
                length: length, from: next, to: end)
            low = last + 1
        }
    }
}
