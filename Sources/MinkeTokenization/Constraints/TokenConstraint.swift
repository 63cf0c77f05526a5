/// Restricts which token may come next in one sequence.
///
/// A value: every sequence has a copy of its own, which it tells of each token that it took.
public protocol TokenConstraint: Sendable {
    /// Sets the logits of tokens that may not come next to −∞. End tokens may come only when ``isComplete``.
    mutating func mask(_ logits: inout [Float])
    /// Takes the token that came.
    mutating func advance(_ token: Int32)
    /// Whether what came so far may be all.
    var isComplete: Bool { get }
    /// Whether nothing but the end can follow.
    var mustStop: Bool { get }
}
