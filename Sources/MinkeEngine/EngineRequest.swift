import MinkeGeneration
import MinkeTokenization

/// What an ``Engine`` is asked for: the continuation of some tokens.
///
/// The next token is chosen so: ``logitBias`` and the penalties change the model's logits, ``constraint`` takes out what
/// may not come, and ``sampling`` draws from what is left.
public struct EngineRequest: Sendable {
    /// At least one token, and fewer than the context has.
    public var prompt: [Int32]
    /// New tokens at most; the context is a limit too.
    public var maximumTokens: Int
    public var sampling: SamplingOptions
    /// Taken from the logit of every token that was generated already (OpenAI's `presence_penalty`).
    public var presencePenalty: Double
    /// Taken from the logit of every token once for each time it was generated (OpenAI's `frequency_penalty`).
    public var frequencyPenalty: Double
    /// Added to the logits of some tokens.
    public var logitBias: [Int32: Float]
    /// Texts that end the answer; they and what follows are not shown.
    public var stopStrings: [String]
    /// Tokens that end the answer; nil: the model's.
    public var stopTokens: Set<Int32>?
    /// Goes on after end tokens.
    public var ignoresStopTokens: Bool
    /// Whether the texts of control tokens are shown.
    public var showsSpecialTokens: Bool
    /// How many of the most likely tokens are told with each token's own log-probability; 0: only its own, nil: none.
    public var logprobs: Int?
    /// Whether the tokens of the prompt are told with their log-probabilities (``EngineEvent/prompt(_:)``). The whole
    /// prompt is then run, whatever the cache holds.
    public var promptLogprobs: Bool
    /// Restricts what may come.
    public var constraint: (any TokenConstraint)?
    /// Whose request it is. Cached beginnings are shared only within a scope, and scopes take turns.
    public var scope: String

    public init(
        prompt: [Int32], maximumTokens: Int = 256, sampling: SamplingOptions = SamplingOptions(),
        presencePenalty: Double = 0, frequencyPenalty: Double = 0, logitBias: [Int32: Float] = [:],
        stopStrings: [String] = [], stopTokens: Set<Int32>? = nil, ignoresStopTokens: Bool = false,
        showsSpecialTokens: Bool = false, logprobs: Int? = nil, promptLogprobs: Bool = false,
        constraint: (any TokenConstraint)? = nil, scope: String = ""
    ) {
        self.prompt = prompt
        self.maximumTokens = maximumTokens
        self.sampling = sampling
        self.presencePenalty = presencePenalty
        self.frequencyPenalty = frequencyPenalty
        self.logitBias = logitBias
        self.stopStrings = stopStrings
        self.stopTokens = stopTokens
        self.ignoresStopTokens = ignoresStopTokens
        self.showsSpecialTokens = showsSpecialTokens
        self.logprobs = logprobs
        self.promptLogprobs = promptLogprobs
        self.constraint = constraint
        self.scope = scope
    }
}
