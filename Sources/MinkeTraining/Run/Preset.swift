import MinkeFiles
import MinkeModel

/// Recipes with one dial for size.
public enum Preset: String, Sendable, CaseIterable {
    /// The small sparse model of the quickstart.
    case quickstart
    /// Characters of Shakespeare: the least arithmetic to a validation loss of 1.88.
    case shakespeare
    /// The same with all that no released architecture has: tables of n-grams above all.
    case shakespeareFast = "shakespeare-fast"
    /// A general recipe; `depth` sets layers, width and experts.
    case sparse
    /// Experts beside tables of what followed what; `depth` sets layers, width and tables.
    case memory
    /// The configuration that training speed is measured on.
    case reference

    /// What the preset is for, in one line.
    public var summary: String {
        switch self {
        case .quickstart: "a small sparse model that learns in about a minute"
        case .shakespeare: "characters of Shakespeare, least arithmetic to a loss of 1.88"
        case .shakespeareFast: "the same with n-gram tables (a model of type minke), in a fraction of the time"
        case .sparse: "latent attention and fine-grained experts at any size (depth=4)"
        case .memory:
            "the same with tables of word pairs and triples (a model of type minke): most for minutes of training (depth=1)"
        case .reference: "the 11.6 M-parameter configuration of the speed benchmark"
        }
    }

    /// The run that the preset stands for.
    ///
    /// - Parameter depth: layers; nil for the preset's own. Width, heads and experts follow.
    public func configuration(depth: Int? = nil) throws -> RunConfiguration {
        if let depth, !(1...64).contains(depth) {
            throw InputError("depth must lie between 1 and 64", at: "depth")
        }
        switch self {
        case .sparse: return Self.sparse(depth: depth ?? 4)
        case .memory: return Self.memory(depth: depth ?? 1)
        case .quickstart: return Self.quickstart(depth: depth ?? 3)
        case .shakespeare: return Self.shakespeare(depth: depth ?? 2)
        case .shakespeareFast: return Self.shakespeareFast(depth: depth ?? 1)
        case .reference: return Self.reference(depth: depth ?? 6)
        }
    }

    /// Sixteen experts of half the model's width, three a token and one shared.
    private static func sparseModel(depth: Int, width: Int, vocabulary: Int) -> ModelConfiguration {
        let heads = max(2, width / 64)
        var model = ModelConfiguration(
            family: .deepseekV3, vocabSize: vocabulary, hiddenSize: width, numHiddenLayers: depth,
            numAttentionHeads: heads, intermediateSize: 2 * width)
        model.kvLoraRank = max(32, width / 4)
        model.qkNopeHeadDim = 32
        model.qkRopeHeadDim = 16
        model.vHeadDim = 32
        model.nRoutedExperts = 16
        model.nSharedExperts = 1
        model.numExpertsPerTok = 3
        model.moeIntermediateSize = width / 2
        model.routedScalingFactor = 1
        model.rmsNormEps = 1e-6
        return model
    }

    /// - Parameter width: of the model; nil: 64 a layer.
    static func sparse(depth: Int, width: Int? = nil) -> RunConfiguration {
        var run = RunConfiguration(model: sparseModel(depth: depth, width: width ?? 64 * depth, vocabulary: 4096))
        run.model.firstKDenseReplace = depth > 3 ? 1 : 0
        run.model.maxPositionEmbeddings = 2048
        run.tokenizer = .bpe
        run.steps = 2000
        run.schedule.warmupSteps = 50
        run.biasUpdateRate = 0.005
        run.initialization = Initialization(deviation: 0.05, outputDeviation: 0, headDeviation: 0)
        run.optimizer.muonRate = 0.01
        run.optimizer.rate = 0.01
        run.sampleInterval = 500
        return run
    }

    /// - Parameter width: of the model; nil: 64 a layer, and 128 at least.
    static func memory(depth: Int, width: Int? = nil) -> RunConfiguration {
        var run = sparse(depth: depth, width: width ?? max(128, 64 * depth))
        // Of few tokens there are fewer pairs and triples, and each is met more often.
        run.model.vocabSize = 1024
        run.tokenizerVocabulary = 1024
        run.model.extensions.ngramMaxOrder = 3
        run.model.extensions.ngramTableRows = 1 << min(20, 17 + depth)
        run.model.extensions.normalizesQueries = true
        run.model.extensions.logitSoftcap = 15
        // Slower, and two layers of 192 send nearly all tokens to one expert for a hundred steps, then diverge.
        run.biasUpdateRate = 0.02
        // Tables are quickly learnt and slow to write.
        run.sampleInterval = 0
        run.saveInterval = 600
        return run
    }

    private static func quickstart(depth: Int) -> RunConfiguration {
        var model = sparseModel(depth: depth, width: 192, vocabulary: 1024)
        model.kvLoraRank = 64
        model.qkRopeHeadDim = 32
        model.vHeadDim = 64
        model.numExpertsPerTok = 2
        model.routedScalingFactor = 2
        model.maxPositionEmbeddings = 1024
        var run = RunConfiguration(model: model)
        run.tokenizer = .bpe
        run.tokenizerVocabulary = 1024
        run.sequenceLength = 128
        run.batchSize = 32
        run.steps = 400
        run.schedule.warmupSteps = 5
        run.biasUpdateRate = 0.01
        run.initialization = Initialization(deviation: 0.05, outputDeviation: 0, headDeviation: 0)
        run.optimizer.muonRate = 0.005
        run.optimizer.rate = 0.01
        run.optimizer.decay = 0.01
        run.evaluationInterval = 50
        run.evaluationTokens = 65_536
        return run
    }

    private static func shakespeare(depth: Int) -> RunConfiguration {
        var model = sparseModel(depth: depth, width: 96, vocabulary: 259)
        model.kvLoraRank = 48
        model.qkNopeHeadDim = 16
        model.qkRopeHeadDim = 32
        model.vHeadDim = 48
        model.nRoutedExperts = 8
        model.numExpertsPerTok = 2
        model.maxPositionEmbeddings = 1024
        var run = RunConfiguration(model: model)
        run.validationFraction = 0.1
        run.sequenceLength = 64
        run.batchSize = 32
        run.steps = 240
        run.schedule.decayFraction = 0.9
        run.gradientClip = 0
        run.biasUpdateRate = 0.02
        run.initialization = Initialization(
            deviation: 0.05, outputDeviation: 0, headDeviation: 0, embeddingDeviation: 1)
        run.optimizer.muonRate = 0.02
        run.optimizer.rate = 0.03
        run.optimizer.decay = 0
        run.optimizer.epsilon = 1e-10
        run.evaluationInterval = 20
        run.evaluationTokens = 1 << 30
        return run
    }

    private static func shakespeareFast(depth: Int) -> RunConfiguration {
        var run = shakespeare(depth: depth)
        run.model.hiddenSize = 64
        run.model.numAttentionHeads = 1
        run.model.intermediateSize = 64
        run.model.kvLoraRank = 32
        // Of text this short the tables learn most; experts, a second layer or head do not earn their time.
        run.model.nRoutedExperts = 0
        run.model.nSharedExperts = 0
        run.model.numExpertsPerTok = 0
        run.model.firstKDenseReplace = depth
        run.model.extensions.ngramMaxOrder = 6
        run.model.extensions.ngramTableRows = 65_536
        run.model.extensions.normalizesQueries = true
        run.model.extensions.logitSoftcap = 15
        run.model.extensions.activation = .squaredReLU
        run.precision = .float32
        run.batchSize = 16
        run.steps = 60
        run.initialization.embeddingDeviation = 0.5
        run.optimizer.muonRate = 0.04
        run.optimizer.muonSteps = 3
        run.optimizer.rate = 0.05
        run.optimizer.embeddingRate = 0.1
        run.optimizer.tableRate = 0.15
        // A row of a table is met a few times in all: a mean over many steps would only delay it.
        run.optimizer.beta1 = 0
        run.optimizer.decay = 0.2
        run.evaluationInterval = 4
        return run
    }

    private static func reference(depth: Int) -> RunConfiguration {
        var model = ModelConfiguration(
            family: .deepseekV3, vocabSize: 4096, hiddenSize: 256, numHiddenLayers: depth, numAttentionHeads: 4,
            intermediateSize: 512)
        model.qLoraRank = 128
        model.kvLoraRank = 64
        model.qkNopeHeadDim = 32
        model.qkRopeHeadDim = 16
        model.vHeadDim = 32
        model.nRoutedExperts = 16
        model.nSharedExperts = 1
        model.numExpertsPerTok = 2
        model.moeIntermediateSize = 128
        model.firstKDenseReplace = 1
        model.maxPositionEmbeddings = 2048
        var run = RunConfiguration(model: model)
        run.tokenizer = .bpe
        run.optimizer.usesMuon = false
        run.optimizer.moments = .bfloat16
        run.optimizer.rate = 1e-3
        run.gradientClip = 0
        run.steps = 1000
        run.schedule.shape = .constant
        return run
    }
}
