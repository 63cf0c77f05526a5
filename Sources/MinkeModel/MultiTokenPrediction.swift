import MinkeTensors

/// One multi-token-prediction module: from the hidden state of position i and the embedding of token i + 1 it predicts
/// token i + 2 (DeepSeek-V3 report, 2.2).
///
/// h' = eh_proj([RMSNorm(Emb(t[i+1])); RMSNorm(h[i])]), one decoder layer, RMSNorm, and the main model's head. The
/// embedding comes first in the concatenation, as the released weights have it; h is taken after the final norm. Modules
/// read the token's own embedding: rows of n-grams reach them through h.
final class MultiTokenPrediction {
    private let epsilon: Float
    private let embeddingNorm: Parameter
    private let hiddenNorm: Parameter
    /// `[hidden, 2 × hidden]`
    private let projection: Parameter
    let layer: DecoderLayer
    private let outputNorm: Parameter

    /// - Parameter index: the module's layer number in the checkpoint, `num_hidden_layers` and up.
    init(_ c: ModelConfiguration, index: Int, _ build: WeightBuilder) throws {
        let prefix = "model.layers.\(index)."
        epsilon = Float(c.rmsNormEps)
        embeddingNorm = try build.vector(prefix + "enorm.weight", c.hiddenSize, role: .norm)
        hiddenNorm = try build.vector(prefix + "hnorm.weight", c.hiddenSize, role: .norm)
        projection = try build.matrix(
            [(prefix + "eh_proj.weight", c.hiddenSize)], columns: 2 * c.hiddenSize)
        layer = try DecoderLayer(c, index: index, build)
        outputNorm = try build.vector(prefix + "shared_head.norm.weight", c.hiddenSize, role: .norm)
    }

    /// - Parameters:
    ///   - hidden: the state of the depth before, after its norm, `[rows, hidden]`.
    ///   - next: embedding of each row's next token, `float32`, `[rows, hidden]`.
    /// - Returns: the module's state after its norm, for the head and for the next depth.
    func callAsFunction(
        hidden: Variable, next: Variable, _ context: LayerContext, _ tape: Tape
    ) -> (Variable, Routing?) {
        let joined = tape.concatenate(
            tape.rmsNorm(next, weight: embeddingNorm, epsilon: epsilon),
            tape.rmsNorm(hidden, weight: hiddenNorm, epsilon: epsilon))
        let (out, routing) = layer(tape.linear(joined, projection, output: .float32), context, tape)
        return (tape.rmsNorm(out, weight: outputNorm, epsilon: epsilon, gradientType: .float32), routing)
    }
}
