import MinkeTensors

/// Multi-head latent attention (DeepSeek-V2, 2.1; DeepSeek-V3 report, 2.1.1).
///
/// Keys and values of all heads are expanded from one small latent c = RMSNorm(W^DKV·x) of width `kv_lora_rank`; position
/// enters through a separate rotary part of each query and one rotary key that all heads share. Only c and the rotary
/// key need to be cached.
///
/// With `qk_norm`, two more norms stand before the rotation: each head's query, RMS norm over its `nope + rope` values
/// with one gain for all heads, which also is the learned scale of the scores; and the rotary key, RMS norm over its
/// `rope` values with a gain. The other part of a key is W^UK·c with c normalised already. Its length differs from head
/// to head and stays as it is: dividing by it would need every head's key, and decoding on cached latents would be over.
///
/// With value embeddings, a row of a table is added to c after its norm, before c is cached: W^UK and W^UV both see it.
final class LatentAttention {
    private let heads: Int
    private let qLoraRank: Int?
    private let kvLoraRank: Int
    private let nope: Int
    private let rope: Int
    private let value: Int
    let shape: AttentionShape

    /// [q_a_proj or q_proj; kv_a_proj_with_mqa], `[queries + kv_lora_rank + rope, hidden]`: one product for both.
    private let inputProjection: Parameter
    private let inputBias: [Parameter]
    private let queryNorm: Parameter?
    /// `[heads × (nope + rope), q_lora_rank]`
    private let queryUp: Parameter?
    private let latentNorm: Parameter
    /// kv_b_proj, `[heads × (nope + value), kv_lora_rank]`: per head the key's rows, then the value's. Nil where the
    /// weights stay in their file: `absorbed` has both halves then.
    private let keyValueUp: Parameter?
    /// Gains of the queries of each head, and of the rotary key.
    private let headNorms: (query: Parameter, rotaryKey: Parameter)?
    private let valueEmbedding: ValueEmbedding?
    private let absorbed: AbsorbedProjections
    /// `[hidden, heads × value]`
    private let output: Parameter
    private let outputBias: Parameter?

    /// - Parameter layer: the layer's number in the checkpoint.
    init(_ c: ModelConfiguration, layer: Int, prefix: String, _ build: WeightBuilder) throws {
        heads = c.numAttentionHeads
        qLoraRank = c.qLoraRank
        kvLoraRank = c.kvLoraRank
        nope = c.qkNopeHeadDim
        rope = c.qkRopeHeadDim
        value = c.vHeadDim
        shape = AttentionShape(
            heads: heads, keyWidth: nope, sharedWidth: rope, valueWidth: value,
            scale: Float((c.yarn?.softmaxFactor ?? 1) / Double(nope + rope).squareRoot()))
        let queries = c.qLoraRank ?? heads * (nope + rope)
        let queryName = prefix + (c.qLoraRank == nil ? "q_proj" : "q_a_proj")
        let latentName = prefix + "kv_a_proj_with_mqa"
        inputProjection = try build.matrix(
            [(queryName + ".weight", queries), (latentName + ".weight", kvLoraRank + rope)], columns: c.hiddenSize)
        // A direct query projection has no bias in the reference.
        if c.attentionBias {
            let parts =
                (c.qLoraRank == nil ? [] : [(queryName + ".bias", queries)]) + [
                    (latentName + ".bias", kvLoraRank + rope)
                ]
            inputBias = try build.joinedVector(parts, role: .bias)
        } else {
            inputBias = []
        }
        if let rank = c.qLoraRank {
            queryNorm = try build.vector(prefix + "q_a_layernorm.weight", rank, role: .norm)
            queryUp = try build.matrix([(prefix + "q_b_proj.weight", heads * (nope + rope))], columns: rank)
        } else {
            queryNorm = nil
            queryUp = nil
        }
        latentNorm = try build.vector(prefix + "kv_a_layernorm.weight", kvLoraRank, role: .norm)
        let upName = prefix + "kv_b_proj.weight"
        if let checkpoint = build.storedCheckpoint {
            keyValueUp = nil
            absorbed = try build.absorbedProjections(
                upName, heads: heads, keyWidth: nope, valueWidth: value, rank: kvLoraRank, in: checkpoint)
        } else {
            let up = try build.matrix([(upName, heads * (nope + value))], columns: kvLoraRank)
            keyValueUp = up
            absorbed = AbsorbedProjections(up, heads: heads, keyWidth: nope, valueWidth: value)
        }
        output = try build.matrix(
            [(prefix + "o_proj.weight", c.hiddenSize)], columns: heads * value, role: .outputMatrix)
        outputBias = c.attentionBias ? try build.vector(prefix + "o_proj.bias", c.hiddenSize, role: .bias) : nil
        headNorms =
            c.extensions.normalizesQueries
            ? (
                try build.vector(prefix + "q_norm.weight", nope + rope, role: .norm),
                try build.vector(prefix + "k_rope_norm.weight", rope, role: .norm)
            ) : nil
        valueEmbedding = try ValueEmbedding(c, layer: layer, width: kvLoraRank, prefix: prefix, build)
    }

    /// The normalised latent and the turned rotary key of each row, and its queries, turned.
    private func project(
        _ x: Variable, _ context: LayerContext, _ tape: Tape
    ) -> (queries: Variable, latent: Variable, rotaryKey: Variable) {
        let joined = tape.linear(x, inputProjection)
        let queryWidth = qLoraRank ?? heads * (nope + rope)
        var column = 0
        for (bias, width) in zip(
            inputBias, inputBias.count == 2 ? [queryWidth, kvLoraRank + rope] : [kvLoraRank + rope])
        {
            if inputBias.count == 1 { column = queryWidth }
            tape.addBias(joined.columns(column..<column + width), bias)
            column += width
        }
        var queries = joined.columns(0..<queryWidth)
        if let queryNorm, let queryUp {
            let latent = tape.rmsNorm(queries, weight: queryNorm, epsilon: Float(ModelConfiguration.latentNormEps))
            queries = tape.linear(latent, queryUp)
        }
        if let headNorms {
            queries = tape.headNorm(
                queries, weight: headNorms.query, epsilon: Float(ModelConfiguration.latentNormEps))
        }
        tape.rotate(
            queries, heads: heads, headStride: nope + rope, offset: nope, positions: context.batch.positions,
            table: context.rotary)
        let latent = tape.rmsNorm(
            joined.columns(queryWidth..<queryWidth + kvLoraRank), weight: latentNorm,
            epsilon: Float(ModelConfiguration.latentNormEps))
        valueEmbedding?.add(to: latent, context, tape)
        var rotaryKey = joined.columns(queryWidth + kvLoraRank..<queryWidth + kvLoraRank + rope)
        if let headNorms {
            rotaryKey = tape.headNorm(
                rotaryKey, weight: headNorms.rotaryKey, epsilon: Float(ModelConfiguration.latentNormEps))
        }
        tape.rotate(rotaryKey, positions: context.batch.positions, table: context.rotary)
        return (queries, latent, rotaryKey)
    }

    /// Whole sequences, with expanded keys and values: training and the first chunk of a prompt.
    ///
    /// - Parameters:
    ///   - x: the normalised residual stream, `[sequences × tokens, hidden]`.
    ///   - context: its caches take the latents and rotary keys (when not recording).
    /// - Returns: the residual stream with the attention's output added.
    func callAsFunction(
        _ x: Variable, addedTo residual: Variable, _ context: LayerContext, _ tape: Tape
    ) -> Variable {
        let (queries, latent, rotaryKey) = project(x, context, tape)
        context.cache([latent.value, rotaryKey.value])
        let keysValues =
            keyValueUp.map { tape.linear(latent, $0) }
            ?? Variable(absorbed.keysAndValues(latent.value, heads: 0..<heads))
        let mixed = tape.attention(
            queries, keys: HeadColumns(keysValues, stride: nope + value),
            values: HeadColumns(keysValues, offset: nope, stride: nope + value), shared: rotaryKey, shape: shape,
            sequences: context.batch.sequences)
        return tape.linear(mixed, output, bias: outputBias, addedTo: residual)
    }

    /// New tokens of sequences against their caches, with absorbed projections: q·(W^UK·c) = (q·W^UK)·c, so that every
    /// head works on the cached latents themselves and nothing is expanded — unless the new tokens are so many that
    /// expanding is less work.
    func decode(_ x: Variable, addedTo residual: Variable, _ context: LayerContext, _ tape: Tape) -> Variable {
        let (queries, latent, rotaryKey) = project(x, context, tape)
        context.cache([latent.value, rotaryKey.value])
        let mixed = absorbed.attend(
            queries.value, caches: context.caches, shape: shape, expandedType: tape.computeType,
            keepsRowsApart: tape.keepsRowsApart)
        return tape.linear(Variable(mixed), output, bias: outputBias, addedTo: residual)
    }
}
