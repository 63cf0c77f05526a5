import MinkeFiles

/// What is asked of a server, how often, and what is expected of it.
package struct LoadPlan: Equatable, Sendable {
    /// Which interface is asked.
    package enum Interface: String, CaseIterable, Sendable {
        case chat, completions

        /// Behind ``Endpoint/base``.
        var path: String {
            switch self {
            case .chat: "/chat/completions"
            case .completions: "/completions"
            }
        }
    }

    /// When requests are sent.
    package enum Pace: Equatable, Sendable {
        /// So many clients, each of which sends its next request when it has the answer to the last.
        case clients(Int)
        /// So many requests a second on average, whatever became of those before. The gaps between them follow a gamma
        /// distribution of shape `burstiness`: 1 is a Poisson process, less comes in bursts, more is steadier.
        case rate(Double, burstiness: Double)
    }

    /// What an answer must keep to count for goodput.
    package struct Objective: Equatable, Sendable {
        /// Seconds to the first token at most.
        package var timeToFirstToken: Double
        /// Tokens a second at least, from the first token on.
        package var tokensPerSecond: Double

        package init(timeToFirstToken: Double = 0.5, tokensPerSecond: Double = 20) {
            self.timeToFirstToken = timeToFirstToken
            self.tokensPerSecond = tokensPerSecond
        }
    }

    package var endpoint: Endpoint
    package var interface = Interface.chat
    /// The model's name; nil: the first that the server lists.
    package var model: String?
    package var apiKey: String?
    package var pace = Pace.clients(1)
    /// Requests to send; nil: as many as fit into ``seconds``.
    package var requests: Int?
    /// Seconds in which requests are sent; those under way are waited for. Nil: until all are sent.
    package var seconds: Double?
    /// Tokens of a prompt, every number equally likely.
    package var promptTokens = 128...128
    /// Tokens of an answer, every number equally likely.
    package var outputTokens = 64...64
    /// The share of every prompt that all prompts begin with, 0 to 1.
    package var sharedPrefix = 0.0
    package var temperature = 0.0
    package var seed = 1
    /// Seconds after which a request counts as failed.
    package var timeout = 600.0
    package var objective = Objective()

    package init(endpoint: Endpoint) { self.endpoint = endpoint }

    /// - Throws: ``InputError`` for what no run can be made of.
    package func validate() throws {
        switch pace {
        case .clients(let count): try Self.check((1...4096).contains(count), "the number of clients must be 1 to 4096")
        case .rate(let rate, let burstiness):
            try Self.check(rate > 0 && rate <= 1e5, "the rate must be above 0 and at most 100,000 requests a second")
            try Self.check(burstiness >= 0.01 && burstiness <= 1e4, "the burstiness must be 0.01 to 10,000")
        }
        try Self.check(requests != nil || seconds != nil, "a run needs a number of requests or of seconds")
        try Self.check((1...10_000_000).contains(requests ?? 1), "the number of requests must be 1 to 10,000,000")
        try Self.check((seconds ?? 1) > 0 && (seconds ?? 1) <= 1e6, "the seconds must be above 0 and at most 1,000,000")
        try Self.check(
            promptTokens.lowerBound >= 1 && promptTokens.upperBound <= 1_000_000,
            "prompts must have 1 to 1,000,000 tokens")
        try Self.check(
            outputTokens.lowerBound >= 1 && outputTokens.upperBound <= 1_000_000,
            "answers must have 1 to 1,000,000 tokens")
        try Self.check((0...1).contains(sharedPrefix), "the shared share of prompts must be 0 to 1")
        try Self.check((0...2).contains(temperature), "the temperature must be 0 to 2")
        try Self.check(timeout > 0 && timeout <= 1e6, "the timeout must be above 0 and at most 1,000,000 seconds")
        try Self.check(
            objective.timeToFirstToken > 0 && objective.tokensPerSecond >= 0, "the objective must be above 0")
    }

    private static func check(_ holds: Bool, _ problem: String) throws {
        guard holds else { throw InputError(problem) }
    }
}
