/// What the next token may be, as a text grows token by token.
///
/// ``mask(_:)`` before a token is drawn, ``advance(_:)`` after; a value is the state of one text, and copies part ways.
public protocol TokenConstraint: Sendable {
    /// Sets the logits of tokens that may not come next to -infinity; those of end tokens unless ``isComplete``.
    mutating func mask(_ logits: inout [Float])

    /// Takes the token that was drawn; one that ``mask(_:)`` forbids leaves a state that allows the end only.
    mutating func advance(_ token: Int32)

    /// Whether the text may end here.
    var isComplete: Bool { get }

    /// Whether nothing but the end can follow.
    var mustStop: Bool { get }
}
