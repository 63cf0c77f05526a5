/// A decoder for one Huffman code of DEFLATE (RFC 1951, section 3.2.2).
///
/// Codes of up to ``primaryBits`` bits, nearly all of those met, are one look-up; longer ones are found by counting.
struct HuffmanTable: ~Copyable {
    static let primaryBits = 10
    static let longestCode = 15
    private static let mostSymbols = 320

    /// Indexed by the next bits of the stream: symbol times 16 plus code length; 0 where no short code begins so.
    private let primary = UnsafeMutablePointer<UInt16>.allocate(capacity: 1 << primaryBits)
    /// The number of codes of each length.
    private let counts = UnsafeMutablePointer<Int>.allocate(capacity: longestCode + 1)
    /// The symbols in the order of their codes.
    private let symbols = UnsafeMutablePointer<UInt16>.allocate(capacity: mostSymbols)

    init() {
        primary.initialize(repeating: 0, count: 1 << HuffmanTable.primaryBits)
        counts.initialize(repeating: 0, count: HuffmanTable.longestCode + 1)
        symbols.initialize(repeating: 0, count: HuffmanTable.mostSymbols)
    }

    deinit {
        primary.deallocate()
        counts.deallocate()
        symbols.deallocate()
    }

    /// Builds the code from the length of each symbol's code; 0 for a symbol that is not used.
    ///
    /// - Returns: whether the lengths make a code. Bit patterns may be left over only when at most one symbol, with
    ///   a code of one bit, is used: encoders write that for a block with a single distance.
    mutating func build(_ lengths: ArraySlice<UInt8>) -> Bool {
        counts.update(repeating: 0, count: HuffmanTable.longestCode + 1)
        for length in lengths { counts[Int(length)] += 1 }
        let used = lengths.count - counts[0]
        counts[0] = 0
        var offsets = [Int](repeating: 0, count: HuffmanTable.longestCode + 2)
        var nextCode = offsets
        var left = 1
        for length in 1...HuffmanTable.longestCode {
            left = left * 2 - counts[length]
            if left < 0 { return false }
            offsets[length + 1] = offsets[length] + counts[length]
            nextCode[length + 1] = (nextCode[length] + counts[length]) * 2
        }
        if left > 0 && !(used == 0 || (used == 1 && counts[1] == 1)) { return false }

        primary.update(repeating: 0, count: 1 << HuffmanTable.primaryBits)
        for (symbol, length) in lengths.enumerated() where length > 0 {
            let length = Int(length)
            symbols[offsets[length]] = UInt16(symbol)
            offsets[length] += 1
            let code = nextCode[length]
            nextCode[length] += 1
            if length > HuffmanTable.primaryBits { continue }
            // The stream holds codes from their highest bit on, but is read from the lowest bit of each byte.
            var reversed = 0
            for bit in 0..<length where code >> bit & 1 == 1 { reversed |= 1 << (length - 1 - bit) }
            for index in stride(from: reversed, to: 1 << HuffmanTable.primaryBits, by: 1 << length) {
                primary[index] = UInt16(symbol << 4 | length)
            }
        }
        return true
    }

    /// Reads one symbol; `nil` when the next bits are no code or the stream ends inside it.
    @inline(__always)
    borrowing func decode(_ input: inout BitReader) -> Int? {
        let entry = Int(primary[Int(truncatingIfNeeded: input.bits & (1 << UInt64(HuffmanTable.primaryBits) - 1))])
        if entry != 0 { return input.skip(entry & 15) ? entry &>> 4 : nil }
        return decodeLong(&input)
    }

    /// Among canonical codes of one length, a code's distance from the first is its symbol's distance in `symbols`.
    private borrowing func decodeLong(_ input: inout BitReader) -> Int? {
        var code = 0
        var first = 0
        var index = 0
        for length in 1...HuffmanTable.longestCode {
            code |= Int(truncatingIfNeeded: input.bits &>> UInt64(length - 1) & 1)
            let count = counts[length]
            if code - first < count { return input.skip(length) ? Int(symbols[index + code - first]) : nil }
            index += count
            first = (first + count) << 1
            code <<= 1
        }
        return nil
    }
}
