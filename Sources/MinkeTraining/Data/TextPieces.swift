/// A text as consecutive pieces of about a wanted size, cut where tokens do not cross.
///
/// A cut is between a line feed and an ASCII letter or digit, or before a space that stands between two ASCII letters.
/// The pre-tokenizers of GPT-2, its successors and DeepSeek start a new word at both, so encoding the pieces gives the
/// tokens of the whole. (Not so before punctuation: some take `.`, a line feed and `/` as one word.) Where no such
/// place follows, the rest of the text is one piece.
struct TextPieces: Sequence, IteratorProtocol {
    private let text: UnsafeRawBufferPointer
    private let wantedSize: Int
    private var start = 0

    /// - Precondition: `wantedSize` is positive.
    init(_ text: UnsafeRawBufferPointer, wantedSize: Int) {
        precondition(wantedSize > 0, "pieces of \(wantedSize) bytes")
        self.text = text
        self.wantedSize = wantedSize
    }

    mutating func next() -> UnsafeRawBufferPointer? {
        guard start < text.count else { return nil }
        var end = text.count
        if text.count - start > wantedSize {
            end = start + wantedSize
            while end < text.count, !isCut(end) { end += 1 }
        }
        defer { start = end }
        return UnsafeRawBufferPointer(rebasing: text[start..<end])
    }

    private func isCut(_ index: Int) -> Bool {
        let before = text[index - 1]
        if text[index] == UInt8(ascii: " ") {
            return isLetter(before) && index + 1 < text.count && isLetter(text[index + 1])
        }
        return before == UInt8(ascii: "\n") && (isLetter(text[index]) || isDigit(text[index]))
    }

    private func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}

extension UnsafeRawBufferPointer {
    /// The last place at or before `index` where no UTF-8 character is cut in two.
    ///
    /// In bytes that are not UTF-8 it is at most three bytes before `index`.
    func characterBoundary(atOrBefore index: Int) -> Int {
        var boundary = Swift.min(index, count)
        let lowest = Swift.max(0, boundary - 3)
        while boundary > lowest, boundary < count, self[boundary] & 0xC0 == 0x80 { boundary -= 1 }
        return boundary
    }
}
