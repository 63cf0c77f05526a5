import MinkeModel
import MinkeTensors

/// Small models with extensions, none of whose weights is zero.
enum ExtendedModels {
    static let kinds = [
        "all, latent", "all, multi-head", "n-grams", "QK norm", "softcap and squared ReLU", "value embeddings",
    ]

    static func configuration(_ kind: String) -> ModelConfiguration {
        let isLatent = kind != "all, multi-head"
        var c = ModelConfiguration(
            family: isLatent ? .deepseekV3 : .llama, vocabSize: 50, hiddenSize: 24, numHiddenLayers: 2,
            numAttentionHeads: 3, intermediateSize: 32)
        c.maxPositionEmbeddings = 256
        c.qkRopeHeadDim = isLatent ? 4 : 8
        c.vHeadDim = 8
        c.ropeInterleave = isLatent
        if isLatent {
            c.kvLoraRank = 16
            c.qkNopeHeadDim = 6
            c.nRoutedExperts = 4
            c.numExpertsPerTok = 2
            c.nSharedExperts = 1
            c.moeIntermediateSize = 16
            c.firstKDenseReplace = 1
            c.numNextnPredictLayers = 1
        }
        let isAll = kind.hasPrefix("all")
        if isAll || kind == "n-grams" {
            c.extensions.ngramMaxOrder = 3
            c.extensions.ngramTableRows = 37
            c.extensions.ngramHashes = 2
        }
        c.extensions.normalizesQueries = isAll || kind == "QK norm"
        if isAll || kind.hasPrefix("softcap") {
            c.extensions.logitSoftcap = 4
            c.extensions.activation = .squaredReLU
        }
        if isAll { c.extensions.valueEmbeddingOrder = 2 }
        if kind == "value embeddings" { c.extensions.valueEmbeddingOrder = 1 }
        return c
    }

    static func model(_ kind: String) throws -> LanguageModel {
        let model = try LanguageModel(
            configuration(kind), weights: .random(seed: 3, Initialization(deviation: 0.3)))
        for weight in model.weights where weight.role == .table || weight.role == .norm {
            var random = CounterRandom(seed: 1, purpose: weight.name)
            let base: Float = weight.role == .norm ? 1 : 0
            weight.value.copy(from: (0..<weight.count).map { _ in base + random.normal() * 0.3 })
            weight.parameter.didChange()
        }
        return model
    }

    static let tokens = (0..<200).map { Int32($0 * 37 % 50) }
}
