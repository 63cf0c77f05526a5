/// How an ``Engine`` shares one model among requests.
public struct EngineOptions: Equatable, Sendable {
    /// Tokens that a prompt and its answer have together at most; nil: the model's context, which is also the limit.
    public var contextLength: Int?
    /// Requests that are worked on at once; the others wait.
    public var maximumSequences: Int
    /// Requests that wait at most. One more is refused with ``EngineError/queueFull(retryAfter:)``.
    public var queueLimit: Int
    /// Bytes for the caches of all requests and for shared beginnings; nil: half of the memory that is free, or what the
    /// model's memory plan set aside.
    public var cacheBytes: Int?
    /// Tokens of a prompt that are run in one pass, between two steps of the requests that decode. Brought to a power of
    /// two from 16 to 256, or to a multiple of 256. Prompts are always cut at the same places, so that what a prompt's
    /// tokens get does not depend on what was in the cache.
    public var prefillChunk: Int
    /// Whether requests of different scopes may share the cache of a common beginning. Who may ask what can then tell
    /// from the time an answer takes what others asked.
    public var sharesPrefixesAcrossScopes: Bool

    public init(
        contextLength: Int? = nil, maximumSequences: Int = 8, queueLimit: Int = 64, cacheBytes: Int? = nil,
        prefillChunk: Int = 256, sharesPrefixesAcrossScopes: Bool = false
    ) {
        self.contextLength = contextLength
        self.maximumSequences = maximumSequences
        self.queueLimit = queueLimit
        self.cacheBytes = cacheBytes
        self.prefillChunk = prefillChunk
        self.sharesPrefixesAcrossScopes = sharesPrefixesAcrossScopes
    }
}
