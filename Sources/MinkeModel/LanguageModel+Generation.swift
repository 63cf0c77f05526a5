import MinkeTensors

extension LanguageModel {
    /// A cache for one sequence.
    ///
    /// - Parameter capacity: tokens that fit, at most the model's context.
    public func makeCache(capacity: Int, type: CacheType = .float32) -> ModelCache {
        makeCache(layers: layers.count, capacity: capacity, type: type)
    }

    /// A cache for one sequence of the first prediction module, or nil where the model has none. See
    /// ``draft(after:next:cache:)``.
    public func makeDraftCache(capacity: Int, type: CacheType = .float32) -> ModelCache? {
        predictors.isEmpty ? nil : makeCache(layers: 1, capacity: capacity, type: type)
    }

    private func makeCache(layers: Int, capacity: Int, type: CacheType) -> ModelCache {
        let c = configuration
        let width = c.numAttentionHeads * c.vHeadDim
        let parts = c.family.isLatent ? [c.kvLoraRank, c.qkRopeHeadDim] : [width, width]
        return ModelCache(
            layers: (0..<layers).map { _ in LayerCache(parts: parts, capacity: capacity, type: type) },
            capacity: capacity)
    }

    /// Whether the checkpoint has a module that proposes the token after the next.
    public var hasDraftModule: Bool { !predictors.isEmpty }

    /// Runs the next tokens of a sequence and adds them to its cache.
    ///
    /// - Parameter tokens: at least one, and no more than the cache has room for.
    /// - Returns: logits of the last token, one value a word of the vocabulary.
    public func next(_ tokens: [Int32], cache: ModelCache) -> [Float] { next([tokens], caches: [cache]).values }

    /// Runs the next tokens of several sequences in one pass and adds them to their caches.
    ///
    /// - Parameters:
    ///   - tokens: for each sequence, as many as for the others and at least one.
    ///   - caches: one a sequence, each with room for them; their lengths may differ.
    /// - Returns: logits of each sequence's last token, `float32`, `[sequences, vocabulary]`.
    public func next(_ tokens: [[Int32]], caches: [ModelCache]) -> Tensor {
        let states = extend(tokens, caches: caches)
        guard let length = tokens.first?.count, length > 1 else { return logits(of: states) }
        if tokens.count == 1 { return logits(of: states.rows(length - 1..<length)) }
        let last = tokens.indices.map { ($0 + 1) * length - 1 }
        return logits(of: Tape().gatherRows(Variable(states), last).value)
    }

    /// Tokens of one sequence from which on a pass counts as a prompt's.
    private static let longPass = 64

    /// Tokens of a sequence up to which a pass decodes, even where nothing was before them.
    private static let shortPass = 16

    /// Runs the next tokens of several sequences as ``next(_:caches:)`` does, without the output head.
    ///
    /// - Parameter keepsRowsApart: whether what a token gets depends on the tokens before it in its sequence only, to the
    ///   last bit, and neither on other sequences nor on how many tokens are in the pass. Meant for the tokens of
    ///   decoding: for many tokens the pass is slower.
    /// - Returns: the states after the final norm, `[sequences × tokens, hidden]`, for ``logits(of:keepsRowsApart:)`` and
    ///   ``draft(after:next:cache:)``.
    public func extend(_ tokens: [[Int32]], caches: [ModelCache], keepsRowsApart: Bool = false) -> Tensor {
        let length = tokens.first?.count ?? 0
        precondition(length > 0 && caches.count == tokens.count && tokens.allSatisfy { $0.count == length })
        var context = context(after: caches, length: length)
        if keepsRowsApart {
            context.continues = true
        } else {
            // What a prompt's activations took is not kept while single tokens follow.
            let isLong = length >= Self.longPass
            if !isLong, lastPassWasLong { TensorMemory.releaseUnused() }
            lastPassWasLong = isLong
        }
        return hiddenStates(tokens.flatMap { $0 }, context, caches: caches, tape(keepsRowsApart)).value
    }

    /// The output head on some states.
    ///
    /// - Parameter keepsRowsApart: whether a state's logits do not depend on how many states there are, to the last bit.
    /// - Returns: `float32`, `[states, vocabulary]`.
    public func logits(of states: Tensor, keepsRowsApart: Bool = false) -> Tensor {
        headLogits(Variable(states), tape(keepsRowsApart))
    }

    /// Cross-entropy of a token after each of some states, in nats; the logits of all never exist at once.
    public func losses(of states: Tensor, targets: [Int32]) -> [Float] {
        tape().crossEntropy(Variable(states), head: head, targets: targets, softcap: softcap)
    }

    /// The first prediction module's state for the newest of `next`, from which ``logits(of:)`` proposes the token that
    /// follows it.
    ///
    /// - Parameters:
    ///   - states: the model's states of the positions that the module's cache does not hold yet, as
    ///     ``extend(_:caches:)`` returned them.
    ///   - next: for each of these positions the token after it.
    ///   - cache: from ``makeDraftCache(capacity:type:)``.
    /// - Returns: the module's state of the last position, `[1, hidden]`; nil without a module.
    public func draft(after states: Tensor, next: [Int32], cache: ModelCache) -> Tensor? {
        precondition(states.rows == next.count && !next.isEmpty)
        guard let module = predictors.first else { return nil }
        let tape = tape()
        var context = context(after: [cache], length: next.count)
        context.caches = cache.layers
        let (state, _) = module(
            hidden: Variable(states), next: tape.embedding(next, embedding), context, tape)
        return state.value.rows(next.count - 1..<next.count)
    }

    private func tape(_ keepsRowsApart: Bool = false) -> Tape {
        Tape(computeType: options.precision.computeType, keepsRowsApart: keepsRowsApart)
    }

    private func context(after caches: [ModelCache], length: Int) -> LayerContext {
        let counts = caches.map(\.count)
        let batch = SequenceBatch(continuing: counts, length: length)
        var context = LayerContext(batch: batch, rotary: rotary(upTo: (counts.max() ?? 0) + length))
        // A few first tokens are decoded too: expanding the latents would mean decoding all of `kv_b_proj` for them.
        context.continues = length <= Self.shortPass || counts.contains { $0 > 0 }
        return context
    }
}

extension SequenceBatch {
    /// `length` further tokens of sequences that have `counts` tokens already.
    init(continuing counts: [Int], length: Int) {
        sequences = counts.count
        self.length = length
        positions = counts.flatMap { first in (first..<first + length).map { Int32($0) } }
    }
}
