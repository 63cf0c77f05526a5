/// What an ``Engine`` does and has done.
public struct EngineStatistics: Equatable, Sendable {
    /// Requests that are worked on.
    public internal(set) var running = 0
    /// Requests that wait for their turn, those that gave their cache to others included.
    public internal(set) var waiting = 0
    /// Tokens for which the cache has taken memory, in whole blocks.
    public internal(set) var cacheTokensUsed = 0
    /// Of these, what requests hold that are worked on; the rest are beginnings kept for later.
    public internal(set) var cacheTokensHeld = 0
    /// Tokens for which the cache may take memory.
    public internal(set) var cacheTokensCapacity = 0

    /// Tokens of prompts that were looked up in the cache of beginnings.
    public internal(set) var prefixQueries = 0
    /// Tokens of prompts that were found there.
    public internal(set) var prefixHits = 0
    /// How often a request had to give its cache to others.
    public internal(set) var preemptions = 0
    /// Tokens of prompts of requests whose turn came, cached ones included.
    public internal(set) var promptTokens = 0
    /// New tokens.
    public internal(set) var generatedTokens = 0
    /// Rounds of one token for every request that decodes and one chunk of a prompt.
    public internal(set) var steps = 0
    /// How many steps decoded for as many requests as the index says.
    public internal(set) var batchSizes: [Int] = []

    /// Requests that ended by themselves.
    public internal(set) var completed = 0
    public internal(set) var cancelled = 0
    public internal(set) var failed = 0
    /// Requests that were not taken because too many were waiting.
    public internal(set) var refused = 0

    public init() {}

    /// Adds the counters of `other`; what is a state and no counter stays.
    mutating func add(_ other: EngineStatistics) {
        prefixQueries += other.prefixQueries
        prefixHits += other.prefixHits
        preemptions += other.preemptions
        promptTokens += other.promptTokens
        generatedTokens += other.generatedTokens
        steps += other.steps
        completed += other.completed
        cancelled += other.cancelled
        failed += other.failed
        refused += other.refused
        if batchSizes.count < other.batchSizes.count {
            batchSizes += Array(repeating: 0, count: other.batchSizes.count - batchSizes.count)
        }
        for (size, count) in other.batchSizes.enumerated() { batchSizes[size] += count }
    }
}
