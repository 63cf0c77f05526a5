/// How much of the batch and of the context the first steps of a run use: early on, short and small steps teach as much.
public struct SizeSchedule: Equatable, Sendable {
    /// Sequences of the first step; nil: as all others.
    public var firstBatch: Int?
    /// Share of the run over which the number of sequences grows linearly.
    public var batchWarmup = 0.0
    /// Tokens of one sequence in the first step; nil: as all others. Windows are cut into pieces of this length, which
    /// doubles in equal parts of the warm-up, so that a step has as many tokens as without.
    public var firstLength: Int?
    /// Share of the run over which sequences grow.
    public var lengthWarmup = 0.0

    public init() {}

    /// Sequences of step `step`, counted from 0, of `total`.
    public func sequences(step: Int, total: Int, full: Int) -> Int {
        guard let firstBatch, batchWarmup > 0 else { return full }
        let progress = min(1, Double(step) / (batchWarmup * Double(max(1, total))))
        return firstBatch + Int((Double(full - firstBatch) * progress).rounded(.down))
    }

    /// Tokens of a sequence in step `step`, counted from 0, of `total`: `full`, or a half, a quarter, … of it.
    public func length(step: Int, total: Int, full: Int) -> Int {
        guard let firstLength, lengthWarmup > 0, firstLength < full else { return full }
        var doublings = 0
        while firstLength << doublings < full { doublings += 1 }
        let progress = min(1, Double(step) / (lengthWarmup * Double(max(1, total))))
        return min(full, firstLength << min(doublings, Int(progress * Double(doublings))))
    }

    /// Whether pieces of the first length, doubled some times, make up a window.
    func divides(_ full: Int) -> Bool {
        guard let firstLength else { return true }
        guard firstLength >= 2, full % firstLength == 0 else { return false }
        return (full / firstLength).nonzeroBitCount == 1
    }
}
