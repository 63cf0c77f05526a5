/// Blocks of cache that all requests share. A block holds some tokens, in all layers.
struct CacheBudget {
    let tokensPerBlock: Int
    /// Blocks that may be taken.
    let capacity: Int
    /// Blocks that sequences have taken for themselves.
    private(set) var owned = 0
    /// Blocks that the index of beginnings keeps.
    private(set) var kept = 0

    var free: Int { capacity - owned - kept }

    init(bytes: Int, blockBytes: Int, tokensPerBlock: Int) {
        self.tokensPerBlock = tokensPerBlock
        capacity = max(0, bytes) / max(1, blockBytes)
    }

    /// Blocks in which some tokens lie.
    func blocks(for tokens: Int) -> Int { (tokens + tokensPerBlock - 1) / tokensPerBlock }

    /// Tokens for which there is memory at all.
    var tokenCapacity: Int {
        let (tokens, overflow) = capacity.multipliedReportingOverflow(by: tokensPerBlock)
        return overflow ? .max : tokens
    }

    mutating func take(_ blocks: Int) {
        precondition(blocks <= free)
        owned += blocks
    }

    mutating func giveBack(_ blocks: Int) {
        owned -= blocks
        precondition(owned >= 0)
    }

    /// A sequence's blocks become a beginning's.
    mutating func keep(_ blocks: Int) {
        giveBack(blocks)
        kept += blocks
    }

    /// A beginning is forgotten.
    mutating func forget(_ blocks: Int) {
        kept -= blocks
        precondition(kept >= 0)
    }
}
