import MinkeFiles

/// An order in which ranks of a pipeline work on micro-batches.
public enum PipelineSchedule: String, CaseIterable, Sendable {
    /// All forward chunks, then all backward chunks (Huang et al., 2019).
    case gpipe
    /// One forward, one backward in turn (PipeDream-Flush; Narayanan et al., 2021).
    case oneForwardOneBackward = "1f1b"
    /// 1F1B where a rank holds several stages that are not neighbours (Narayanan et al., 2021).
    case interleaved
    /// Zero bubble with the memory of 1F1B, ZB-H1: gradients of weights fill gaps (Qi et al., 2023).
    case zeroBubble = "zb1p"
    /// Micro-batches from both ends, forward and backward chunks overlapped (DeepSeek-V3, 2024).
    case dualPipe = "dualpipe"

    /// The name in papers.
    public var title: String {
        switch self {
        case .gpipe: "GPipe"
        case .oneForwardOneBackward: "1F1B"
        case .interleaved: "Interleaved 1F1B"
        case .zeroBubble: "ZB1P"
        case .dualPipe: "DualPipe"
        }
    }

    /// The most ranks that are simulated.
    public static let maximumRanks = 256
    /// The most micro-batches that are simulated.
    public static let maximumMicroBatches = 4096
    /// The most forward chunks, over all ranks, that are simulated.
    public static let maximumChunks = 1 << 18

    /// Copies of a stage's parameters that a rank holds: DualPipe's ranks hold a stage of either direction.
    public var parameterCopies: Int { self == .dualPipe ? 2 : 1 }

    /// The rule for the time that a rank is idle, as published: PP ranks, B with W in it, V chunks of a rank.
    public var bubbleFormula: String {
        switch self {
        case .gpipe, .oneForwardOneBackward: "(PP-1)(F+B)"
        case .interleaved: "(PP-1)(F+B)/V"
        case .zeroBubble: "(PP-1)(F+B-2W)"
        case .dualPipe: "(PP/2-1)(F&B+B-3W)"
        }
    }

    /// The value of ``bubbleFormula``.
    public func publishedBubble(_ costs: PipelineCosts, ranks: Int, chunksPerRank: Int = 2) -> Double {
        let gaps = Double(ranks - 1)
        return switch self {
        case .gpipe, .oneForwardOneBackward: gaps * (costs.forward + costs.backward)
        case .interleaved: gaps * (costs.forward + costs.backward) / Double(chunksPerRank)
        case .zeroBubble: gaps * (costs.forward + costs.backward - 2 * costs.weightGradient)
        case .dualPipe:
            (Double(ranks) / 2 - 1) * (costs.overlapped + costs.backward - 3 * costs.weightGradient)
        }
    }

    /// Activations of whole-rank chunks that the fullest rank holds at once, as published; nil where no source says.
    public func publishedActivations(ranks: Int, microBatches: Int) -> Int? {
        switch self {
        case .gpipe: microBatches
        case .oneForwardOneBackward, .zeroBubble: min(ranks, microBatches)
        case .dualPipe: ranks + 1
        case .interleaved: nil
        }
    }

    /// Why the published bubble does not describe these costs exactly; nil where it does.
    ///
    /// The formulas count chunks that fit into each other; where they do not, ranks wait for other things. The
    /// conditions are this simulator's findings, and its tests hold them.
    public func bubbleCaveat(_ costs: PipelineCosts, ranks: Int, microBatches: Int) -> String? {
        if ranks == 1 { return nil }
        if costs.transfer > 0 { return "the formula leaves out the time between ranks" }
        switch self {
        case .gpipe, .oneForwardOneBackward, .interleaved: return nil
        case .zeroBubble:
            if microBatches < ranks { return "fewer micro-batches than ranks: too few W to fill the gaps" }
            if costs.weightGradient > min(costs.forward, costs.inputGradient) {
                return "W is longer than the gap it should fill (F or B-W), so it delays what others wait for"
            }
            return nil
        case .dualPipe:
            if costs.forward != costs.inputGradient {
                return "the formula takes F = B-W: chunks of both directions alternate while the pipeline fills"
            }
            if costs.weightGradient > costs.inputGradient { return "W is longer than the gap B-W that it should fill" }
            if costs.overlapped < costs.backward { return "F&B is shorter than B, so overlapped ranks wait for others" }
            if costs.overlapped != costs.forward + costs.backward {
                return "holds for the middle ranks; outer ranks overlap fewer chunks"
            }
            return nil
        }
    }

    func check(ranks: Int, microBatches: Int, chunksPerRank: Int) throws {
        guard (1...Self.maximumRanks).contains(ranks) else {
            throw InputError("\(ranks) ranks cannot be simulated", remedy: "give 1 to \(Self.maximumRanks)")
        }
        guard (1...Self.maximumMicroBatches).contains(microBatches) else {
            throw InputError(
                "\(microBatches) micro-batches cannot be simulated", remedy: "give 1 to \(Self.maximumMicroBatches)")
        }
        guard (1...64).contains(chunksPerRank) else {
            throw InputError("\(chunksPerRank) chunks of a rank cannot be simulated", remedy: "give 1 to 64")
        }
        guard ranks * microBatches * chunksPerRank <= Self.maximumChunks else {
            throw InputError(
                "\(ranks) ranks × \(microBatches) micro-batches × \(chunksPerRank) chunks are too many to simulate",
                remedy: "at most \(Self.maximumChunks) together")
        }
        switch self {
        case .gpipe, .oneForwardOneBackward, .zeroBubble: break
        case .interleaved:
            guard microBatches.isMultiple(of: ranks) else {
                throw InputError(
                    "the interleaved schedule needs micro-batches in multiples of the \(ranks) ranks, "
                        + "not \(microBatches)")
            }
        case .dualPipe:
            guard ranks.isMultiple(of: 2) else {
                throw InputError("DualPipe needs an even number of ranks, not \(ranks)")
            }
            guard microBatches.isMultiple(of: 2), microBatches >= 2 * ranks else {
                throw InputError(
                    "DualPipe needs an even number of micro-batches, at least twice the \(ranks) ranks, "
                        + "not \(microBatches)")
            }
        }
    }
}
