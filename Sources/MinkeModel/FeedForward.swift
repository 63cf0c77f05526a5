import MinkeTensors

/// A feed-forward layer: down(silu(gate·x) ⊙ up·x), or down(max(0, up·x)²).
final class FeedForward {
    private let activation: ModelConfiguration.Activation
    /// [gate_proj; up_proj], `[2 × width, hidden]`; up_proj alone where there is no gate.
    private let gateUp: Parameter
    /// `[hidden, width]`
    private let down: Parameter

    init(
        hidden: Int, width: Int, activation: ModelConfiguration.Activation, prefix: String, _ build: WeightBuilder
    ) throws {
        self.activation = activation
        gateUp = try build.matrix(activation.inputs.map { (prefix + $0 + ".weight", width) }, columns: hidden)
        down = try build.matrix([(prefix + "down_proj.weight", hidden)], columns: width, role: .outputMatrix)
    }

    /// - Parameter overwrites: the result takes the residual's memory, which nobody else reads any more.
    func callAsFunction(
        _ x: Variable, addedTo residual: Variable, overwrites: Bool = false, _ tape: Tape
    ) -> Variable {
        tape.linear(hidden(x, tape), down, addedTo: residual, overwrites: overwrites)
    }

    /// silu(gate·x) ⊙ up·x, or max(0, up·x)²
    func hidden(_ x: Variable, _ tape: Tape) -> Variable { activation(tape.linear(x, gateUp), tape) }

    /// The rest: down·hidden, added to the residual stream.
    func output(_ hidden: Variable, addedTo residual: Variable, _ tape: Tape) -> Variable {
        tape.linear(hidden, down, addedTo: residual)
    }
}

extension ModelConfiguration.Activation {
    /// - Parameter x: the outputs of the matrices of ``inputs``, side by side.
    func callAsFunction(_ x: Variable, _ tape: Tape) -> Variable {
        switch self {
        case .swiGLU: tape.swiGLU(x)
        case .squaredReLU: tape.squaredReLU(x)
        }
    }
}
