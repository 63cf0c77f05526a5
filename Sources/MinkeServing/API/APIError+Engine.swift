import MinkeEngine

extension APIError {
    /// What a client is told when the engine does not take its request.
    init(_ error: EngineError) {
        switch error {
        case .queueFull(let wait):
            self.init(
                status: 429, "too many requests are waiting", type: "rate_limit_error", code: "queue_full",
                retryAfter: wait)
        case .contextExceeded(let tokens, let maximum):
            self = .invalid(
                "the prompt has \(tokens) tokens, which leaves no room for an answer in the model's context of \(maximum)",
                parameter: "messages", code: "context_length_exceeded")
        case .cacheExceeded(let tokens, let maximum):
            self = .invalid(
                "the prompt has \(tokens) tokens, which leaves no room for an answer in this server's cache of \(maximum)",
                parameter: "messages", code: "context_length_exceeded")
        case .shuttingDown: self = .shuttingDown
        case .invalid(let error): self.init(error)
        }
    }

    /// The server takes no more requests, or ended one.
    static let shuttingDown = APIError(
        status: 503, "the server is shutting down", type: "server_error", code: "overloaded", retryAfter: .seconds(5))

    /// Something went wrong inside.
    static func failed(_ message: String) -> APIError {
        APIError(status: 500, message, type: "server_error", code: "generation_failed")
    }
}
