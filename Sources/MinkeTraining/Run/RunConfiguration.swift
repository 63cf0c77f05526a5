import MinkeFiles
import MinkeModel
import MinkeTensors

/// Everything that decides what a training run computes: model, data, optimiser, schedule, seed.
///
/// The same configuration over the same corpus gives the same weights, bit for bit, on the same instruction set.
public struct RunConfiguration: Equatable, Sendable {
    /// Text to tokens.
    public enum TokenizerKind: String, Sendable, CaseIterable {
        /// Every byte is a token.
        case bytes
        /// Byte-pair encoding trained on the corpus.
        case bpe
    }

    public enum Precision: String, Sendable, CaseIterable {
        case float32 = "f32"
        case bfloat16 = "bf16"
        /// Products with the weights of the body in block-scaled 8 bits, everything else as with `bf16`.
        case int8

        var elementType: ElementType { self == .float32 ? .float32 : .bfloat16 }
        var usesCodes: Bool { self == .int8 }

        /// Operations a second of this machine in this arithmetic; where it has no instructions for bytes, in float32.
        var measuredPeak: Double {
            let bytes = usesCodes ? CPU.shared.measuredBytePeak() ?? CPU.shared.measuredPeak(.float32) : nil
            return bytes ?? CPU.shared.measuredPeak(elementType)
        }
    }

    public var model: ModelConfiguration
    public var initialization = Initialization(deviation: 0.02)
    public var seed = 1

    public var tokenizer: TokenizerKind = .bytes
    /// Vocabulary of a trained tokenizer.
    public var tokenizerVocabulary = 4096
    /// Share of the corpus kept for validation.
    public var validationFraction = 0.05

    /// Tokens of one sequence.
    public var sequenceLength = 256
    /// Sequences of one pass.
    public var batchSize = 16
    /// Passes of one step.
    public var accumulation = 1
    public var steps = 1000
    public var precision: Precision = .bfloat16

    public var optimizer = Optimizer.Settings()
    public var schedule = RateSchedule()
    /// Warm-up of batch and sequence length.
    public var sizes = SizeSchedule()
    /// Probability that an element of the embedding, or of what a layer's attention or feed-forward part reads, is
    /// dropped in training.
    public var dropout = 0.0
    /// Largest norm of all gradients together; 0: no clipping.
    public var gradientClip = 1.0
    /// γ of the balancing rule without auxiliary loss.
    public var biasUpdateRate = 0.001
    /// α of the sequence-wise balance loss.
    public var balanceLoss = 0.0
    /// λ of multi-token prediction.
    public var predictionWeight = 0.3

    /// Steps between evaluations; 0: only at the end.
    public var evaluationInterval = 100
    /// Most tokens that one evaluation reads.
    public var evaluationTokens = 262_144
    /// Steps between text samples; 0: only at the end.
    public var sampleInterval = 0
    /// Seconds between checkpoints.
    public var saveInterval = 120.0

    public init(model: ModelConfiguration) { self.model = model }

    /// Tokens of one step.
    public var tokensPerStep: Int { sequenceLength * batchSize * accumulation }

    /// Whether a step is so much work that more threads than one save time without spending more of it together.
    ///
    /// A step is about a hundred parallel regions; where each is a few microseconds, threads mostly wait for each other.
    public var isWorthManyThreads: Bool {
        let flops = ModelCosts(model).trainingFLOPs(length: sequenceLength) * Double(batchSize * sequenceLength)
        return flops > 5e8
    }

    /// Throws ``InputError`` naming the key for values that no run can have.
    public func validate() throws {
        try model.validate()
        func require(_ condition: Bool, _ key: String, _ rule: String) throws {
            if !condition { throw InputError("\(key) \(rule)", at: key) }
        }
        try require(
            sequenceLength >= 2 && sequenceLength <= model.maxPositionEmbeddings, "sequence_length",
            "must lie between 2 and max_position_embeddings (\(model.maxPositionEmbeddings))")
        try require(batchSize >= 1 && batchSize <= 1 << 16, "batch_size", "must lie between 1 and 65536")
        try require(accumulation >= 1 && accumulation <= 1 << 16, "accumulation", "must lie between 1 and 65536")
        try require(tokensPerStep <= 1 << 26, "batch_size", "times sequence_length is too large")
        try require((1...1 << 40).contains(steps), "steps", "must be positive")
        try require(seed >= 0, "seed", "must not be negative")
        try require((0...1 << 31).contains(schedule.warmupSteps), "warmup_steps", "must not be negative")
        try require(evaluationInterval >= 0, "eval_interval", "must not be negative")
        try require(evaluationTokens >= 1, "eval_tokens", "must be positive")
        try require(sampleInterval >= 0, "sample_interval", "must not be negative")
        try require(saveInterval >= 0, "save_interval", "must not be negative")
        try require(optimizer.epsilon > 0 && optimizer.epsilon < 1, "epsilon", "must lie between 0 and 1")
        for (deviation, key) in [
            (initialization.deviation, "init_std"), (initialization.outputDeviation, "init_output_std"),
            (initialization.headDeviation, "init_head_std"), (initialization.embeddingDeviation, "init_embedding_std"),
        ] {
            try require((0...10).contains(deviation ?? 0), key, "must lie between 0 and 10")
        }
        try require((0...0.9).contains(dropout), "dropout", "must lie between 0 and 0.9")
        try require((0..<1).contains(validationFraction), "validation_fraction", "must lie between 0 and 1")
        try require(
            tokenizerVocabulary >= 300 && tokenizerVocabulary <= 1 << 20, "tokenizer_vocabulary",
            "must lie between 300 and 1048576")
        for (value, key) in [
            (optimizer.rate, "learning_rate"), (optimizer.muonRate, "muon_learning_rate"),
            (optimizer.decay, "weight_decay"), (gradientClip, "gradient_clip"), (biasUpdateRate, "bias_update_rate"),
            (balanceLoss, "balance_loss"), (predictionWeight, "mtp_weight"), (schedule.finalFactor, "final_rate"),
            (schedule.decayFraction, "decay_fraction"), (initialization.deviation, "init_std"),
        ] {
            try require(value.isFinite && value >= 0 && value < 1e4, key, "must be a number from 0 up")
        }
        for (value, key) in [(optimizer.beta1, "beta1"), (optimizer.beta2, "beta2"), (optimizer.momentum, "momentum")] {
            try require((0..<1).contains(value), key, "must lie between 0 and 1")
        }
        for (rate, key) in [
            (optimizer.embeddingRate, "embedding_learning_rate"), (optimizer.headRate, "head_learning_rate"),
            (optimizer.scalarRate, "scalar_learning_rate"), (optimizer.tableRate, "table_learning_rate"),
        ] {
            try require((0..<1e4).contains(rate ?? 0), key, "must be a number from 0 up")
        }
        try require((1...100).contains(optimizer.muonSteps), "muon_steps", "must lie between 1 and 100")
        try require((1...1000).contains(optimizer.muonInterval), "muon_interval", "must lie between 1 and 1000")
        try require(
            optimizer.decay == 0 || optimizer.decay * (optimizer.tableRate ?? optimizer.rate) < 1, "weight_decay",
            "times the learning rate must stay below 1")
        try require(
            (1...batchSize).contains(sizes.firstBatch ?? 1), "batch_start", "must lie between 1 and batch_size")
        try require(
            sizes.divides(sequenceLength), "sequence_start", "times a power of two must be sequence_length")
        for (share, key) in [(sizes.batchWarmup, "batch_warmup"), (sizes.lengthWarmup, "sequence_warmup")] {
            try require((0...1).contains(share), key, "must lie between 0 and 1")
        }
        if precision.elementType == .bfloat16 {
            let widths = [model.qkRopeHeadDim, model.family.isLatent ? model.qkNopeHeadDim : 2]
            try require(
                widths.allSatisfy { $0 % 2 == 0 }, "qk_nope_head_dim",
                "must be even with precision \(precision.rawValue)")
        }
    }
}
