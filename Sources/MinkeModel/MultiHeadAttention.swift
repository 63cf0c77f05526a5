import MinkeTensors

/// Plain multi-head attention with rotary positions: the dense twin's.
final class MultiHeadAttention {
    private let heads: Int
    private let width: Int
    let shape: AttentionShape
    /// [q_proj; k_proj; v_proj], `[3 × heads × width, hidden]`: one product for all.
    private let inputProjection: Parameter
    private let output: Parameter

    init(_ c: ModelConfiguration, prefix: String, _ build: WeightBuilder) throws {
        heads = c.numAttentionHeads
        width = c.qkRopeHeadDim
        shape = AttentionShape(
            heads: heads, keyWidth: width, valueWidth: width, scale: Float(1 / Double(width).squareRoot()))
        inputProjection = try build.matrix(
            ["q_proj", "k_proj", "v_proj"].map { (prefix + $0 + ".weight", c.numAttentionHeads * c.qkRopeHeadDim) },
            columns: c.hiddenSize)
        output = try build.matrix(
            [(prefix + "o_proj.weight", c.hiddenSize)], columns: heads * width, role: .outputMatrix)
    }

    private func project(
        _ x: Variable, _ context: LayerContext, _ tape: Tape
    ) -> (queries: Variable, keys: Variable, values: Variable) {
        let joined = tape.linear(x, inputProjection)
        let parts = (0..<3).map { joined.columns($0 * heads * width..<($0 + 1) * heads * width) }
        tape.rotate(
            parts[0], heads: heads, headStride: width, positions: context.batch.positions, table: context.rotary)
        tape.rotate(
            parts[1], heads: heads, headStride: width, positions: context.batch.positions, table: context.rotary)
        return (parts[0], parts[1], parts[2])
    }

    /// Whole sequences. See ``LatentAttention/callAsFunction(_:addedTo:_:_:)``.
    func callAsFunction(
        _ x: Variable, addedTo residual: Variable, _ context: LayerContext, _ tape: Tape
    ) -> Variable {
        let (queries, keys, values) = project(x, context, tape)
        context.cache([keys.value, values.value])
        let mixed = tape.attention(
            queries, keys: HeadColumns(keys, stride: width), values: HeadColumns(values, stride: width), shared: nil,
            shape: shape, sequences: context.batch.sequences)
        return tape.linear(mixed, output, addedTo: residual)
    }

    /// New tokens of sequences against their caches.
    func decode(_ x: Variable, addedTo residual: Variable, _ context: LayerContext, _ tape: Tape) -> Variable {
        let (queries, keys, values) = project(x, context, tape)
        context.cache([keys.value, values.value])
        let mixed = LayerCache.attend(
            queries.value, caches: context.caches, shape: shape, keepsRowsApart: tape.keepsRowsApart)
        return tape.linear(Variable(mixed), output, addedTo: residual)
    }
}
