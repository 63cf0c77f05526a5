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

    /// What one generation needs beside the cache.
    private struct Run {
        let options: GenerationOptions
        let sampler: Sampler
        var decoder: StreamDecoder?
        var filter: StopStringFilter
        var generation = Generation()
        let start = ContinuousClock.now
        var first: ContinuousClock.Instant?
    }

    /// - Parameter contextLength: at most the model's, which is the default.
    public init(_ model: TextModel, contextLength: Int? = nil) {
        self.model = model
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
            run.generation.reusedTokens = prepareCache(model, maximumTokens: options.maximumTokens)
            if options.maximumTokens == 0 { run.generation.stopReason = .length }
            self.run = run
        }
    }

    /// Makes room, and keeps of the cache what the prompt begins with. Returns how many tokens that is.
    private func prepareCache(_ model: LanguageModel, maximumTokens: Int) -> Int {
        // The last token always runs: its logits are the answer's beginning.
        let common = zip(cached, ids.dropLast()).prefix { $0 == $1 }.count
        let needed = min(contextLength, ids.count + min(maximumTokens, contextLength))
        if let cache, cache.capacity >= needed {
            cache.truncate(to: common)
            cached.removeLast(cached.count - common)
        } else {
            // Twice what there was, so that a chat that grows word by word is run anew only now and then.
            cache = model.makeCache(capacity: min(contextLength, max(needed, 2 * (cache?.capacity ?? 0))))
            cached = []
        }
        return cached.count
    }

    /// The next token, or nil when the generation is over. Runs on the model's queue.
    func step(_ model: LanguageModel) throws -> GeneratedPiece? {
        guard var run, run.generation.stopReason == nil else { return nil }
        let logits = try feed(model)
        let id = try run.sampler.next(logits, history: ids, position: ids.count)
        ids.append(id)
        run.generation.ids.append(id)
        let text = shownText(of: id, &run)
        run.generation.text += text
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

    /// Tokens of one pass: a first pass keeps a row of every activation, a continuing one the scores of every head.
    private static let tokensAtOnce = (first: 2048, further: 256)

    /// Runs the tokens that the cache does not hold yet, and returns the logits of the last one.
    private func feed(_ model: LanguageModel) throws -> [Float] {
        var logits: [Float] = []
        while let cache, cached.count < ids.count {
            let limit = cached.isEmpty ? Self.tokensAtOnce.first : Self.tokensAtOnce.further
            let tokens = ids[cached.count..<min(ids.count, cached.count + limit)]
            logits = model.next(Array(tokens), cache: cache)
            cached += tokens
        }
        return logits
    }
}
