import MinkeFiles

/// What each rank of a pipeline does, in order: a schedule written out for a number of ranks and micro-batches.
///
/// The order is all that it says. When each operation starts follows from the chunks that it waits for
/// (``PipelineTimeline``).
public struct PipelineProgram: Equatable, Sendable {
    /// A part of the work on one micro-batch at one stage of the model.
    public struct Chunk: Hashable, Sendable {
        public enum Pass: Hashable, Sendable {
            case forward
            /// Gradients of input and weights together.
            case backward
            case inputGradient
            case weightGradient
        }

        public var pass: Pass
        public var microBatch: Int
        /// The place in the model, counted from its embedding; not the rank, which may hold several.
        public var stage: Int

        public init(_ pass: Pass, microBatch: Int, stage: Int) {
            self.pass = pass
            self.microBatch = microBatch
            self.stage = stage
        }
    }

    /// What a rank does at a time: a chunk, or a forward and a backward chunk overlapped.
    public struct Operation: Equatable, Sendable {
        public var chunk: Chunk
        /// The backward chunk that overlaps the forward one.
        public var partner: Chunk?

        public init(_ chunk: Chunk, with partner: Chunk? = nil) {
            self.chunk = chunk
            self.partner = partner
        }
    }

    /// Stages of the model: ranks × chunks of a rank, but only the ranks where two directions share them.
    public let stages: Int
    public let microBatches: Int
    /// How many stages share a rank's time of one micro-batch: a chunk takes 1/chunksPerRank of the costs.
    public let chunksPerRank: Int
    /// Operations in order, by rank.
    public var ranks: [[Operation]]

    public init(stages: Int, microBatches: Int, chunksPerRank: Int = 1, ranks: [[Operation]]) {
        self.stages = stages
        self.microBatches = microBatches
        self.chunksPerRank = chunksPerRank
        self.ranks = ranks
    }

    /// Writes a schedule out.
    ///
    /// - Parameter chunksPerRank: stages of a rank in the interleaved schedule; the others have one.
    /// - Throws: ``InputError`` for counts that the schedule does not have, or that would take too long to simulate.
    public init(_ schedule: PipelineSchedule, ranks: Int, microBatches: Int, chunksPerRank: Int = 2) throws {
        let chunks = schedule == .interleaved ? chunksPerRank : 1
        try schedule.check(ranks: ranks, microBatches: microBatches, chunksPerRank: chunks)
        let writer: (Int) -> [Operation]
        switch schedule {
        case .gpipe: writer = { Self.gpipe(rank: $0, ranks: ranks, microBatches: microBatches) }
        case .oneForwardOneBackward:
            writer = { Self.interleaved(rank: $0, ranks: ranks, microBatches: microBatches, chunks: 1) }
        case .interleaved:
            writer = { Self.interleaved(rank: $0, ranks: ranks, microBatches: microBatches, chunks: chunks) }
        case .zeroBubble: writer = { Self.zeroBubble(rank: $0, ranks: ranks, microBatches: microBatches) }
        case .dualPipe: writer = { Self.dualPipe(rank: $0, ranks: ranks, microBatches: microBatches) }
        }
        self.init(
            stages: ranks * chunks, microBatches: microBatches, chunksPerRank: chunks, ranks: (0..<ranks).map(writer))
    }
}
