import MinkeCheckpoints
import MinkeFiles
import MinkeTensors

/// A decoder-only language model: embedding, layers, norm, head, and multi-token-prediction modules.
///
/// One definition serves training (with a recording ``Tape``) and generation (without one, with a ``ModelCache``). Not
/// safe for use from several threads at once; operations use all cores by themselves.
public final class LanguageModel {
    public let configuration: ModelConfiguration
    public let options: ModelOptions
    /// Every tensor of the checkpoint, in the order in which it is written.
    public let weights: [NamedWeight]

    let embedding: Parameter
    private let memory: NgramMemory
    let layers: [DecoderLayer]
    private let norm: Parameter
    let head: Parameter
    let predictors: [MultiTokenPrediction]
    private var rotary: RotaryTable
    /// Whether the last pass over caches was that of a prompt.
    var lastPassWasLong = false
    private let expertCache: ExpertCache?

    /// Builds a model with weights from a folder or from random numbers.
    ///
    /// - Throws: ``InputError`` naming a missing or misshapen tensor.
    public init(
        _ configuration: ModelConfiguration, weights source: WeightSource, options: ModelOptions = ModelOptions()
    ) throws {
        try configuration.validate()
        let build = try WeightBuilder(source, options)
        expertCache = build.expertCache
        self.configuration = configuration
        self.options = options
        embedding = try build.matrix(
            [("model.embed_tokens.weight", configuration.vocabSize)], columns: configuration.hiddenSize,
            role: .embedding)
        memory = try NgramMemory(configuration, build)
        layers = try (0..<configuration.numHiddenLayers).map { try DecoderLayer(configuration, index: $0, build) }
        norm = try build.vector("model.norm.weight", configuration.hiddenSize, role: .norm)
        head =
            configuration.tieWordEmbeddings
            ? embedding
            : try build.matrix(
                [("lm_head.weight", configuration.vocabSize)], columns: configuration.hiddenSize, role: .head)
        predictors = try (0..<configuration.numNextnPredictLayers).map {
            try MultiTokenPrediction(configuration, index: configuration.numHiddenLayers + $0, build)
        }
        weights = build.weights
        for (layer, next) in zip(layers, layers.dropFirst()) { layer.next = next }
        rotary = RotaryTable(configuration, positions: min(configuration.maxPositionEmbeddings, 256))
    }

    /// Loads a checkpoint.
    ///
    /// - Throws: ``InputError`` naming the file and what is wrong with it.
    public convenience init(contentsOf checkpoint: Checkpoint, options: ModelOptions = ModelOptions()) throws {
        let configuration = try checkpoint.modelConfiguration()
        try self.init(
            configuration, weights: .checkpoint(checkpoint, heads: configuration.numAttentionHeads), options: options)
    }

    /// Loads a Hugging Face folder.
    public convenience init(contentsOf folder: ModelFolder, options: ModelOptions = ModelOptions()) throws {
        try self.init(contentsOf: .folder(folder), options: options)
    }

    /// How routed experts that are read when they are needed fared; nil where all weights are mapped.
    public var expertStatistics: ExpertStatistics? { expertCache?.statistics }

    /// Throws the ``InputError`` of a read that failed: what was computed since is void, and so is all that follows.
    public func checkReads() throws {
        if let error = expertCache?.error { throw error }
    }

    /// The distinct parameters behind ``weights``.
    public var parameters: [Parameter] {
        var seen = Set<ObjectIdentifier>()
        return weights.map(\.parameter).filter { seen.insert(ObjectIdentifier($0)).inserted }
    }

    /// Layers with experts, by their number in the checkpoint.
    public var sparseLayers: [Int] {
        (layers + predictors.map(\.layer)).enumerated().compactMap { $1.experts == nil ? nil : $0 }
    }

    /// Angles for at least `positions` positions.
    func rotary(upTo positions: Int) -> RotaryTable {
        precondition(positions <= configuration.maxPositionEmbeddings, "more positions than the model has")
        if positions > rotary.positions {
            rotary = RotaryTable(
                configuration, positions: min(configuration.maxPositionEmbeddings, max(positions, 2 * rotary.positions))
            )
        }
        return rotary
    }

    /// The hidden states after the final norm.
    ///
    /// - Parameters:
    ///   - tokens: one id a row, sequence after sequence.
    ///   - caches: one a sequence, or none.
    ///   - observe: called with each layer's number, its output and its routing.
    func hiddenStates(
        _ tokens: [Int32], _ context: LayerContext, caches: [ModelCache] = [], _ tape: Tape,
        observe: (Int, Variable, Routing?) -> Void = { _, _, _ in }
    ) -> Variable {
        var x = tape.embedding(tokens, embedding)
        let ngrams = ngramContext(tokens, context.batch, caches)
        if let ngrams { memory.add(to: x, ngrams, tape) }
        tape.dropout(x)
        for (index, layer) in layers.enumerated() {
            var context = context
            context.ngrams = ngrams
            context.caches = caches.map { $0.layers[index] }
            let (out, routing) = layer(x, context, tape)
            x = out
            observe(index, out, routing)
        }
        // Head and prediction modules read it: their gradients are summed in float32.
        return tape.rmsNorm(x, weight: norm, epsilon: Float(configuration.rmsNormEps), gradientType: .float32)
    }

    /// The tokens with those before them, which the caches remember; nil where no row is looked up by them.
    private func ngramContext(_ tokens: [Int32], _ batch: SequenceBatch, _ caches: [ModelCache]) -> NgramContext? {
        let extensions = configuration.extensions
        guard extensions.ngramMaxOrder > 0 || extensions.valueEmbeddingOrder > 0 else { return nil }
        let histories =
            caches.isEmpty
            ? [ArraySlice<Int32>](repeating: [], count: batch.sequences)
            : caches.map { $0.tokens.suffix(extensions.precedingTokens) }
        for (sequence, cache) in caches.enumerated() { cache.remember(tokens[batch.rows(sequence)]) }
        return NgramContext(
            tokens, length: batch.length, histories: histories, preceding: extensions.precedingTokens)
    }

    /// The output head: logits, soft-capped where the model has that.
    func headLogits(_ hidden: Variable, _ tape: Tape) -> Tensor {
        let logits = tape.linear(hidden, head, output: .float32).value
        if let softcap { logits.softcap(softcap) }
        return logits
    }

    /// c of z ← c·tanh(z/c) on the logits.
    var softcap: Float? {
        let cap = configuration.extensions.logitSoftcap
        return cap > 0 ? Float(cap) : nil
    }

    /// Logits of every position of every sequence, computed as one batch without a cache.
    ///
    /// - Precondition: no sequence is longer than the configuration's `maxPositionEmbeddings`.
    /// - Returns: `float32`, `[sequences × tokens, vocabulary]`.
    public func logits(_ tokens: [Int32], batch: SequenceBatch, computeType: ElementType? = nil) -> Tensor {
        let tape = Tape(computeType: computeType ?? options.precision.computeType)
        let context = LayerContext(batch: batch, rotary: rotary(upTo: batch.length))
        let hidden = hiddenStates(tokens, context, tape)
        return headLogits(hidden, tape)
    }

    /// Logits of the prediction modules: entry k predicts, in row i, token i + 2 + k. The last k + 1 rows of each sequence
    /// have no next token and mean nothing.
    public func predictorLogits(_ tokens: [Int32], batch: SequenceBatch) -> [Tensor] {
        let tape = Tape()
        let context = LayerContext(batch: batch, rotary: rotary(upTo: batch.length))
        var hidden = hiddenStates(tokens, context, tape)
        var next = tokens
        return predictors.map { predictor in
            next = shifted(next, batch: batch, fill: 0)
            hidden = predictor(hidden: hidden, next: tape.embedding(next, embedding), context, tape).0
            return headLogits(hidden, tape)
        }
    }

    /// Each sequence moved one to the left, its last place filled.
    private func shifted(_ tokens: [Int32], batch: SequenceBatch, fill: Int32) -> [Int32] {
        var result = tokens
        for sequence in 0..<batch.sequences {
            let first = sequence * batch.length
            for index in first..<first + batch.length - 1 { result[index] = tokens[index + 1] }
            result[first + batch.length - 1] = fill
        }
        return result
    }

    /// What ``loss(_:targets:batch:objective:_:)`` found.
    public struct Loss {
        /// Cross-entropy of the next token, one value a row, in nats.
        public let perToken: [Float]
        /// Mean cross-entropy of each prediction module.
        public let predictors: [Double]
        /// Routing of each sparse layer, by its number.
        public let routings: [(layer: Int, routing: Routing)]

        /// Rows that have a target.
        public let counted: Int

        /// Mean over the rows that have a target.
        public var mean: Double { perToken.reduce(0.0) { $0 + Double($1) } / Double(max(1, counted)) }
    }

    /// Weights of the parts of the training loss.
    public struct Objective: Equatable, Sendable {
        /// λ of multi-token prediction (V3 report, eq. 25).
        public var predictionWeight: Float
        /// α of the sequence-wise balance loss (eq. 17).
        public var balance: Float
        /// Factor on all gradients.
        public var scale: Float

        public init(predictionWeight: Float = 0, balance: Float = 0, scale: Float = 1) {
            self.predictionWeight = predictionWeight
            self.balance = balance
            self.scale = scale
        }
    }

    /// The training loss of a batch; with a recording tape, `tape.backward()` then gives its gradients.
    ///
    /// - Parameters:
    ///   - tokens: one id a row.
    ///   - targets: the next token of each row, or −1 for none.
    public func loss(
        _ tokens: [Int32], targets: [Int32], batch: SequenceBatch, objective: Objective = Objective(), _ tape: Tape
    ) -> Loss {
        let context = LayerContext(
            batch: batch, rotary: rotary(upTo: batch.length), balance: objective.balance, lossScale: objective.scale)
        var routings: [(layer: Int, routing: Routing)] = []
        var hidden = hiddenStates(tokens, context, tape) { layer, _, routing in
            if let routing { routings.append((layer, routing)) }
        }
        let perToken = tape.crossEntropy(
            hidden, head: head, targets: targets, lossScale: objective.scale, softcap: softcap)
        var predictorLosses: [Double] = []
        if objective.predictionWeight > 0 {
            var next = targets
            for (depth, predictor) in predictors.enumerated() {
                let (state, routing) = predictor(
                    hidden: hidden, next: tape.embedding(next.map { max(0, $0) }, embedding), context, tape)
                if let routing { routings.append((configuration.numHiddenLayers + depth, routing)) }
                next = shifted(next, batch: batch, fill: -1)
                let losses = tape.crossEntropy(
                    state, head: head, targets: next,
                    lossScale: objective.scale * objective.predictionWeight / Float(predictors.count), softcap: softcap)
                let counted = next.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) }
                predictorLosses.append(losses.reduce(0.0) { $0 + Double($1) } / Double(max(1, counted)))
                hidden = state
            }
        }
        return Loss(
            perToken: perToken, predictors: predictorLosses, routings: routings, counted: targets.count { $0 >= 0 })
    }

    /// The balancing rule of V3 without auxiliary loss: bᵢ += γ·sign(mean load − loadᵢ), after each optimiser step
    /// (arXiv 2408.15664).
    ///
    /// - Parameter loads: tokens sent to each expert in the whole batch, by layer number.
    public func updateCorrectionBiases(loads: [Int: [Int]], rate: Float) {
        for (index, layer) in (layers + predictors.map(\.layer)).enumerated() {
            guard let bias = layer.experts?.correctionBias, let load = loads[index] else { continue }
            bias.value.copy(from: BalancingRule.updated(bias.value.values, loads: load, rate: rate))
        }
    }
}

/// The balancing rule by itself.
public enum BalancingRule {
    /// bᵢ + γ·sign(mean − loadᵢ), sign(0) = 0.
    public static func updated(_ biases: [Float], loads: [Int], rate: Float) -> [Float] {
        let total = loads.reduce(0, +)
        return zip(biases, loads).map { bias, load in
            // Compared in integers, so that equality is exact.
            let excess = total - load * loads.count
            return bias + rate * (excess > 0 ? 1 : excess < 0 ? -1 : 0)
        }
    }
}
