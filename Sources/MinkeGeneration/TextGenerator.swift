import MinkeFiles
import MinkeModel
import MinkeTokenization

/// Generates text with a cache that outlives one prompt: a prompt that begins like the last one, as in a chat, only
/// costs its new tokens.
///
/// ```swift
/// let generator = TextGenerator(model)
/// let generation = try generator.generate(try model.encode("Once upon a time")) { piece in
///     print(piece.text, terminator: "")
///     return true
/// }
/// ```
///
/// Serves one generation at a time.
public final class TextGenerator: @unchecked Sendable {
    // All that changes is only touched on the model's queue.
    public let model: TextModel
    /// Tokens that prompt and answer have together at most.
    public let contextLength: Int

    private var cache: ModelCache?
    /// The tokens in the cache.
    private var cached: [Int32] = []
    /// Prompt and new tokens.
    private var ids: [Int32] = []
    private var run: Run?
    private var speculator: Speculator?
    /// Set once a trial found that speculation does not pay for this model on this machine.
    private var hasGivenUpSpeculation = false

    /// What one generation needs beside the cache.
    private struct Run {
        let options: GenerationOptions
        let sampler: Sampler
        var decoder: StreamDecoder?
        var filter: StopStringFilter
        var generation = Generation()
        let start = ContinuousClock.now
        var first: ContinuousClock.Instant?
        /// How experts had fared before.
        var experts: ExpertStatistics?
    }

    /// Tokens of a prompt that are run in one pass: it keeps a row of every activation for each.
    let tokensAtOnce: Int

    /// - Parameter contextLength: at most the model's, which is the default.
    public convenience init(_ model: TextModel, contextLength: Int? = nil) {
        self.init(model, contextLength: contextLength, tokensAtOnce: TextModel.tokensAtOnce)
    }

    init(_ model: TextModel, contextLength: Int? = nil, tokensAtOnce: Int) {
        self.model = model
        self.tokensAtOnce = tokensAtOnce
        let longest = model.configuration.maxPositionEmbeddings
        self.contextLength = max(1, min(contextLength ?? longest, longest))
    }

    /// Continues `prompt`.
    ///
    /// - Parameter onPiece: called with each new token; returning false ends the generation.
    /// - Throws: ``InputError`` for a prompt or an option that cannot be, and what `onPiece` throws.
    public func generate(
        _ prompt: [Int32], options: GenerationOptions = GenerationOptions(),
        onPiece: (GeneratedPiece) throws -> Bool = { _ in true }
    ) throws -> Generation {
        try begin(prompt, options)
        var isWanted = true
        while isWanted, let piece = try model.withModel(step) { isWanted = try onPiece(piece) }
        return model.withModel { _ in
            if run?.generation.stopReason == nil { run?.generation.stopReason = .cancelled }
            return run?.generation ?? Generation()
        }
    }

    // MARK: One token at a time

    /// Starts a generation; ``step(_:)`` then gives its tokens.
    func begin(_ prompt: [Int32], _ options: GenerationOptions) throws {
        guard !prompt.isEmpty else { throw InputError("the prompt has no tokens", remedy: "give at least one") }
        guard prompt.count < contextLength else {
            throw InputError(
                "the prompt has \(prompt.count) tokens and leaves no room in the context of \(contextLength)",
                remedy: "shorten the prompt")
        }
        guard options.maximumTokens >= 0 else {
            throw InputError("a maximum of \(options.maximumTokens) new tokens", remedy: "give 0 or more")
        }
        try model.check(prompt)
        var run = Run(
            options: options, sampler: try Sampler(options.sampling),
            decoder: model.tokenizer.map { StreamDecoder($0) }, filter: try StopStringFilter(options.stopStrings))
        model.withModel { model in
            ids = prompt
            run.generation.promptTokens = prompt.count
            run.experts = model.expertStatistics
            run.generation.reusedTokens = prepareCache(model, options)
            if options.maximumTokens == 0 { run.generation.stopReason = .length }
            self.run = run
        }
    }

    /// Keeps of the cache what the prompt begins with. Returns how many tokens that is.
    private func prepareCache(_ model: LanguageModel, _ options: GenerationOptions) -> Int {
        // Memory is taken as tokens come, so that there is room for the whole context from the start.
        let cache = cache ?? model.makeCache(capacity: contextLength, type: self.model.cacheType)
        self.cache = cache
        // The last token always runs: its logits are the answer's beginning.
        var common = zip(cached, ids.dropLast()).prefix { $0 == $1 }.count
        prepareSpeculator(model, options.speculation)
        if let speculator { common = speculator.begin(common: common) }
        cache.truncate(to: common)
        cached.removeLast(cached.count - common)
        return common
    }

    private func prepareSpeculator(_ model: LanguageModel, _ mode: Speculation) {
        guard mode == .on || mode == .auto && !hasGivenUpSpeculation else { return speculator = nil }
        if speculator?.mode == mode { return }
        let draftCache =
            speculator?.cache ?? model.makeDraftCache(capacity: contextLength, type: self.model.cacheType)
        speculator = draftCache.map { Speculator(cache: $0, mode: mode) }
    }

    /// The next token, or nil when the generation is over. Runs on the model's queue.
    func step(_ model: LanguageModel) throws -> GeneratedPiece? {
        guard var run, run.generation.stopReason == nil else { return nil }
        let logits = feed(model, &run)
        try model.checkReads()
        let id = try run.sampler.next(logits, history: ids, position: ids.count)
        ids.append(id)
        run.generation.ids.append(id)
        let text = shownText(of: id, &run)
        run.generation.text += text
        run.generation.experts = model.expertStatistics.map { $0.since(run.experts ?? ExpertStatistics()) }
        let now = ContinuousClock.now
        if let first = run.first {
            run.generation.seconds = (now - first) / .seconds(1)
        } else {
            run.first = now
            run.generation.promptSeconds = (now - run.start) / .seconds(1)
        }
        self.run = run
        return GeneratedPiece(id: id, text: text)
    }

    /// Decides whether `id` ends the generation, and what can be shown with it.
    private func shownText(of id: Int32, _ run: inout Run) -> String {
        var text = ""
        if !run.options.ignoresStopTokens, model.stopTokens.contains(id) {
            run.generation.stopReason = .stopToken
        } else {
            text = run.filter.append(run.decoder?.append(id) ?? "")
            if run.generation.ids.count >= run.options.maximumTokens || ids.count >= contextLength {
                run.generation.stopReason = .length
            }
        }
        // No more comes: what was held back is shown, unless that completes a stop string.
        if run.generation.stopReason != nil {
            text += run.filter.append(run.decoder?.finish() ?? "") + run.filter.finish()
        }
        if run.filter.isStopped { run.generation.stopReason = .stopString }
        return text
    }

    /// The logits of the next place, which the last pass may have found already.
    private func feed(_ model: LanguageModel, _ run: inout Run) -> [Float] {
        switch speculator?.settle(ids.last) {
        case .accepted(let logits):
            run.generation.acceptedTokens += 1
            return logits
        case .rejected:
            cached.removeLast()
            cache?.truncate(to: cached.count)
        case .unknown, nil:
            break
        }
        if speculator?.isGivenUp == true {
            hasGivenUpSpeculation = true
            speculator = nil
        }
        while let cache, cached.count < ids.count {
            let logits = pass(model, cache, &run)
            if !logits.isEmpty { return logits }
        }
        return []
    }

    /// Runs the next tokens that the cache does not hold, and a proposal after the newest one where that is wanted.
    /// Returns the logits of the place after the newest token, and nothing before it is reached.
    private func pass(_ model: LanguageModel, _ cache: ModelCache, _ run: inout Run) -> [Float] {
        let start = ContinuousClock.now
        var tokens = Array(ids[cached.count..<min(ids.count, cached.count + tokensAtOnce)])
        let isStep = cached.count == ids.count - 1
        let draft = isStep ? proposal(model, run) : nil
        if let draft { tokens.append(draft) }
        let states = model.extend([tokens], caches: [cache])
        cached += tokens
        speculator?.receive(states)
        guard cached.count >= ids.count else {
            speculator?.catchUp(ids, model)
            return []
        }
        let logits = model.logits(of: states.rows(states.rows - (draft == nil ? 1 : 2)..<states.rows))
        if let draft {
            speculator?.verify(draft, logits: logits.rows(1..<2).values)
            run.generation.draftedTokens += 1
        }
        if isStep {
            speculator?.record(seconds: (ContinuousClock.now - start) / .seconds(1))
        } else {
            // The prompt's share of the module's work belongs to the prompt.
            speculator?.catchUp(ids, model)
        }
        return logits.rows(0..<1).values
    }

    /// What the prediction module expects after the newest token, where verifying it can save a pass.
    private func proposal(_ model: LanguageModel, _ run: Run) -> Int32? {
        guard let speculator, let cache, speculator.isDrafting, cached.count + 2 <= cache.capacity,
            run.generation.ids.count + 1 < run.options.maximumTokens, let state = speculator.catchUp(ids, model)
        else { return nil }
        // Drawn as the model's own token will be: with the same number, near distributions give equal tokens.
        return try? run.sampler.next(model.logits(of: state).values, history: ids, position: ids.count)
    }
}
