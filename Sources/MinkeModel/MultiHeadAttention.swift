import MinkeTensors

/// Plain multi-head attention with rotary positions: the dense twin's.
final class MultiHeadAttention {
    private let heads: Int
    private let width: Int
    let shape: AttentionShape
    /// q_proj, `[heads × width, hidden]`
    private let queries: Parameter
    /// k_proj and v_proj, rows of each head's key next to those of its value, `[heads × 2·width, hidden]`.
    private let keysValues: Parameter
    private let output: Parameter

    init(_ c: ModelConfiguration, prefix: String, _ build: WeightBuilder) throws {
        heads = c.numAttentionHeads
        width = c.qkRopeHeadDim
        shape = AttentionShape(
            heads: heads, keyWidth: width, valueWidth: width, scale: Float(1 / Double(width).squareRoot()))
        queries = try build.matrix([(prefix + "q_proj.weight", heads * width)], columns: c.hiddenSize)
        keysValues = try build.interleaved(
            [prefix + "k_proj.weight", prefix + "v_proj.weight"], blocks: heads, rows: width, columns: c.hiddenSize)
        output = try build.matrix([(prefix + "o_proj.weight", c.hiddenSize)], columns: heads * width, role: .outputMatrix)
    }

    private func project(
        _ x: Variable, positions: [Int32], rotary: RotaryTable, _ tape: Tape
    ) -> (queries: Variable, keysValues: Variable) {
        let q = tape.linear(x, queries)
        tape.rotate(q, heads: heads, headStride: width, positions: positions, table: rotary)
        let kv = tape.linear(x, keysValues)
        tape.rotate(kv, heads: heads, headStride: 2 * width, positions: positions, table: rotary)
        return (q, kv)
    }

    /// Whole sequences. See ``LatentAttention/callAsFunction(_:addedTo:batch:rotary:cache:_:)``.
    func callAsFunction(
        _ x: Variable, addedTo residual: Variable, batch: SequenceBatch, rotary: RotaryTable, cache: LayerCache? = nil,
        _ tape: Tape
    ) -> Variable {
        let (q, kv) = project(x, positions: batch.positions, rotary: rotary, tape)
        cache?.append([kv.value])
        let mixed = tape.attention(q, keysValues: kv, shared: nil, shape: shape, sequences: batch.sequences)
        return tape.linear(mixed, output, addedTo: residual)
    }

    /// New tokens of one sequence against its cache.
    func decode(
        _ x: Variable, addedTo residual: Variable, positions: [Int32], rotary: RotaryTable, cache: LayerCache,
        _ tape: Tape
    ) -> Variable {
        let (q, kv) = project(x, positions: positions, rotary: rotary, tape)
        cache.append([kv.value])
        return tape.linear(Variable(cache.attend(q.value, shape: shape)), output, addedTo: residual)
    }
}
