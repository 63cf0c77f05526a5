import MinkeModel

/// What a generation is asked for.
public struct GenerationOptions: Equatable, Sendable {
    /// New tokens at most.
    public var maximumTokens: Int
    public var sampling: SamplingOptions
    /// Texts that end the generation; they and what follows are not shown.
    public var stopStrings: [String]
    /// Goes on after the model's own end tokens.
    public var ignoresStopTokens: Bool
    /// Speed only: what is generated does not depend on it.
    public var speculation: Speculation

    public init(
        maximumTokens: Int = 256, sampling: SamplingOptions = SamplingOptions(), stopStrings: [String] = [],
        ignoresStopTokens: Bool = false, speculation: Speculation = .auto
    ) {
        self.maximumTokens = maximumTokens
        self.sampling = sampling
        self.stopStrings = stopStrings
        self.ignoresStopTokens = ignoresStopTokens
        self.speculation = speculation
    }
}

/// One new token, and the text that became certain with it.
public struct GeneratedPiece: Equatable, Sendable {
    public let id: Int32
    /// Empty while a character or a possible stop string is incomplete, for control tokens, and without a tokenizer.
    public let text: String
}

/// Why a generation ended.
public enum StopReason: String, Sendable {
    /// The model said so with one of its end tokens.
    case stopToken = "stop_token"
    /// A stop string came.
    case stopString = "stop_string"
    /// As many tokens as asked for, or as the context holds.
    case length
    /// The caller did not want more.
    case cancelled
}

/// A finished generation.
public struct Generation: Sendable {
    /// The new tokens; an end token, if one came, is the last.
    public internal(set) var ids: [Int32] = []
    /// Their text without control tokens, up to a stop string.
    public internal(set) var text = ""
    public internal(set) var promptTokens = 0
    /// Tokens of the prompt that were in the cache already.
    public internal(set) var reusedTokens = 0
    public internal(set) var stopReason: StopReason?
    /// Seconds until the first new token.
    public internal(set) var promptSeconds = 0.0
    /// Seconds from the first new token to the last.
    public internal(set) var seconds = 0.0

    /// Tokens that the prediction module proposed, and how many of them were drawn.
    public internal(set) var draftedTokens = 0
    public internal(set) var acceptedTokens = 0

    /// How experts that are read when they are needed fared; nil where all weights are mapped.
    public internal(set) var experts: ExpertStatistics?

    /// The share of proposals that were drawn; nil when there were none.
    public var acceptanceRate: Double? {
        draftedTokens > 0 ? Double(acceptedTokens) / Double(draftedTokens) : nil
    }

    /// New tokens a second, the wait for the first left out where there are more.
    public var tokensPerSecond: Double {
        if ids.count > 1, seconds > 0 { return Double(ids.count - 1) / seconds }
        return promptSeconds > 0 ? Double(ids.count) / promptSeconds : 0
    }
}
