/// What a provider asks, or a token costs its maker, in dollars per million tokens.
public struct TokenPrice: Sendable {
    public enum Kind: String, Sendable {
        case list, promotion, cost
    }

    /// The month.
    public var date: String
    public var provider: String
    public var model: String
    public var input: Double?
    /// Input that the provider still has in its cache.
    public var cachedInput: Double?
    public var output: Double
    /// 1000 tokens.
    public var contextK: Int?
    public var kind: Kind
    public var confidence: Confidence
    public var source: String
    public var notes: String

    public init(
        date: String, provider: String, model: String, input: Double? = nil, cachedInput: Double? = nil,
        output: Double, contextK: Int? = nil, kind: Kind = .list, confidence: Confidence, source: String,
        notes: String = ""
    ) {
        self.date = date
        self.provider = provider
        self.model = model
        self.input = input
        self.cachedInput = cachedInput
        self.output = output
        self.contextK = contextK
        self.kind = kind
        self.confidence = confidence
        self.source = source
        self.notes = notes
    }

    /// What the given millions of tokens come to, in dollars; cached input at the input's price where no other is known.
    public func dollars(cachedM: Double, inputM: Double, outputM: Double) -> Double {
        let input = input ?? 0
        return cachedM * (cachedInput ?? input) + inputM * input + outputM * output
    }
}
