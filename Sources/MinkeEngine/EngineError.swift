import MinkeFiles

/// Why an ``Engine`` does not take a request.
public enum EngineError: Error, Equatable, CustomStringConvertible {
    /// As many requests as allowed are waiting; `retryAfter` is about how long until one of them gets its turn.
    case queueFull(retryAfter: Duration)
    /// The prompt leaves no room in the context.
    case contextExceeded(promptTokens: Int, maximum: Int)
    /// The prompt leaves no room in the cache of all requests, which is smaller than the context.
    case cacheExceeded(promptTokens: Int, maximum: Int)
    /// The engine takes no more requests.
    case shuttingDown
    /// The request makes no sense.
    case invalid(InputError)

    public var description: String {
        switch self {
        case .queueFull(let wait):
            "too many requests are waiting (try again in \(max(1, wait.components.seconds)) s)"
        case .contextExceeded(let tokens, let maximum):
            "the prompt has \(tokens) tokens and leaves no room in the context of \(maximum) (shorten the prompt)"
        case .cacheExceeded(let tokens, let maximum):
            "the prompt has \(tokens) tokens and leaves no room in the cache of \(maximum) (shorten the prompt)"
        case .shuttingDown: "the engine is shutting down"
        case .invalid(let error): error.description
        }
    }
}
