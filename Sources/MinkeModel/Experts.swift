import MinkeTensors

/// DeepSeekMoE: every token goes to its `topK` of many narrow experts, and to the shared ones
/// (arXiv 2401.06066; DeepSeek-V3 report, 2.1.2).
final class Experts {
    let rule: RoutingRule
    /// `[experts, hidden]`, worked in `float32`.
    private let router: Parameter
    /// Added to the scores for the choice only (V3).
    let correctionBias: Parameter?
    private let activation: ModelConfiguration.Activation
    /// [gate_proj; up_proj] of every expert, stacked; up_proj alone where there is no gate.
    private let gateUp: Parameter
    private let down: Parameter
    private let shared: FeedForward?
    /// Where not all experts are in memory; `gateUp` and `down` then only say what they are.
    private let streamed: StreamedExperts?

    init(_ c: ModelConfiguration, prefix: String, _ build: WeightBuilder) throws {
        let isBiased = c.topkMethod == .biased
        rule = RoutingRule(
            experts: c.nRoutedExperts, topK: c.numExpertsPerTok, groups: c.nGroup, topGroups: c.topkGroup,
            usesSigmoid: c.scoringFunc == .sigmoid, ranksGroupsByTopTwo: isBiased, normalizes: c.normTopkProb,
            scale: Float(c.routedScalingFactor))
        let width = c.moeIntermediateSize
        let activation = c.extensions.activation
        self.activation = activation
        router = try build.matrix([(prefix + "gate.weight", c.nRoutedExperts)], columns: c.hiddenSize, role: .router)
        correctionBias =
            isBiased
            ? try build.vector(prefix + "gate.e_score_correction_bias", c.nRoutedExperts, role: .correctionBias) : nil
        gateUp = try build.stacked(c.nRoutedExperts, columns: c.hiddenSize) { expert in
            activation.inputs.map { (prefix + "experts.\(expert).\($0).weight", width) }
        }
        down = try build.stacked(c.nRoutedExperts, columns: width, role: .outputMatrix) { expert in
            [(prefix + "experts.\(expert).down_proj.weight", c.hiddenSize)]
        }
        streamed = try build.streamed(c.nRoutedExperts, gateUp: gateUp, down: down, activation) { expert in
            (activation.inputs + ["down_proj"]).map { prefix + "experts.\(expert).\($0).weight" }
        }
        shared =
            c.nSharedExperts > 0
            ? try FeedForward(
                hidden: c.hiddenSize, width: width * c.nSharedExperts, activation: activation,
                prefix: prefix + "shared_experts.", build) : nil
    }

    /// - Parameters:
    ///   - x: the normalised residual stream, `[tokens, hidden]`.
    ///   - balance: factor of the sequence-wise balance loss.
    ///   - expectNext: tells the next layer what to read ahead.
    /// - Returns: the residual stream with the experts' outputs added, and who went where.
    func callAsFunction(
        _ x: Variable, addedTo residual: Variable, sequences: Int, balance: Float, lossScale: Float, _ tape: Tape,
        expectNext: () -> Void = {}
    ) -> (Variable, Routing) {
        let logits = tape.linear(x, router, precision: .float32)
        let routing = tape.route(
            logits, bias: correctionBias, rule: rule, balance: balance, lossScale: lossScale, sequences: sequences)
        let inputs = tape.dispatch(x, routing)
        if let streamed {
            var hidden: Variable?
            let outputs = streamed(inputs, offsets: routing.offsets, tokens: x.value.rows, tape) {
                // What needs no routed expert is done while they are read.
                expectNext()
                hidden = shared?.hidden(x, tape)
            }
            let mixed = tape.combine(outputs, routing, addedTo: residual)
            return (hidden.flatMap { shared?.output($0, addedTo: mixed, tape) } ?? mixed, routing)
        }
        let hidden = activation(tape.groupedLinear(inputs, gateUp, offsets: routing.offsets), tape)
        let outputs = tape.groupedLinear(hidden, down, offsets: routing.offsets)
        let mixed = tape.combine(outputs, routing, addedTo: residual)
        return (shared?(x, addedTo: mixed, overwrites: true, tape) ?? mixed, routing)
    }

    /// Reads ahead what the router would choose for `x`, a state before the layer's attention: it changes little there.
    func expect(_ x: Variable, _ tape: Tape) {
        guard let streamed else { return }
        let routing = tape.route(tape.linear(x, router, precision: .float32), bias: correctionBias, rule: rule)
        streamed.expect(routing.offsets)
    }
}
