/// A text as consecutive pieces of about a wanted size, cut where tokens do not cross.
///
/// A cut is before a space that stands between two letters, or between a single line feed and a letter or digit. The
/// pre-tokenizers of GPT-2, its successors and DeepSeek start a new word at both, so encoding the pieces gives the
/// tokens of the whole. (Not so after more white space, which GPT-2 divides by what follows, nor before punctuation:
/// some take `.`, a line feed and `/` as one word.) Where no such place follows, the rest of the text is one piece.
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
        if text[index] == UInt8(ascii: " ") {
            return isLetter(scalar(before: index)) && isLetter(scalar(at: index + 1))
        }
        guard text[index - 1] == UInt8(ascii: "\n"), let next = scalar(at: index) else { return false }
        let lineEnds = scalar(before: index - 1).map { !$0.properties.isWhitespace } ?? true
        return lineEnds && (isLetter(next) || next.properties.generalCategory == .decimalNumber)
    }

    private func isLetter(_ scalar: Unicode.Scalar?) -> Bool {
        switch scalar?.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    private func scalar(at index: Int) -> Unicode.Scalar? {
        String(decoding: text[index..<Swift.min(index + 4, text.count)], as: UTF8.self).unicodeScalars.first
    }

    private func scalar(before index: Int) -> Unicode.Scalar? {
        String(decoding: text[Swift.max(0, index - 4)..<index], as: UTF8.self).unicodeScalars.last
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
