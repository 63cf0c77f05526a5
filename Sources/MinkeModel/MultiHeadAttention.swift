import MinkeTensors

/// Plain multi-head attention with rotary positions: the dense twin's.
///
/// With `qk_norm`, each head's query and key are RMS-normalised before the rotation, with one gain for all heads. Value
/// embeddings are added to the values of all heads.
final class MultiHeadAttention {
    private let heads: Int
    private let width: Int
    let shape: AttentionShape
    /// [q_proj; k_proj; v_proj], `[3 × heads × width, hidden]`: one product for all.
    private let inputProjection: Parameter
    private let output: Parameter
    private let headNorms: (query: Parameter, key: Parameter)?
    private let valueEmbedding: ValueEmbedding?

    /// - Parameter layer: the layer's number in the checkpoint.
    init(_ c: ModelConfiguration, layer: Int, prefix: String, _ build: WeightBuilder) throws {
        heads = c.numAttentionHeads
        width = c.qkRopeHeadDim
        shape = AttentionShape(
            heads: heads, keyWidth: width, valueWidth: width, scale: Float(1 / Double(width).squareRoot()))
        inputProjection = try build.matrix(
            ["q_proj", "k_proj", "v_proj"].map { (prefix + $0 + ".weight", c.numAttentionHeads * c.qkRopeHeadDim) },
            columns: c.hiddenSize)
        output = try build.matrix(
            [(prefix + "o_proj.weight", c.hiddenSize)], columns: heads * width, role: .outputMatrix)
        headNorms =
            c.extensions.normalizesQueries
            ? (
                try build.vector(prefix + "q_norm.weight", width, role: .norm),
                try build.vector(prefix + "k_norm.weight", width, role: .norm)
            ) : nil
        valueEmbedding = try ValueEmbedding(c, layer: layer, width: heads * width, prefix: prefix, build)
    }

    private func project(
        _ x: Variable, _ context: LayerContext, _ tape: Tape
    ) -> (queries: Variable, keys: Variable, values: Variable) {
        let joined = tape.linear(x, inputProjection)
        var parts = (0..<3).map { joined.columns($0 * heads * width..<($0 + 1) * heads * width) }
        if let headNorms {
            let epsilon = Float(ModelConfiguration.latentNormEps)
            parts[0] = tape.headNorm(parts[0], weight: headNorms.query, epsilon: epsilon)
            parts[1] = tape.headNorm(parts[1], weight: headNorms.key, epsilon: epsilon)
        }
        valueEmbedding?.add(to: parts[2], context, tape)
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
