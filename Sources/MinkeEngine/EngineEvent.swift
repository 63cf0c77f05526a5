/// What happens to a request, in this order: started, the prompt's tokens if asked for, tokens, finished.
public enum EngineEvent: Sendable {
    /// The request's turn has come.
    ///
    /// - Parameters:
    ///   - cachedTokens: tokens of the prompt that were in the cache already.
    ///   - queued: how long it waited.
    case started(cachedTokens: Int, queued: Duration)
    /// The next tokens of the prompt, where ``EngineRequest/promptLogprobs`` is set; the very first has no
    /// log-probability. Their texts are empty.
    case prompt([EngineToken])
    /// A new token.
    case token(EngineToken)
    /// The last event, also of a request that was cancelled or failed.
    case finished(EngineSummary)
}

/// One token of an answer.
public struct EngineToken: Equatable, Sendable {
    public let id: Int32
    /// Text that may be shown now: whole characters, and nothing that may be part of a stop string. May be empty, and
    /// hold characters of earlier tokens. Joined over an answer it is the answer's text.
    public let text: String
    /// The token's own bytes, also those of a control token; empty without a tokenizer.
    public let bytes: [UInt8]
    /// Natural logarithm of the model's probability, before bias, penalties, constraint and temperature; nil unless asked
    /// for.
    public let logprob: Float?
    /// The most likely tokens in its place, most likely first, and of equal ones that with the lower id first.
    public let top: [Alternative]
    /// Whether it is an end token, which says nothing itself; its text is what was held back before.
    public let isEnd: Bool

    /// A token that might have come.
    public struct Alternative: Equatable, Sendable {
        public let id: Int32
        public let logprob: Float
    }
}

/// How a request went.
public struct EngineSummary: Equatable, Sendable {
    public enum Reason: Equatable, Sendable {
        /// An end token came, or the constraint allowed nothing more.
        case stop
        /// This stop string came.
        case stopString(String)
        /// As many tokens as asked for, or as the context holds.
        case length
        /// Nobody listened any more, or the engine shut down.
        case cancelled
        /// What went wrong, in one line without paths.
        case failed(String)
    }

    public internal(set) var reason: Reason
    public internal(set) var promptTokens: Int
    /// Tokens of the prompt that were in the cache already, or came there through others before this request needed them.
    public internal(set) var cachedTokens = 0
    /// New tokens, an end token included.
    public internal(set) var completionTokens = 0
    /// How often the request had to give its cache to others, and was computed again.
    public internal(set) var preemptions = 0
    /// From the request to its turn.
    public internal(set) var queued: Duration = .zero
    /// From its turn to the first new token.
    public internal(set) var prompt: Duration = .zero
    /// From the first new token to the last.
    public internal(set) var decode: Duration = .zero
}
