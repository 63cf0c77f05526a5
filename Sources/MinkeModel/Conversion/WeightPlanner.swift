import MinkeCheckpoints
import MinkeFiles

/// Lists the tensors of a model in either layout, made from a checkpoint in either.
struct WeightPlanner<Source: CheckpointSource> {
    /// The configuration, without the prediction modules when the checkpoint does not have them.
    let configuration: ModelConfiguration
    let source: Source

    init(configuration: ModelConfiguration, source: Source) {
        var configuration = configuration
        if !source.hasTensor("model.layers.\(configuration.numHiddenLayers).eh_proj.weight") {
            configuration.numNextnPredictLayers = 0
        }
        self.configuration = configuration
        self.source = source
    }

    /// The tensors of a GGUF file.
    ///
    /// - Throws: ``InputError`` for models with weights that GGUF has no place for.
    func ggufPlans() throws -> [WeightPlan] {
        if configuration.attentionBias {
            // llama.cpp's deepseek2 knows no such tensors and adds none: what it computed would be another model.
            throw InputError(
                "the architecture deepseek2 of GGUF has no place for the biases of this model's attention",
                at: "attention_bias", remedy: "convert to a Hugging Face folder instead")
        }
        return try names().flatMap { name -> [WeightPlan] in
            switch name {
            case .plain(let name, let rotary):
                let order = configuration.ropeInterleave ? nil : rotary.map { RotaryOrder($0, toNeighbours: true) }
                let matrix = try MatrixReader(name, in: source)
                let target = try ggufName(name)
                return [try WeightPlan(target, kind: kind(target, matrix), of: matrix, order: order)]
            case .own(let name, _):
                throw InputError("has no place in a GGUF file", at: "tensor \"\(name)\"")
            case .experts(let prefix, let matrix):
                let target = try ggufName("\(prefix)0.\(matrix)")
                let matrices = try (0..<configuration.nRoutedExperts).map {
                    try MatrixReader("\(prefix)\($0).\(matrix)", in: source)
                }
                return [try WeightPlan(target, kind: .experts, stacking: matrices)]
            case .keyValue(let prefix):
                let joined = try MatrixReader(prefix + "kv_b_proj.weight", in: source)
                let split = KeyValueSplit(configuration)
                return [
                    try split.keys(ggufName(prefix + "k_b_proj.weight"), kind: .attention, of: joined),
                    try split.values(ggufName(prefix + "v_b_proj.weight"), kind: .attention, of: joined),
                ]
            }
        }
    }

    /// The tensors of a Hugging Face folder.
    func folderPlans() throws -> [WeightPlan] {
        try names().flatMap { name -> [WeightPlan] in
            switch name {
            case .plain(let name, let rotary):
                let isReordered = configuration.family == .llama && configuration.ropeInterleave
                let order = isReordered ? rotary.map { RotaryOrder($0, toNeighbours: false) } : nil
                let matrix = try MatrixReader(name, in: source)
                return [try WeightPlan(name, kind: kind(ggufName(name), matrix), of: matrix, order: order)]
            case .own(let name, let kind):
                return [try WeightPlan(name, kind: kind, of: MatrixReader(name, in: source))]
            case .experts(let prefix, let matrix):
                return try (0..<configuration.nRoutedExperts).map {
                    let name = "\(prefix)\($0).\(matrix)"
                    return try WeightPlan(name, kind: .experts, of: MatrixReader(name, in: source))
                }
            case .keyValue(let prefix):
                let name = prefix + "kv_b_proj.weight"
                if source.hasTensor(name) {
                    return [try WeightPlan(name, kind: .attention, of: MatrixReader(name, in: source))]
                }
                return [
                    try KeyValueSplit(configuration).joined(
                        name, kind: .attention, keys: MatrixReader(prefix + "k_b_proj.weight", in: source),
                        values: MatrixReader(prefix + "v_b_proj.weight", in: source))
                ]
            }
        }
    }

    /// A tensor of the model, or several that belong together, by names of Hugging Face's checkpoints.
    private enum Name {
        /// `rotary`: rows of a head, and how many of them are rotated.
        case plain(String, rotary: (width: Int, rotated: Int)? = nil)
        /// An extension's: it has no name in a GGUF file.
        case own(String, WeightKind)
        /// `prefix` ends before the number of the expert, `matrix` follows it.
        case experts(prefix: String, matrix: String)
        /// `kv_b_proj`; `prefix` ends in `self_attn.`
        case keyValue(prefix: String)
    }

    private func names() -> [Name] {
        var names: [Name] = [.plain("model.embed_tokens.weight"), .plain("model.norm.weight")]
        names += configuration.extensions.ngramOrders.map { .own("model.ngram_tables.\($0).weight", .tables) }
        if !configuration.tieWordEmbeddings { names.append(.plain("lm_head.weight")) }
        for layer in 0..<configuration.numHiddenLayers + configuration.numNextnPredictLayers {
            let prefix = "model.layers.\(layer)."
            names.append(.plain(prefix + "input_layernorm.weight"))
            names += attention(prefix + "self_attn.")
            names += extensions(prefix + "self_attn.", layer: layer)
            names.append(.plain(prefix + "post_attention_layernorm.weight"))
            names += feedForward(prefix + "mlp.", layer: layer)
            if layer >= configuration.numHiddenLayers { names += prediction(prefix) }
        }
        return names
    }

    private func attention(_ prefix: String) -> [Name] {
        let c = configuration
        let rotary = (width: c.qkHeadDim, rotated: c.qkRopeHeadDim)
        guard c.family.isLatent else {
            return [
                .plain(prefix + "q_proj.weight", rotary: rotary), .plain(prefix + "k_proj.weight", rotary: rotary),
                .plain(prefix + "v_proj.weight"), .plain(prefix + "o_proj.weight"),
            ]
        }
        var names: [Name] =
            c.qLoraRank == nil
            ? [.plain(prefix + "q_proj.weight", rotary: rotary)]
            : [
                .plain(prefix + "q_a_proj.weight"), .plain(prefix + "q_a_layernorm.weight"),
                .plain(prefix + "q_b_proj.weight", rotary: rotary),
            ]
        if c.attentionBias {
            let biased = (c.qLoraRank == nil ? [] : ["q_a_proj"]) + ["kv_a_proj_with_mqa", "o_proj"]
            names += biased.map { .plain(prefix + $0 + ".bias") }
        }
        let latent = (width: c.kvLoraRank + c.qkRopeHeadDim, rotated: c.qkRopeHeadDim)
        names += [
            .plain(prefix + "kv_a_proj_with_mqa.weight", rotary: latent), .plain(prefix + "kv_a_layernorm.weight"),
            .keyValue(prefix: prefix), .plain(prefix + "o_proj.weight"),
        ]
        return names
    }

    private func extensions(_ prefix: String, layer: Int) -> [Name] {
        let extensions = configuration.extensions
        let key = configuration.family.isLatent ? "k_rope_norm.weight" : "k_norm.weight"
        let norms = extensions.normalizesQueries ? ["q_norm.weight", key] : []
        let hasTable = extensions.valueEmbeddingOrder > 0 && layer < configuration.numHiddenLayers
        return norms.map { .own(prefix + $0, .norms) }
            + (hasTable ? [.own(prefix + "value_embedding.weight", .tables)] : [])
    }

    private func feedForward(_ prefix: String, layer: Int) -> [Name] {
        let matrices = (configuration.extensions.activation.inputs + ["down_proj"]).map { $0 + ".weight" }
        guard configuration.isSparse(layer: layer) else { return matrices.map { .plain(prefix + $0) } }
        var names: [Name] = [.plain(prefix + "gate.weight")]
        if configuration.topkMethod == .biased { names.append(.plain(prefix + "gate.e_score_correction_bias")) }
        names += matrices.map { .experts(prefix: prefix + "experts.", matrix: $0) }
        if configuration.nSharedExperts > 0 { names += matrices.map { .plain(prefix + "shared_experts." + $0) } }
        return names
    }

    private func prediction(_ prefix: String) -> [Name] {
        let required = ["eh_proj.weight", "enorm.weight", "hnorm.weight", "shared_head.norm.weight"]
        // Copies of the model's own embedding and head, which not every file repeats.
        let optional = ["embed_tokens.weight", "shared_head.head.weight"].filter { source.hasTensor(prefix + $0) }
        return (required + optional).map { .plain(prefix + $0) }
    }

    private func ggufName(_ name: String) throws -> String {
        guard let place = GGUFTensorNames.place(of: name) else {
            throw InputError("has no place in a GGUF file", at: "tensor \"\(name)\"")
        }
        return place.name
    }

    private func kind(_ target: String, _ matrix: MatrixReader) -> WeightKind {
        WeightKind(ofGGUF: target, shape: matrix.tensor.shape)
    }
}

extension RotaryOrder {
    fileprivate init(_ rotary: (width: Int, rotated: Int), toNeighbours: Bool) {
        self.init(width: rotary.width, rotated: rotary.rotated, toNeighbours: toNeighbours)
    }
}
