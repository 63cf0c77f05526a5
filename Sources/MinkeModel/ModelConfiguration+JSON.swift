import MinkeFiles

extension ModelConfiguration {
    /// Reads a `config.json`. Unknown keys are ignored; impossible values are named.
    ///
    /// - Throws: ``InputError`` naming the key.
    public init(_ json: JSON.Object) throws {
        let keys = ConfigurationKeys(json: json)
        let family = try Family(declaredIn: json)
        self.init(
            family: family, vocabSize: try keys.integer("vocab_size"), hiddenSize: try keys.integer("hidden_size"),
            numHiddenLayers: try keys.integer("num_hidden_layers"),
            numAttentionHeads: try keys.integer("num_attention_heads"),
            intermediateSize: try keys.integer("intermediate_size"))
        maxPositionEmbeddings = try keys.integer("max_position_embeddings", default: 2048)
        rmsNormEps = try keys.number("rms_norm_eps", default: 1e-6)
        tieWordEmbeddings = try keys.flag("tie_word_embeddings", default: false)
        attentionBias = try keys.flag("attention_bias", default: false)
        initializerRange = try keys.number("initializer_range", default: 0.02)
        bosTokenID = try keys.optionalInteger("bos_token_id")
        eosTokenID = try keys.firstInteger("eos_token_id")
        let isExtended = json["model_type"] == .string(Self.extendedType)
        if !isExtended, let act = json["hidden_act"], act != .string("silu") {
            throw InputError("hidden_act \(act.text()) is not supported", at: "hidden_act", remedy: "only silu is")
        }
        if let quantization = json["quantization_config"], !quantization.isNull {
            try Self.checkQuantization(quantization)
        }
        try readRotary(keys)
        if family.isLatent { try readLatent(keys) } else { try readMultiHead(keys) }
        try readExtensions(keys)
        try validate()
    }

    /// FP8 with a scale per block (128 × 128 in DeepSeek's releases), per row or per tensor; the tensors say the rest
    /// themselves.
    private static func checkQuantization(_ quantization: JSON) throws {
        let place = "quantization_config"
        let method = quantization["quant_method"]?.stringValue ?? "unknown"
        guard method == "fp8" else {
            throw InputError(
                "the quantisation \"\(method.prefix(40))\" is not supported", at: place,
                remedy: "fp8 with blocks is; convert others to bf16")
        }
        if let block = quantization["weight_block_size"], !block.isNull {
            let sides = block.arrayValue?.map { $0.intValue ?? 0 } ?? []
            guard sides.count == 2, sides.allSatisfy({ (1...BlockScales.longestSide).contains($0) }) else {
                throw InputError(
                    "weight_block_size \(block.text().prefix(40)) is not rows and columns of a block", at: place,
                    remedy: "the usual is [128, 128]")
            }
        }
        if let format = quantization["fmt"], format != "e4m3" {
            throw InputError("fmt \(format.text().prefix(40)) is not supported, only e4m3", at: place)
        }
    }

    private mutating func readRotary(_ keys: ConfigurationKeys) throws {
        let nested = try keys.object("rope_parameters") ?? (try keys.object("rope_scaling"))
        ropeTheta = try keys.number(
            "rope_theta", default: nested.map { try $0.number("rope_theta", default: 10_000) } ?? 10_000)
        ropeInterleave = try keys.flag("rope_interleave", default: family.isLatent)
        guard let nested else { return }
        let type = try nested.optionalString("rope_type") ?? nested.optionalString("type") ?? "default"
        switch type {
        case "default": break
        case "yarn":
            var yarn = YaRN(
                factor: try nested.number("factor"),
                originalMaxPositionEmbeddings: try nested.integer(
                    "original_max_position_embeddings", default: maxPositionEmbeddings))
            yarn.betaFast = try nested.number("beta_fast", default: 32)
            yarn.betaSlow = try nested.number("beta_slow", default: 1)
            yarn.mscale = try nested.optionalNumber("mscale")
            yarn.mscaleAllDim = try nested.optionalNumber("mscale_all_dim")
            yarn.attentionFactor = try nested.optionalNumber("attention_factor")
            self.yarn = yarn
        default:
            throw InputError(
                "rope type \"\(type)\" is not supported", at: "rope_scaling", remedy: "default and yarn are")
        }
    }

    private mutating func readLatent(_ keys: ConfigurationKeys) throws {
        qLoraRank = try keys.optionalInteger("q_lora_rank")
        kvLoraRank = try keys.integer("kv_lora_rank")
        qkNopeHeadDim = try keys.integer("qk_nope_head_dim")
        qkRopeHeadDim = try keys.integer("qk_rope_head_dim")
        vHeadDim = try keys.integer("v_head_dim")
        let experts = try keys.optionalInteger("n_routed_experts")
        if experts == 0 { throw InputError("n_routed_experts must be positive or null", at: "n_routed_experts") }
        nRoutedExperts = experts ?? 0
        numNextnPredictLayers = try keys.optionalInteger("num_nextn_predict_layers") ?? 0
        guard nRoutedExperts > 0 else {
            firstKDenseReplace = numHiddenLayers
            return
        }
        moeIntermediateSize = try keys.integer("moe_intermediate_size")
        nSharedExperts = try keys.optionalInteger("n_shared_experts") ?? 0
        numExpertsPerTok = try keys.integer("num_experts_per_tok")
        firstKDenseReplace = try keys.integer("first_k_dense_replace", default: 0)
        moeLayerFreq = try keys.integer("moe_layer_freq", default: 1)
        nGroup = try keys.optionalInteger("n_group") ?? 1
        topkGroup = try keys.optionalInteger("topk_group") ?? 1
        let isV2 = family == .deepseekV2
        topkMethod = try keys.choice("topk_method", default: isV2 ? .greedy : .biased)
        scoringFunc = try keys.choice("scoring_func", default: isV2 ? .softmax : .sigmoid)
        // transformers' V2 never renormalises, whatever norm_topk_prob says.
        normTopkProb = isV2 ? false : try keys.flag("norm_topk_prob", default: true)
        routedScalingFactor = try keys.number("routed_scaling_factor", default: 1)
        if topkMethod == .greedy {
            nGroup = 1
            topkGroup = 1
        }
    }

    private mutating func readMultiHead(_ keys: ConfigurationKeys) throws {
        let headDim = try keys.integer("head_dim", default: numAttentionHeads > 0 ? hiddenSize / numAttentionHeads : 0)
        let keyValueHeads = try keys.integer("num_key_value_heads", default: numAttentionHeads)
        guard keyValueHeads == numAttentionHeads else {
            throw InputError(
                "grouped-query attention is not supported", at: "num_key_value_heads",
                remedy: "it must equal num_attention_heads")
        }
        if try keys.flag("mlp_bias", default: false) { throw InputError("mlp_bias is not supported", at: "mlp_bias") }
        qkRopeHeadDim = headDim
        vHeadDim = headDim
    }

    /// The keys of a released `config.json`, in `float32`.
    public var json: JSON {
        var json: JSON.Object = [
            "architectures": [.string(extensions.isEmpty ? family.architecture : "MinkeForCausalLM")],
            "attention_bias": .bool(attentionBias),
            "attention_dropout": 0.0,
            "dtype": "float32",
            "hidden_act": "silu",
            "hidden_size": .integer(hiddenSize),
            "initializer_range": .number(initializerRange),
            "intermediate_size": .integer(intermediateSize),
            "max_position_embeddings": .integer(maxPositionEmbeddings),
            "model_type": .string(modelType),
            "num_attention_heads": .integer(numAttentionHeads),
            "num_hidden_layers": .integer(numHiddenLayers),
            "num_key_value_heads": .integer(numAttentionHeads),
            "rms_norm_eps": .number(rmsNormEps),
            "rope_scaling": yarn?.json ?? .null,
            "rope_theta": .number(ropeTheta),
            "tie_word_embeddings": .bool(tieWordEmbeddings),
            "torch_dtype": "float32",
            "use_cache": true,
            "vocab_size": .integer(vocabSize),
        ]
        if !extensions.isEmpty {
            json["hidden_act"] = .string(extensions.activation.rawValue)
            json[Self.extendedType] = .object(extensions.json(base: family))
        }
        json["bos_token_id"] = bosTokenID.map { .integer($0) } ?? .null
        json["eos_token_id"] = eosTokenID.map { .integer($0) } ?? .null
        guard family.isLatent else {
            json["head_dim"] = .integer(qkRopeHeadDim)
            json["mlp_bias"] = false
            return .object(json)
        }
        json["q_lora_rank"] = qLoraRank.map { .integer($0) } ?? .null
        json["kv_lora_rank"] = .integer(kvLoraRank)
        json["qk_nope_head_dim"] = .integer(qkNopeHeadDim)
        json["qk_rope_head_dim"] = .integer(qkRopeHeadDim)
        json["v_head_dim"] = .integer(vHeadDim)
        json["rope_interleave"] = .bool(ropeInterleave)
        json["num_nextn_predict_layers"] = .integer(numNextnPredictLayers)
        json["first_k_dense_replace"] = .integer(firstKDenseReplace)
        json["n_routed_experts"] = nRoutedExperts > 0 ? .integer(nRoutedExperts) : .null
        guard nRoutedExperts > 0 else { return .object(json) }
        json["moe_intermediate_size"] = .integer(moeIntermediateSize)
        json["n_shared_experts"] = .integer(nSharedExperts)
        json["num_experts_per_tok"] = .integer(numExpertsPerTok)
        json["moe_layer_freq"] = .integer(moeLayerFreq)
        json["n_group"] = .integer(nGroup)
        json["topk_group"] = .integer(topkGroup)
        json["topk_method"] = .string(topkMethod.rawValue)
        json["scoring_func"] = .string(scoringFunc.rawValue)
        json["norm_topk_prob"] = .bool(normTopkProb)
        json["routed_scaling_factor"] = .number(routedScalingFactor)
        return .object(json)
    }
}

extension YaRN {
    var json: JSON {
        var json: JSON.Object = [
            "type": "yarn", "rope_type": "yarn", "factor": .number(factor),
            "original_max_position_embeddings": .integer(originalMaxPositionEmbeddings),
            "beta_fast": .number(betaFast), "beta_slow": .number(betaSlow),
        ]
        json["mscale"] = mscale.map { .number($0) }
        json["mscale_all_dim"] = mscaleAllDim.map { .number($0) }
        json["attention_factor"] = attentionFactor.map { .number($0) }
        return .object(json)
    }
}

extension ModelConfiguration.Family {
    /// Models of the family that need parts which are not there.
    private static let refused = [
        "deepseek_v32": "its sparse-attention indexer is not supported yet",
        "deepseek_v4": "its hybrid attention and hyper-connections are not supported yet",
    ]

    init(declaredIn json: JSON.Object) throws {
        guard let type = json["model_type"]?.stringValue else {
            throw InputError("model_type is missing", at: "model_type", remedy: "is this a model's config.json?")
        }
        if type == ModelConfiguration.extendedType {
            guard let base = json["minke"]?["base_model_type"]?.stringValue, let family = Self(rawValue: base) else {
                throw InputError(
                    "a minke model must name its base architecture", at: "minke.base_model_type",
                    remedy: "known: \(Self.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            self = family
            return
        }
        if let reason = Self.refused[type] {
            throw InputError("\(type) cannot run: \(reason)", at: "model_type")
        }
        // Kimi K2 and Moonlight are DeepSeek-V3 under another name.
        guard let family = type == "kimi_k2" ? .deepseekV3 : Self(rawValue: type) else {
            let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw InputError(
                "model_type \"\(type)\" is unknown", at: "model_type", remedy: "known: \(known), kimi_k2, minke")
        }
        self = family
    }
}
