/// A constraint that begins when the model has finished thinking.
///
/// Until then every token may come but those that end the answer.
public struct AfterReasoning<Base: TokenConstraint>: TokenConstraint {
    private var base: Base
    private let tokenizer: Tokenizer
    /// The token that ends thoughts, where the vocabulary has one; else its spelling counts.
    private let endOfThoughts: Int32?
    private let endTokens: Set<Int32>
    /// The last bytes of the thoughts.
    private var tail: [UInt8] = []
    /// Whether the model still thinks.
    public private(set) var isThinking: Bool

    /// - Parameters:
    ///   - isThinking: whether the answer begins inside thoughts, as ``AnswerSyntax/isThinking(behind:)`` tells.
    public init(_ base: Base, tokenizer: Tokenizer, endTokens: Set<Int32>, isThinking: Bool) {
        self.base = base
        self.tokenizer = tokenizer
        self.endTokens = endTokens
        self.isThinking = isThinking
        let id = tokenizer.id(of: ChatFamily.Mark.thinkEnd)
        endOfThoughts = id.flatMap { id in tokenizer.addedTokens.contains { $0.id == id } ? id : nil }
    }

    public mutating func mask(_ logits: inout [Float]) {
        guard isThinking else { return base.mask(&logits) }
        for id in endTokens where logits.indices.contains(Int(id)) { logits[Int(id)] = -.infinity }
    }

    public mutating func advance(_ token: Int32) {
        guard isThinking else { return base.advance(token) }
        if let endOfThoughts {
            isThinking = token != endOfThoughts
            return
        }
        let mark = Array(ChatFamily.Mark.thinkEnd.utf8)
        tail += tokenizer.decodeBytes(CollectionOfOne(token))
        isThinking = !tail.indices.contains { tail[$0...].starts(with: mark) }
        tail = tail.suffix(mark.count - 1)
    }

    public var isComplete: Bool { !isThinking && base.isComplete }
    public var mustStop: Bool { !isThinking && base.mustStop }
}
