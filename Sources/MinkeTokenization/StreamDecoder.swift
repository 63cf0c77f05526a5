/// Decodes tokens one at a time as a model produces them, and holds back characters whose last bytes are still to come.
///
/// What it returns, joined, is what ``Tokenizer/decode(_:skippingSpecialTokens:)`` gives for all the tokens.
public struct StreamDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skippingSpecialTokens: Bool
    private var pending: [UInt8] = []

    public init(_ tokenizer: Tokenizer, skippingSpecialTokens: Bool = true) {
        self.tokenizer = tokenizer
        self.skippingSpecialTokens = skippingSpecialTokens
    }

    /// Takes the next token and returns the text that is complete with it, which may be empty.
    public mutating func append(_ id: Int32) -> String {
        if skippingSpecialTokens, tokenizer.isSpecial(id) { return "" }
        tokenizer.vocabulary.appendBytes(of: id, to: &pending)
        let complete = pending.count - incompleteSuffixLength(pending)
        let text = String(decoding: pending[..<complete], as: UTF8.self)
        pending.removeFirst(complete)
        return text
    }

    /// Returns what was held back, with U+FFFD for the character that stayed incomplete.
    public mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }
}
