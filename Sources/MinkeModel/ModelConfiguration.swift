/// The shape of a model, in the field's own names (`config.json` of the released checkpoints).
///
/// One type describes the DeepSeek family with latent attention (`deepseek_v2`, `deepseek_v3` and what shares their
/// forward pass) and the dense twin with multi-head attention (`llama`).
public struct ModelConfiguration: Equatable, Sendable {
    /// The architecture, as `model_type` spells it.
    public enum Family: String, Sendable, CaseIterable {
        case deepseekV2 = "deepseek_v2"
        case deepseekV3 = "deepseek_v3"
        case glm4MoeLite = "glm4_moe_lite"
        case llama

        /// Multi-head latent attention; otherwise plain multi-head attention.
        public var isLatent: Bool { self != .llama }

        /// The class of transformers that loads it.
        var architecture: String {
            switch self {
            case .deepseekV2: "DeepseekV2ForCausalLM"
            case .deepseekV3: "DeepseekV3ForCausalLM"
            case .glm4MoeLite: "Glm4MoeLiteForCausalLM"
            case .llama: "LlamaForCausalLM"
            }
        }
    }

    /// How experts are chosen.
    public enum TopKMethod: String, Sendable, CaseIterable {
        /// The best of all (V2-Lite).
        case greedy
        /// The best of the best groups, a group counting as its best expert (V2).
        case groupLimitedGreedy = "group_limited_greedy"
        /// The same with a correction bias and groups counting as their two best (V3).
        case biased = "noaux_tc"
    }

    /// How logits become scores.
    public enum ScoringFunction: String, Sendable, CaseIterable {
        case softmax, sigmoid
    }

    public var family: Family = .deepseekV3
    public var vocabSize: Int
    public var hiddenSize: Int
    public var numHiddenLayers: Int
    public var numAttentionHeads: Int
    public var maxPositionEmbeddings: Int = 2048
    public var rmsNormEps: Double = 1e-6
    public var tieWordEmbeddings = false
    public var attentionBias = false
    public var initializerRange: Double = 0.02
    public var bosTokenID: Int?
    public var eosTokenID: Int?

    // Rotary position embedding.
    public var ropeTheta: Double = 10_000
    public var yarn: YaRN?
    /// Rotates neighbouring pairs; otherwise halves.
    public var ropeInterleave = true

    // Latent attention.
    /// Width of the query latent; nil: queries come straight from the hidden state.
    public var qLoraRank: Int?
    public var kvLoraRank = 0
    public var qkNopeHeadDim = 0
    public var qkRopeHeadDim = 0
    public var vHeadDim = 0

    // Feed-forward.
    /// Width of dense SwiGLU layers.
    public var intermediateSize: Int
    /// Width of one expert.
    public var moeIntermediateSize = 0
    /// Routed experts a layer; 0: every layer is dense.
    public var nRoutedExperts = 0
    public var nSharedExperts = 0
    public var numExpertsPerTok = 0
    /// Leading layers that stay dense.
    public var firstKDenseReplace = 0
    public var moeLayerFreq = 1
    public var nGroup = 1
    public var topkGroup = 1
    public var topkMethod: TopKMethod = .biased
    public var scoringFunc: ScoringFunction = .sigmoid
    public var normTopkProb = true
    public var routedScalingFactor: Double = 1

    /// Multi-token-prediction modules behind the last layer.
    public var numNextnPredictLayers = 0

    /// Parts that no released architecture has.
    public var extensions = Extensions()

    public init(
        family: Family, vocabSize: Int, hiddenSize: Int, numHiddenLayers: Int, numAttentionHeads: Int,
        intermediateSize: Int
    ) {
        self.family = family
        self.vocabSize = vocabSize
        self.hiddenSize = hiddenSize
        self.numHiddenLayers = numHiddenLayers
        self.numAttentionHeads = numAttentionHeads
        self.intermediateSize = intermediateSize
    }

    /// Whether layer `index` routes to experts. Modules behind the last layer (multi-token prediction) do whenever there
    /// are experts.
    public func isSparse(layer index: Int) -> Bool {
        nRoutedExperts > 0 && index >= firstKDenseReplace && (index >= numHiddenLayers || index % moeLayerFreq == 0)
    }

    /// Width of one head's query and key.
    public var qkHeadDim: Int { qkNopeHeadDim + qkRopeHeadDim }

    /// Epsilon of the norms of the two latents: 1e-6 in the reference implementation whatever `rms_norm_eps` says.
    public static let latentNormEps = 1e-6

    /// The dense twin: multi-head attention and feed-forward layers of the same depth and width, every weight of which
    /// works on every token.
    ///
    /// Tables are a form of sparsity, since a token reads a few of their rows: the twin has none. What makes a dense model
    /// better as well, such as normalised queries, it keeps.
    ///
    /// - Parameter intermediateSize: width of its feed-forward layers; by default that of the experts a token uses, so
    ///   that both models spend about the same arithmetic per token there.
    public func denseTwin(intermediateSize: Int? = nil) -> ModelConfiguration {
        let active = moeIntermediateSize * (numExpertsPerTok + nSharedExperts)
        var twin = ModelConfiguration(
            family: .llama, vocabSize: vocabSize, hiddenSize: hiddenSize, numHiddenLayers: numHiddenLayers,
            numAttentionHeads: numAttentionHeads,
            intermediateSize: intermediateSize ?? (nRoutedExperts > 0 ? active : self.intermediateSize))
        let headDim = max(2, hiddenSize / numAttentionHeads / 2 * 2)
        twin.qkRopeHeadDim = headDim
        twin.vHeadDim = headDim
        twin.maxPositionEmbeddings = maxPositionEmbeddings
        twin.rmsNormEps = rmsNormEps
        twin.tieWordEmbeddings = tieWordEmbeddings
        twin.initializerRange = initializerRange
        twin.bosTokenID = bosTokenID
        twin.eosTokenID = eosTokenID
        twin.ropeTheta = ropeTheta
        twin.ropeInterleave = false
        twin.extensions = extensions.withoutTables
        return twin
    }
}

/// Stretched rotary frequencies for contexts beyond the trained one (YaRN, arXiv 2309.00071).
public struct YaRN: Equatable, Sendable {
    public var factor: Double
    public var originalMaxPositionEmbeddings: Int
    public var betaFast: Double = 32
    public var betaSlow: Double = 1
    /// nil where the key is absent.
    public var mscale: Double?
    public var mscaleAllDim: Double?
    /// Overrides the factor on cosines and sines.
    public var attentionFactor: Double?

    public init(factor: Double, originalMaxPositionEmbeddings: Int) {
        self.factor = factor
        self.originalMaxPositionEmbeddings = originalMaxPositionEmbeddings
    }
}
