import MinkeFiles

/// How experts that are read when they are needed fared.
public struct ExpertStatistics: Equatable, Sendable {
    /// Experts asked for, each counted once for every layer of every pass that routed tokens to it.
    public internal(set) var requests = 0
    /// Requests that found the expert in memory.
    public internal(set) var hits = 0
    /// Experts read ahead because the router was expected to choose them, and how many of them it then chose.
    public internal(set) var expected = 0
    public internal(set) var expectedAndUsed = 0
    public internal(set) var bytesRead = 0
    /// Seconds in which at least one read was under way.
    public internal(set) var readSeconds = 0.0
    /// Seconds in which the arithmetic waited for reads.
    public internal(set) var waitSeconds = 0.0

    public init() {}

    /// The share of requests that found the expert in memory; 1 when there were none.
    public var hitRate: Double { requests > 0 ? Double(hits) / Double(requests) : 1 }

    /// What came after `earlier`.
    public func since(_ earlier: ExpertStatistics) -> ExpertStatistics {
        var result = self
        result.requests -= earlier.requests
        result.hits -= earlier.hits
        result.expected -= earlier.expected
        result.expectedAndUsed -= earlier.expectedAndUsed
        result.bytesRead -= earlier.bytesRead
        result.readSeconds -= earlier.readSeconds
        result.waitSeconds -= earlier.waitSeconds
        return result
    }
}

extension ExpertStatistics {
    /// The figures under the names that commands print them by.
    public var json: JSON {
        [
            "requests": .integer(requests), "hits": .integer(hits), "hit_rate": .number(hitRate),
            "read_ahead": .integer(expected), "read_ahead_used": .integer(expectedAndUsed),
            "bytes_read": .integer(bytesRead), "read_seconds": .number(readSeconds),
            "wait_seconds": .number(waitSeconds),
        ]
    }
}
