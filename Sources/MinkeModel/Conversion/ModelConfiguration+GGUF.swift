import MinkeCheckpoints
import MinkeFiles

extension ModelConfiguration {
    /// The metadata of a GGUF file of this model: architecture `deepseek2`, or `llama` for the dense twin.
    ///
    /// Keys: llama.cpp's `gguf-py/gguf/constants.py`.
    ///
    /// - Returns: the metadata, and notes on what GGUF cannot express.
    /// - Throws: ``InputError`` for models that no GGUF architecture describes.
    func ggufMetadata(name: String) throws -> (metadata: GGUFMetadata, notes: [String]) {
        guard extensions.isEmpty else {
            throw InputError(
                "a model of type minke has no place in a GGUF file: no architecture there has its extensions",
                at: "model_type", remedy: "keep the folder; Minke runs it as it is")
        }
        if nRoutedExperts > 0, moeLayerFreq != 1 {
            throw InputError("a moe_layer_freq other than 1 has no place in a GGUF file", at: "moe_layer_freq")
        }
        var keys = ArchitectureWriter(architecture: family.isLatent ? "deepseek2" : "llama", name: name)
        keys["vocab_size"] = integer(vocabSize)
        keys["block_count"] = integer(numHiddenLayers + numNextnPredictLayers)
        keys["context_length"] = integer(maxPositionEmbeddings)
        keys["embedding_length"] = integer(hiddenSize)
        keys["feed_forward_length"] = integer(intermediateSize)
        keys["attention.head_count"] = integer(numAttentionHeads)
        keys["attention.layer_norm_rms_epsilon"] = number(rmsNormEps)
        keys["rope.dimension_count"] = integer(qkRopeHeadDim)
        keys["rope.freq_base"] = number(ropeTheta)
        if family.isLatent { addLatent(to: &keys) } else { addMultiHead(to: &keys) }
        var notes = addScaling(to: &keys)
        if nRoutedExperts > 0, topkMethod == .groupLimitedGreedy {
            notes.append(
                "llama.cpp chooses groups of experts by their two best, this model by the best one: some tokens take other "
                    + "experts there")
        }
        return (keys.metadata, notes)
    }

    private func addMultiHead(to keys: inout ArchitectureWriter) {
        keys["attention.head_count_kv"] = integer(numAttentionHeads)
        keys["attention.key_length"] = integer(qkHeadDim)
        keys["attention.value_length"] = integer(vHeadDim)
    }

    /// Attention as GGUF sees it: one key-value head as wide as the latent and the rotary part, of which the `_mla` keys
    /// tell the widths before compression.
    private func addLatent(to keys: inout ArchitectureWriter) {
        keys["attention.head_count_kv"] = integer(1)
        // llama.cpp wants the key even where it says that queries are not compressed.
        keys["attention.q_lora_rank"] = integer(qLoraRank ?? 0)
        keys["attention.kv_lora_rank"] = integer(kvLoraRank)
        keys["attention.key_length"] = integer(kvLoraRank + qkRopeHeadDim)
        keys["attention.value_length"] = integer(kvLoraRank)
        keys["attention.key_length_mla"] = integer(qkHeadDim)
        keys["attention.value_length_mla"] = integer(vHeadDim)
        keys["leading_dense_block_count"] = integer(firstKDenseReplace)
        keys["expert_feed_forward_length"] = integer(moeIntermediateSize)
        keys["expert_count"] = integer(nRoutedExperts)
        keys["expert_used_count"] = integer(numExpertsPerTok)
        keys["expert_shared_count"] = integer(nSharedExperts)
        keys["expert_weights_scale"] = number(routedScalingFactor)
        keys["expert_weights_norm"] = .bool(normTopkProb)
        keys["expert_gating_func"] = integer(scoringFunc == .softmax ? 1 : 2)
        if nGroup > 1 {
            keys["expert_group_count"] = integer(nGroup)
            keys["expert_group_used_count"] = integer(topkGroup)
        }
        if numNextnPredictLayers > 0 { keys["nextn_predict_layers"] = integer(numNextnPredictLayers) }
    }

    /// Adds YaRN's keys and returns what they do not say.
    private func addScaling(to keys: inout ArchitectureWriter) -> [String] {
        guard let yarn else { return [] }
        keys["rope.scaling.type"] = .string("yarn")
        keys["rope.scaling.factor"] = number(yarn.factor)
        keys["rope.scaling.original_context_length"] = integer(yarn.originalMaxPositionEmbeddings)
        if yarn.betaFast != 32 { keys["rope.scaling.yarn_beta_fast"] = number(yarn.betaFast) }
        if yarn.betaSlow != 1 { keys["rope.scaling.yarn_beta_slow"] = number(yarn.betaSlow) }
        if let mscale = yarn.mscaleAllDim {
            keys["rope.scaling.yarn_log_multiplier"] = number(mscale / 10)
        }
        guard yarn.mscale != yarn.mscaleAllDim || yarn.attentionFactor != nil else { return [] }
        return [
            "GGUF has no key for YaRN's mscale and attention_factor: readers take mscale to equal mscale_all_dim, and "
                + "the result differs from the original"
        ]
    }

    private func integer(_ value: Int) -> GGUFValue { .uint32(UInt32(clamping: value)) }
    private func number(_ value: Double) -> GGUFValue { .float32(Float(value)) }
}

/// Metadata whose keys begin with the name of the architecture.
private struct ArchitectureWriter {
    private(set) var metadata = GGUFMetadata()
    private let architecture: String

    init(architecture: String, name: String) {
        self.architecture = architecture
        metadata["general.architecture"] = .string(architecture)
        metadata["general.type"] = .string("model")
        metadata["general.name"] = .string(name)
    }

    subscript(key: String) -> GGUFValue? {
        get { metadata["\(architecture).\(key)"] }
        set { metadata["\(architecture).\(key)"] = newValue }
    }
}
