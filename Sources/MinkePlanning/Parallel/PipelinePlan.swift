import MinkeFiles

/// A schedule simulated, beside what is published of it.
public struct PipelinePlan: Equatable, Sendable {
    public let schedule: PipelineSchedule
    public let costs: PipelineCosts
    public let microBatches: Int
    /// Stages of a rank; more than 1 only in the interleaved schedule.
    public let chunksPerRank: Int
    public let timeline: PipelineTimeline

    /// Simulates a schedule.
    ///
    /// - Throws: ``InputError`` for counts that the schedule does not have (``PipelineProgram``).
    public init(
        _ schedule: PipelineSchedule, ranks: Int, microBatches: Int, chunksPerRank: Int = 2, costs: PipelineCosts
    ) throws {
        let program = try PipelineProgram(
            schedule, ranks: ranks, microBatches: microBatches, chunksPerRank: chunksPerRank)
        self.schedule = schedule
        self.costs = costs
        self.microBatches = microBatches
        self.chunksPerRank = program.chunksPerRank
        timeline = try PipelineTimeline(program, costs: costs)
    }

    public var ranks: Int { timeline.ranks.count }

    /// The idle time of a middle rank, which the published formulas describe. Ranks differ only in DualPipe, and only
    /// where overlapped chunks take another time than the two apart.
    public var bubble: Double { timeline.idle[ranks / 2] }

    /// The idle time of the rank that is idle the least, and of the one that is the most.
    public var bubbleRange: ClosedRange<Double> {
        let idle = timeline.idle.sorted()
        return idle[0]...idle[idle.count - 1]
    }

    /// The idle share of all ranks' time.
    public var idleShare: Double { timeline.idle.reduce(0, +) / (timeline.duration * Double(ranks)) }

    /// The bubble by the published formula.
    public var publishedBubble: Double {
        schedule.publishedBubble(costs, ranks: ranks, chunksPerRank: chunksPerRank)
    }

    /// Whether the simulated bubble is the published one, to rounding.
    public var agrees: Bool { abs(bubble - publishedBubble) <= 1e-9 * timeline.duration }

    /// Why the formula does not describe these costs exactly; nil where it does.
    public var caveat: String? { schedule.bubbleCaveat(costs, ranks: ranks, microBatches: microBatches) }

    /// The most activations that any rank holds at once, in those of one micro-batch on one rank.
    public var peakActivations: Double {
        Double(timeline.peakActivations.max() ?? 0) / Double(chunksPerRank)
    }

    /// The plan as JSON, without the events.
    public var json: JSON {
        [
            "schedule": .string(schedule.rawValue), "ranks": .integer(ranks), "micro_batches": .integer(microBatches),
            "chunks_per_rank": .integer(chunksPerRank), "duration": .number(timeline.duration),
            "bubble": .number(bubble), "bubble_least": .number(bubbleRange.lowerBound),
            "bubble_most": .number(bubbleRange.upperBound), "idle_share": .number(idleShare),
            "published_bubble": .number(publishedBubble), "published_formula": .string(schedule.bubbleFormula),
            "agrees": .bool(agrees), "caveat": caveat.map { .string($0) } ?? .null,
            "peak_activations": .number(peakActivations),
            "peak_activations_by_rank": .array(
                timeline.peakActivations.map { .number(Double($0) / Double(chunksPerRank)) }),
            "published_activations": schedule.publishedActivations(ranks: ranks, microBatches: microBatches)
                .map { .integer($0) } ?? .null,
            "parameter_copies": .integer(schedule.parameterCopies),
        ]
    }
}
