import MinkeFiles

/// The configuration of a model in GGUF, translated to the keys of a `config.json`.
///
/// Keys: llama.cpp's `gguf-py/gguf/constants.py`.
struct GGUFConfiguration {
    let json: JSON.Object

    /// - Throws: ``InputError`` naming the key, for what is missing and what is not supported.
    init(_ file: GGUFFile) throws {
        guard let architecture = try file.metadata.string("general.architecture") else {
            throw InputError("is missing", at: "general.architecture")
        }
        let keys = ArchitectureKeys(architecture: architecture, file: file)
        switch architecture {
        case "deepseek2": json = try keys.latent()
        case "llama": json = try keys.multiHead()
        default:
            throw InputError(
                "the architecture \"\(architecture.prefix(60))\" is not supported", at: "general.architecture",
                remedy: "deepseek2 and llama are")
        }
    }
}

/// Access to the keys that begin with the name of the architecture.
private struct ArchitectureKeys {
    let architecture: String
    let file: GGUFFile

    /// The router's scores, by the number that files give them.
    private enum Gating: Int { case softmax = 1, sigmoid = 2 }

    private var metadata: GGUFMetadata { file.metadata }

    private func key(_ name: String) -> String { "\(architecture).\(name)" }

    private func integer(_ name: String) throws -> Int {
        guard let value = try metadata.integer(key(name)) else { throw InputError("is missing", at: key(name)) }
        return value
    }

    private func integer(_ name: String, default fallback: Int) throws -> Int {
        try metadata.integer(key(name)) ?? fallback
    }

    /// What every architecture has; the number of layers without those for multi-token prediction.
    private func common(modelType: String, layers: Int) throws -> JSON.Object {
        var json: JSON.Object = [
            "model_type": .string(modelType),
            "hidden_act": "silu",
            "hidden_size": .integer(try integer("embedding_length")),
            "num_hidden_layers": .integer(layers),
            "num_attention_heads": .integer(try integer("attention.head_count")),
            "max_position_embeddings": .integer(try integer("context_length")),
            "rope_theta": .number(try metadata.number(key("rope.freq_base")) ?? 10_000),
            // Both architectures rotate neighbours; the converters reorder the rows of llama to make it so.
            "rope_interleave": true,
            "attention_bias": false,
            "tie_word_embeddings": .bool(!file.hasTensor("output.weight")),
        ]
        let epsilonKey = key("attention.layer_norm_rms_epsilon")
        guard let epsilon = try metadata.number(epsilonKey) else { throw InputError("is missing", at: epsilonKey) }
        json["rms_norm_eps"] = .number(epsilon)
        if let width = try metadata.integer(key("feed_forward_length")) { json["intermediate_size"] = .integer(width) }
        if let count = try metadata.integer(key("vocab_size")) ?? file.shape(of: "token_embd.weight")?.first {
            json["vocab_size"] = .integer(count)
        }
        for name in ["bos_token_id", "eos_token_id"] {
            if let id = try metadata.integer("tokenizer.ggml.\(name)") { json[name] = .integer(id) }
        }
        json["rope_scaling"] = try scaling()
        return json
    }

    /// YaRN; `nil` without position scaling.
    private func scaling() throws -> JSON? {
        let type = try metadata.string(key("rope.scaling.type")) ?? "none"
        if type == "none" { return nil }
        guard type == "yarn" else {
            throw InputError(
                "the rope scaling \"\(type.prefix(40))\" is not supported", at: key("rope.scaling.type"),
                remedy: "none and yarn are")
        }
        guard let factor = try metadata.number(key("rope.scaling.factor")) else {
            throw InputError("is missing", at: key("rope.scaling.factor"))
        }
        var yarn: JSON.Object = [
            "type": "yarn", "factor": .number(factor),
            "original_max_position_embeddings": .integer(try integer("rope.scaling.original_context_length")),
            "beta_fast": .number(try metadata.number(key("rope.scaling.yarn_beta_fast")) ?? 32),
            "beta_slow": .number(try metadata.number(key("rope.scaling.yarn_beta_slow")) ?? 1),
        ]
        // The file keeps 0.1 · mscale_all_dim. mscale itself, of which it knows nothing, equals that in every released
        // model, so that cosines and sines stay as they are.
        if let multiplier = try metadata.number(key("rope.scaling.yarn_log_multiplier")), multiplier != 0 {
            yarn["mscale"] = .number(multiplier * 10)
            yarn["mscale_all_dim"] = .number(multiplier * 10)
        } else {
            yarn["attention_factor"] = 1.0
        }
        return .object(yarn)
    }

    // MARK: llama

    func multiHead() throws -> JSON.Object {
        if try integer("expert_count", default: 0) > 0 {
            throw InputError("experts are not supported in a llama model", at: key("expert_count"))
        }
        if file.hasTensor("rope_freqs.weight") {
            throw InputError("rotary frequencies of its own are not supported", at: "rope_freqs.weight")
        }
        let layers = try integer("block_count")
        var json = try common(modelType: "llama", layers: layers)
        let heads = try integer("attention.head_count")
        json["num_key_value_heads"] = .integer(try integer("attention.head_count_kv", default: heads))
        if let width = try metadata.integer(key("attention.key_length"))
            ?? metadata.integer(key("rope.dimension_count"))
        {
            json["head_dim"] = .integer(width)
        }
        return json
    }

    // MARK: deepseek2

    func latent() throws -> JSON.Object {
        let (layers, predictionLayers) = try layerCounts()
        let vocabulary = try metadata.integer(key("vocab_size")) ?? file.shape(of: "token_embd.weight")?.first
        let gating = try gating(layers: layers + predictionLayers, vocabulary: vocabulary)
        let isGLM = Self.isGLM(layers: layers + predictionLayers, vocabulary: vocabulary)
        let modelType = gating == .softmax ? "deepseek_v2" : isGLM ? "glm4_moe_lite" : "deepseek_v3"
        var json = try common(modelType: modelType, layers: layers)
        json["num_key_value_heads"] = json["num_attention_heads"]
        json["num_nextn_predict_layers"] = .integer(predictionLayers)
        json["attention_bias"] = .bool(file.hasTensor("blk.0.attn_kv_a_mqa.bias"))
        json["q_lora_rank"] =
            file.hasTensor("blk.0.attn_q_a.weight") ? .integer(try integer("attention.q_lora_rank")) : .null
        json["kv_lora_rank"] = .integer(try integer("attention.kv_lora_rank"))
        // Newer files keep the sizes of the compressed view under the plain keys.
        let rotary = try integer("rope.dimension_count")
        let keyName = metadata[key("attention.key_length_mla")] == nil ? "key_length" : "key_length_mla"
        let valueName = metadata[key("attention.value_length_mla")] == nil ? "value_length" : "value_length_mla"
        let keyLength = try integer("attention.\(keyName)")
        guard rotary > 0, keyLength > rotary else {
            throw InputError(
                "\(keyLength) leaves nothing beside the \(rotary) rotary dimensions", at: key("attention.\(keyName)"))
        }
        json["qk_nope_head_dim"] = .integer(keyLength - rotary)
        json["qk_rope_head_dim"] = .integer(rotary)
        json["v_head_dim"] = .integer(try integer("attention.\(valueName)"))
        let experts = try integer("expert_count", default: 0)
        if experts == 0 {
            json["n_routed_experts"] = .null
        } else {
            json["n_routed_experts"] = .integer(experts)
            try addExperts(gating, to: &json)
        }
        return json
    }

    private func addExperts(_ gating: Gating, to json: inout JSON.Object) throws {
        let groups = try integer("expert_group_count", default: 1)
        let isNormed = try metadata.flag(key("expert_weights_norm")) ?? false
        if gating == .softmax, isNormed {
            throw InputError(
                "renormalised softmax gating is not supported", at: key("expert_weights_norm"))
        }
        let scale = try metadata.number(key("expert_weights_scale")) ?? 1
        json["moe_intermediate_size"] = .integer(try integer("expert_feed_forward_length"))
        json["n_shared_experts"] = .integer(try integer("expert_shared_count", default: 0))
        json["num_experts_per_tok"] = .integer(try integer("expert_used_count"))
        json["first_k_dense_replace"] = .integer(try integer("leading_dense_block_count", default: 0))
        json["moe_layer_freq"] = 1
        json["n_group"] = .integer(max(groups, 1))
        json["topk_group"] = .integer(max(try integer("expert_group_used_count", default: 1), 1))
        json["topk_method"] = gating == .sigmoid ? "noaux_tc" : groups > 1 ? "group_limited_greedy" : "greedy"
        json["scoring_func"] = gating == .sigmoid ? "sigmoid" : "softmax"
        json["norm_topk_prob"] = .bool(isNormed)
        // Zero is how files say that there is none.
        json["routed_scaling_factor"] = .number(scale == 0 ? 1 : scale)
    }

    /// The layers of the model, and those behind them that predict further tokens, as far as the file has them.
    private func layerCounts() throws -> (layers: Int, prediction: Int) {
        let blocks = try integer("block_count")
        let prediction = try integer("nextn_predict_layers", default: 0)
        guard prediction >= 0, prediction < blocks else {
            throw InputError(
                "\(prediction) of \(blocks) blocks cannot be prediction layers", at: key("nextn_predict_layers"))
        }
        let layers = blocks - prediction
        if prediction == 0 || file.hasTensor("blk.\(layers).nextn.eh_proj.weight") { return (layers, prediction) }
        // Converters that leave the prediction layers out differ in whether they still count them.
        return file.hasTensor("blk.\(blocks - 1).attn_norm.weight") ? (blocks, 0) : (layers, 0)
    }

    private func gating(layers: Int, vocabulary: Int?) throws -> Gating {
        let name = "expert_gating_func"
        let code = try integer(name, default: 0)
        // Files from before the key: softmax, as llama.cpp takes it, unless a bias gives the sigmoid away.
        if code == 0 {
            let hasBias = file.tensorNames.contains { $0.hasSuffix(".exp_probs_b.bias") }
            return hasBias || Self.isGLM(layers: layers, vocabulary: vocabulary) ? .sigmoid : .softmax
        }
        guard let gating = Gating(rawValue: code) else {
            throw InputError(
                "the gating function \(code) is not supported", at: key(name), remedy: "1 (softmax) and 2 (sigmoid) are"
            )
        }
        return gating
    }

    /// GLM-4.7-Flash, which goes by the same architecture.
    private static func isGLM(layers: Int, vocabulary: Int?) -> Bool {
        (layers == 47 || layers == 48) && vocabulary == 154_880
    }
}
