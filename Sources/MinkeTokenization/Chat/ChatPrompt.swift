/// A prompt in pieces: what the template wrote, where control tokens count, and what people wrote, where they never do.
public struct ChatPrompt: Equatable, Sendable {
    /// A run of text of one origin.
    public struct Piece: Equatable, Sendable {
        public var text: String
        /// Whether control tokens spelled in the text become those tokens.
        public let isTemplate: Bool

        public init(_ text: String, isTemplate: Bool) {
            self.text = text
            self.isTemplate = isTemplate
        }
    }

    /// The text in order; neighbours differ in their origin, none is empty.
    public private(set) var pieces: [Piece] = []

    public init() {}

    /// The whole prompt as one string.
    public var text: String { pieces.map(\.text).joined() }

    /// Adds text of the template.
    public mutating func append(template text: String) { append(Piece(text, isTemplate: true)) }

    /// Adds text from outside: a message, a tool's name or result.
    public mutating func append(content text: String) { append(Piece(text, isTemplate: false)) }

    /// Adds text of either kind.
    public mutating func append(_ piece: Piece) {
        if piece.text.isEmpty { return }
        if let last = pieces.indices.last, pieces[last].isTemplate == piece.isTemplate {
            pieces[last].text += piece.text
        } else {
            pieces.append(piece)
        }
    }
}

extension Tokenizer {
    /// The tokens of a prompt; what its content spells never becomes a control token.
    ///
    /// Where template and content touch without a control token between them they are merged as one text, so that the ids
    /// are those of ``ChatPrompt/text`` whenever the content spells no added token.
    public func encode(_ prompt: ChatPrompt) -> [Int32] { TokenEncoder(self).encode(prompt) }
}
