import MinkeFiles
import MinkeGeneration

/// Serves many requests at once with one model: continuous batching over a shared cache.
///
/// ```swift
/// let engine = Engine(try TextModel(contentsOf: "models/whale"))
///
/// func answer(_ question: String, to user: String) async throws {
///     let prompt = try engine.model.encode(question)
///     for await event in try engine.submit(EngineRequest(prompt: prompt, maximumTokens: 100, scope: user)) {
///         if case .token(let token) = event { print(token.text, terminator: "") }
///     }
/// }
/// ```
///
/// Every request joins the others at the next step and leaves when it is done. What it gets does not depend on them, nor
/// on what the cache holds: greedy answers, and sampled ones of equal seeds, are the same alone and in company. Passes run
/// on the model's own queue; waiting for events blocks no thread. Prediction modules are not used.
public final class Engine: Sendable {
    public let model: TextModel
    public let options: EngineOptions
    /// Tokens that a prompt and its answer have together at most: the model's context, the one that was asked for, or what
    /// the cache of all requests holds.
    public let contextLength: Int

    private let desk: Desk
    private let scheduler: Scheduler
    private let cacheTokens: Int
    /// The context without regard to the cache.
    private let wantedContext: Int

    /// - Parameter options: how requests share the model.
    public init(_ model: TextModel, options: EngineOptions = EngineOptions()) {
        self.model = model
        self.options = options
        let longest = model.configuration.maxPositionEmbeddings
        wantedContext = max(1, min(options.contextLength ?? longest, longest))
        let (planned, probe) = model.withModel { [wantedContext] language in
            let plan = language.options.memory
            let cache = language.makeCache(capacity: wantedContext, type: model.cacheType)
            return (plan.flatMap { $0.isStreamed ? $0.cacheBytes : nil }, (cache.blockBytes, cache.tokensPerBlock))
        }
        let bytes = options.cacheBytes ?? planned ?? AvailableMemory.bytes.map { $0 / 2 } ?? Self.fallbackCacheBytes
        let budget = CacheBudget(bytes: bytes, blockBytes: probe.0, tokensPerBlock: probe.1)
        cacheTokens = budget.tokenCapacity
        contextLength = min(wantedContext, cacheTokens)
        desk = Desk(places: max(1, options.maximumSequences), queueLimit: max(0, options.queueLimit))
        desk.publish({ $0.cacheTokensCapacity = budget.tokenCapacity }, finished: [])
        scheduler = Scheduler(
            model, desk: desk, options: options, limit: max(1, contextLength),
            chunk: Self.chunk(options.prefillChunk), budget: budget)
    }

    /// Where the system does not say how much memory is free.
    private static let fallbackCacheBytes = 1 << 30

    /// A power of two from 16 to 256, or a multiple of 256.
    private static func chunk(_ wanted: Int) -> Int {
        let wanted = min(max(16, wanted), 1 << 16)
        if wanted >= 256 { return wanted / 256 * 256 }
        return 1 << (Int.bitWidth - 1 - wanted.leadingZeroBitCount)
    }

    /// Takes a request.
    ///
    /// - Returns: what happens to it; see ``EngineStream`` for how it is cancelled.
    public func submit(_ request: EngineRequest) throws(EngineError) -> EngineStream {
        do {
            guard request.maximumTokens >= 0 else {
                throw InputError("a maximum of \(request.maximumTokens) new tokens", remedy: "give 0 or more")
            }
            _ = try TokenChooser(request, vocabulary: model.configuration.vocabSize)
            _ = try StopStringFilter(request.stopStrings)
        } catch {
            throw .invalid(Self.inputError(error))
        }
        try check(request.prompt, newTokens: 1)
        return try enter(request, .text).stream
    }

    /// The mean of the states after the final norm over each text's tokens.
    ///
    /// The texts run like prompts, one after the other, and take turns with all requests.
    ///
    /// - Returns: one vector a text, `[hidden]`, not normalised.
    /// - Throws: ``EngineError``, ``InputError`` when weights could not be read, `CancellationError`.
    public func embeddings(of texts: [[Int32]], scope: String = "") async throws -> [[Float]] {
        for text in texts { try check(text, newTokens: 0) }
        var vectors: [[Float]] = []
        for text in texts {
            let (ticket, stream) = try enter(EngineRequest(prompt: text, scope: scope), .embedding)
            for await event in stream {
                guard case .finished(let summary) = event else { continue }
                switch summary.reason {
                case .failed(let message): throw InputError(message)
                case .cancelled: throw CancellationError()
                case .stop, .stopString, .length: vectors.append(ticket.embedding.withLock { $0 })
                }
            }
            try Task.checkCancellation()
        }
        return vectors
    }

    private func check(_ prompt: [Int32], newTokens: Int) throws(EngineError) {
        do {
            guard !prompt.isEmpty else { throw InputError("the prompt has no tokens", remedy: "give at least one") }
            try model.check(prompt)
        } catch {
            throw .invalid(Self.inputError(error))
        }
        guard prompt.count + newTokens > contextLength else { return }
        if prompt.count + newTokens > wantedContext {
            throw .contextExceeded(promptTokens: prompt.count, maximum: wantedContext)
        }
        throw .cacheExceeded(promptTokens: prompt.count, maximum: cacheTokens)
    }

    private static func inputError(_ error: any Error) -> InputError { error as? InputError ?? InputError("\(error)") }

    private func enter(
        _ request: EngineRequest, _ goal: Ticket.Goal
    ) throws(EngineError) -> (ticket: Ticket, stream: EngineStream) {
        let (events, continuation) = AsyncStream.makeStream(of: EngineEvent.self)
        let ticket = Ticket(request, goal: goal, events: continuation)
        let wakes = try desk.add(ticket)
        let cancel: @Sendable () -> Void = { [desk] in desk.cancel(ticket) }
        continuation.onTermination = { if case .cancelled = $0 { cancel() } }
        if wakes { scheduler.wake() }
        return (ticket, EngineStream(events, cancel: cancel))
    }

    /// What the engine does now and has done.
    public var statistics: EngineStatistics { desk.statistics }

    /// Takes no more requests, and waits until those that it took are over.
    public func drain() async { await desk.close(cancelling: false) }

    /// Takes no more requests, cancels those that it took, and waits until they are gone.
    public func shutdown() async { await desk.close(cancelling: true) }
}
