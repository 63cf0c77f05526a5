import MinkeGeneration
import MinkeModel
import MinkeTensors
import MinkeTokenization

/// A request whose turn has come: its tokens, its cache, and what it still has to do.
final class ActiveSequence {
    let ticket: Ticket
    /// Requests are numbered as their turns come.
    let number: Int
    /// Prompt and new tokens.
    private(set) var ids: [Int32]
    private(set) var chooser: TokenChooser
    var summary: EngineSummary

    /// Nil while others need the memory.
    var cache: ModelCache?
    /// The beginning in the index that the cache shares.
    var beginning: PrefixIndex.Node?
    /// Tokens of that beginning.
    var sharedTokens = 0
    /// Blocks of the cache that only this sequence has.
    var ownedBlocks = 0
    /// Tokens of the prompt that were told with their log-probabilities.
    var toldPromptTokens = 0
    /// The sum of the prompt's states so far, for an embedding.
    var stateSum: [Double] = []

    private let stopTokens: Set<Int32>
    private let tokenizer: Tokenizer?
    private var decoder: StreamDecoder?
    private var filter: StopStringFilter
    private let limit: Int
    private let started = ContinuousClock.now
    private var firstToken: ContinuousClock.Instant?

    /// - Parameters:
    ///   - limit: tokens of prompt and answer at most.
    /// - Throws: ``InputError`` as ``TokenChooser`` does.
    init(_ ticket: Ticket, number: Int, model: TextModel, limit: Int) throws {
        let request = ticket.request
        self.ticket = ticket
        self.number = number
        self.limit = limit
        ids = request.prompt
        chooser = try TokenChooser(request, vocabulary: model.configuration.vocabSize)
        filter = try StopStringFilter(request.stopStrings)
        stopTokens = request.ignoresStopTokens ? [] : request.stopTokens ?? model.stopTokens
        tokenizer = model.tokenizer
        decoder = model.tokenizer.map { StreamDecoder($0, skippingSpecialTokens: !request.showsSpecialTokens) }
        summary = EngineSummary(reason: .cancelled, promptTokens: ids.count)
        summary.queued = started - ticket.submitted
    }

    var prompt: [Int32] { ticket.request.prompt }
    /// Tokens in the cache.
    var cachedTokens: Int { cache?.count ?? 0 }
    /// Whether the cache holds all but the newest token, which was generated.
    var isDecoding: Bool { ids.count > prompt.count && cachedTokens == ids.count - 1 }
    /// Whether the prompt may be taken from the cache of others: nothing else of its states is needed.
    var mayReuse: Bool { ticket.goal == .text && !ticket.request.promptLogprobs }

    /// Seconds since the request's turn came.
    var serviceSeconds: Double { (ContinuousClock.now - started) / .seconds(1) }

    /// Adds states of the prompt's next tokens to their sum.
    func add(_ states: Tensor) {
        if stateSum.isEmpty { stateSum = Array(repeating: 0, count: states.columns) }
        for (index, value) in states.values.enumerated() { stateSum[index % states.columns] += Double(value) }
    }

    /// Hands over the mean of all states.
    func deliverEmbedding() {
        let mean = stateSum.map { Float($0 / Double(prompt.count)) }
        ticket.embedding.withLock { $0 = mean }
    }

    /// Chooses the next token; touches nothing but this sequence.
    func choose(_ logits: [Float]) throws -> TokenChooser.Choice {
        try chooser.choose(logits, after: ids, isEnd: stopTokens.contains)
    }

    /// Takes a token. Returns what to tell, and why the sequence ends if it does.
    func take(_ choice: TokenChooser.Choice) -> (token: EngineToken, reason: EngineSummary.Reason?) {
        ids.append(choice.id)
        let now = ContinuousClock.now
        summary.completionTokens += 1
        if let firstToken {
            summary.decode = now - firstToken
        } else {
            firstToken = now
            summary.prompt = now - started
        }
        var reason: EngineSummary.Reason?
        var text = ""
        let isEnd = stopTokens.contains(choice.id)
        if isEnd {
            reason = .stop
        } else {
            text = filter.append(decoder?.append(choice.id) ?? "")
            if chooser.mustStop {
                reason = .stop
            } else if summary.completionTokens >= ticket.request.maximumTokens || ids.count >= limit {
                reason = .length
            }
        }
        // No more comes: what was held back is shown, unless that completes a stop string.
        if reason != nil { text += filter.append(decoder?.finish() ?? "") + filter.finish() }
        if let string = filter.stopString { reason = .stopString(string) }
        return (token(choice, text: text, isEnd: isEnd), reason)
    }

    /// A token of the prompt as it is told.
    func promptToken(_ choice: TokenChooser.Choice) -> EngineToken { token(choice, text: "", isEnd: false) }

    private func token(_ choice: TokenChooser.Choice, text: String, isEnd: Bool) -> EngineToken {
        EngineToken(
            id: choice.id, text: text, bytes: tokenizer?.decodeBytes(CollectionOfOne(choice.id)) ?? [],
            logprob: choice.logprob, top: choice.top, isEnd: isEnd)
    }
}
