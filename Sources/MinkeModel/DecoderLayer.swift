import MinkeTensors

/// Sequences of equal length, laid out one after the other.
public struct SequenceBatch: Sendable {
    public let sequences: Int
    /// Tokens of one sequence.
    public let length: Int
    /// Position of every row.
    public let positions: [Int32]

    public init(sequences: Int, length: Int) {
        self.sequences = sequences
        self.length = length
        positions = (0..<sequences).flatMap { _ in (0..<Int32(length)) }
    }

    /// The rows of one sequence.
    func rows(_ sequence: Int) -> Range<Int> { sequence * length..<(sequence + 1) * length }
}

/// What a pass through the layers needs besides the hidden state.
struct LayerContext {
    let batch: SequenceBatch
    let rotary: RotaryTable
    var balance: Float = 0
    var lossScale: Float = 1
    /// Take the keys and values of the pass, one for each sequence of the batch; empty: nothing is kept.
    var caches: [LayerCache] = []
    /// Names rows of tables by the tokens; nil where the model has none.
    var ngrams: NgramContext?
    /// The batch continues what the caches hold, instead of starting sequences.
    var continues = false

    /// Adds each sequence's rows of the parts, side by side, to its cache.
    func cache(_ parts: [Tensor]) {
        guard !caches.isEmpty else { return }
        precondition(caches.count == batch.sequences, "one cache a sequence")
        for (sequence, cache) in caches.enumerated() {
            cache.append(parts.map { $0.rows(batch.rows(sequence)) })
        }
    }
}

/// One block: x += attention(norm(x)); x += feedForward(norm(x)).
final class DecoderLayer {
    private enum Attention {
        case latent(LatentAttention)
        case multiHead(MultiHeadAttention)
    }

    private enum Mixture {
        case dense(FeedForward)
        case sparse(Experts)
    }

    private let epsilon: Float
    private let inputNorm: Parameter
    private let attention: Attention
    private let postAttentionNorm: Parameter
    private let mixture: Mixture
    /// The layer that comes after it.
    weak var next: DecoderLayer?

    /// - Parameter index: the layer's number in the checkpoint.
    init(_ c: ModelConfiguration, index: Int, _ build: WeightBuilder) throws {
        let prefix = "model.layers.\(index)."
        epsilon = Float(c.rmsNormEps)
        inputNorm = try build.vector(prefix + "input_layernorm.weight", c.hiddenSize, role: .norm)
        attention =
            c.family.isLatent
            ? .latent(try LatentAttention(c, layer: index, prefix: prefix + "self_attn.", build))
            : .multiHead(try MultiHeadAttention(c, layer: index, prefix: prefix + "self_attn.", build))
        postAttentionNorm = try build.vector(prefix + "post_attention_layernorm.weight", c.hiddenSize, role: .norm)
        mixture =
            c.isSparse(layer: index)
            ? .sparse(try Experts(c, prefix: prefix + "mlp.", build))
            : .dense(
                try FeedForward(
                    hidden: c.hiddenSize, width: c.intermediateSize, activation: c.extensions.activation,
                    prefix: prefix + "mlp.", build))
    }

    /// The experts, if the layer has any.
    var experts: Experts? {
        if case .sparse(let experts) = mixture { experts } else { nil }
    }

    /// - Parameter x: the residual stream, `float32`, `[sequences × tokens, hidden]`.
    func callAsFunction(_ x: Variable, _ context: LayerContext, _ tape: Tape) -> (Variable, Routing?) {
        let input = tape.rmsNorm(x, weight: inputNorm, epsilon: epsilon)
        tape.dropout(input)
        let attended = attend(input, addedTo: x, context, tape)
        switch mixture {
        case .dense(let feedForward):
            let normed = tape.rmsNorm(attended, weight: postAttentionNorm, epsilon: epsilon)
            tape.dropout(normed)
            return (feedForward(normed, addedTo: attended, tape), nil)
        case .sparse(let experts):
            // Router, experts and shared expert all read it: their gradients are summed in float32.
            let normed = tape.rmsNorm(attended, weight: postAttentionNorm, epsilon: epsilon, gradientType: .float32)
            tape.dropout(normed)
            let (out, routing) = experts(
                normed, addedTo: attended, sequences: context.batch.sequences, balance: context.balance,
                lossScale: context.lossScale, tape, expectNext: { next?.expect(attended, tape) })
            return (out, routing)
        }
    }

    /// Tokens of a pass for which it pays to ask ahead: more of them want nearly all experts.
    private static let tokensToExpect = 4

    /// Reads ahead the experts that the residual stream before this layer lets expect.
    private func expect(_ x: Variable, _ tape: Tape) {
        guard let experts, x.value.rows <= Self.tokensToExpect else { return }
        experts.expect(tape.rmsNorm(x, weight: postAttentionNorm, epsilon: epsilon), tape)
    }

    private func attend(_ x: Variable, addedTo residual: Variable, _ context: LayerContext, _ tape: Tape) -> Variable {
        switch attention {
        case .latent(let attention):
            return context.continues
                ? attention.decode(x, addedTo: residual, context, tape)
                : attention(x, addedTo: residual, context, tape)
        case .multiHead(let attention):
            return context.continues
                ? attention.decode(x, addedTo: residual, context, tape)
                : attention(x, addedTo: residual, context, tape)
        }
    }
}
