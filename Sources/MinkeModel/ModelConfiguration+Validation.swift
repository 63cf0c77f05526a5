import MinkeFiles
import MinkeTensors

extension ModelConfiguration {
    /// Throws ``InputError`` naming the key for values that no model can have, or that would not fit any memory.
    public func validate() throws {
        func require(_ condition: Bool, _ key: String, _ rule: String) throws {
            if !condition { throw InputError("\(key) \(rule)", at: key) }
        }
        func inRange(_ value: Int, _ range: ClosedRange<Int>, _ key: String) throws {
            try require(
                range.contains(value), key,
                "is \(value) but must lie between \(range.lowerBound) and \(range.upperBound)")
        }
        try inRange(vocabSize, 1...(1 << 24), "vocab_size")
        try inRange(hiddenSize, 1...(1 << 17), "hidden_size")
        try inRange(numHiddenLayers, 1...1024, "num_hidden_layers")
        try inRange(numAttentionHeads, 1...4096, "num_attention_heads")
        try inRange(intermediateSize, 1...(1 << 20), "intermediate_size")
        try inRange(maxPositionEmbeddings, 1...(1 << 26), "max_position_embeddings")
        try require(rmsNormEps > 0 && rmsNormEps < 1, "rms_norm_eps", "must lie between 0 and 1")
        try require(ropeTheta > 1 && ropeTheta < 1e12, "rope_theta", "must be greater than 1")
        try require(initializerRange >= 0 && initializerRange < 10, "initializer_range", "must lie between 0 and 10")
        for (id, key) in [(bosTokenID, "bos_token_id"), (eosTokenID, "eos_token_id")] {
            if let id { try inRange(id, 0...vocabSize - 1, key) }
        }
        if let yarn {
            try require(yarn.factor > 0 && yarn.factor < 1e6, "rope_scaling.factor", "must be positive")
            try inRange(
                yarn.originalMaxPositionEmbeddings, 1...(1 << 26), "rope_scaling.original_max_position_embeddings")
            try require(
                yarn.betaFast > 0 && yarn.betaSlow > 0, "rope_scaling.beta_fast", "and beta_slow must be positive")
        }
        let rotaryKey = family.isLatent ? "qk_rope_head_dim" : "head_dim"
        try inRange(qkRopeHeadDim, 2...4096, rotaryKey)
        try require(qkRopeHeadDim % 2 == 0, rotaryKey, "must be even")
        try inRange(vHeadDim, 1...4096, "v_head_dim")
        if family.isLatent {
            if let qLoraRank { try inRange(qLoraRank, 1...(1 << 17), "q_lora_rank") }
            try inRange(kvLoraRank, 1...(1 << 16), "kv_lora_rank")
            try inRange(qkNopeHeadDim, 1...4096, "qk_nope_head_dim")
            try inRange(numNextnPredictLayers, 0...8, "num_nextn_predict_layers")
        }
        try require(nRoutedExperts >= 0, "n_routed_experts", "must not be negative")
        if !family.isLatent {
            try require(
                vHeadDim == qkRopeHeadDim, "v_head_dim", "must equal qk_rope_head_dim in a \(family.rawValue) model")
            try require(nRoutedExperts == 0, "n_routed_experts", "must be 0 in a \(family.rawValue) model")
            try require(
                numNextnPredictLayers == 0, "num_nextn_predict_layers", "must be 0 in a \(family.rawValue) model")
            try require(!attentionBias, "attention_bias", "is not supported in a \(family.rawValue) model")
        }
        if nRoutedExperts > 0 { try validateExperts(require, inRange) }
        try validateExtensions(require, inRange)
    }

    private func validateExperts(
        _ require: (Bool, String, String) throws -> Void, _ inRange: (Int, ClosedRange<Int>, String) throws -> Void
    ) throws {
        try inRange(nRoutedExperts, 1...RoutingRule.maximumExperts, "n_routed_experts")
        try inRange(moeIntermediateSize, 1...(1 << 18), "moe_intermediate_size")
        try inRange(nSharedExperts, 0...64, "n_shared_experts")
        try inRange(numExpertsPerTok, 1...nRoutedExperts, "num_experts_per_tok")
        try inRange(firstKDenseReplace, 0...numHiddenLayers, "first_k_dense_replace")
        try inRange(moeLayerFreq, 1...numHiddenLayers, "moe_layer_freq")
        try inRange(nGroup, 1...nRoutedExperts, "n_group")
        try require(nRoutedExperts % nGroup == 0, "n_group", "must divide n_routed_experts (\(nRoutedExperts))")
        try inRange(topkGroup, 1...nGroup, "topk_group")
        try require(
            numExpertsPerTok <= nRoutedExperts / nGroup * topkGroup, "num_experts_per_tok",
            "exceeds the experts that topk_group groups hold")
        try require(
            routedScalingFactor.isFinite && routedScalingFactor > 0, "routed_scaling_factor", "must be positive")
        try require(
            topkMethod != .biased || scoringFunc == .sigmoid, "scoring_func",
            "must be sigmoid with topk_method noaux_tc")
        try require(
            topkMethod == .biased || scoringFunc == .softmax, "scoring_func",
            "must be softmax with topk_method \(topkMethod.rawValue)")
        try require(
            (family == .deepseekV2) == (topkMethod != .biased), "topk_method", "does not belong to \(family.rawValue)")
    }
}
