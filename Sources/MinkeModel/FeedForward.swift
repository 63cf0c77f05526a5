import MinkeTensors

/// A SwiGLU feed-forward layer: down(silu(gate·x) ⊙ up·x).
final class FeedForward {
    /// [gate_proj; up_proj], `[2 × width, hidden]`
    private let gateUp: Parameter
    /// `[hidden, width]`
    private let down: Parameter

    init(hidden: Int, width: Int, prefix: String, _ build: WeightBuilder) throws {
        gateUp = try build.matrix(
            [(prefix + "gate_proj.weight", width), (prefix + "up_proj.weight", width)], columns: hidden)
        down = try build.matrix([(prefix + "down_proj.weight", hidden)], columns: width, role: .outputMatrix)
    }

    func callAsFunction(_ x: Variable, addedTo residual: Variable, _ tape: Tape) -> Variable {
        output(hidden(x, tape), addedTo: residual, tape)
    }

    /// silu(gate·x) ⊙ up·x
    func hidden(_ x: Variable, _ tape: Tape) -> Variable { tape.swiGLU(tape.linear(x, gateUp)) }

    /// The rest: down·hidden, added to the residual stream.
    func output(_ hidden: Variable, addedTo residual: Variable, _ tape: Tape) -> Variable {
        tape.linear(hidden, down, addedTo: residual)
    }
}
