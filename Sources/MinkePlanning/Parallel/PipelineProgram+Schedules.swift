extension PipelineProgram {
    static func gpipe(rank: Int, ranks: Int, microBatches: Int) -> [Operation] {
        (0..<microBatches).map { Operation(Chunk(.forward, microBatch: $0, stage: rank)) }
            + (0..<microBatches).map { Operation(Chunk(.backward, microBatch: $0, stage: rank)) }
    }

    /// 1F1B with `chunks` stages a rank; micro-batches go through the rank's stages in groups as large as the pipeline.
    static func interleaved(rank: Int, ranks: Int, microBatches: Int, chunks: Int) -> [Operation] {
        let total = microBatches * chunks
        let ahead = chunks == 1 ? ranks - 1 - rank : 2 * (ranks - 1 - rank) + (chunks - 1) * ranks
        let warmup = min(total, ahead)
        func chunk(_ pass: Chunk.Pass, _ index: Int) -> Operation {
            if chunks == 1 { return Operation(Chunk(pass, microBatch: index, stage: rank)) }
            let (group, within) = index.quotientAndRemainder(dividingBy: ranks * chunks)
            let depth = within / ranks
            let stage = (pass == .forward ? depth : chunks - 1 - depth) * ranks + rank
            return Operation(Chunk(pass, microBatch: group * ranks + within % ranks, stage: stage))
        }
        var operations = (0..<warmup).map { chunk(.forward, $0) }
        for index in 0..<total {
            if warmup + index < total { operations.append(chunk(.forward, warmup + index)) }
            operations.append(chunk(.backward, index))
        }
        return operations
    }

    /// ZB-H1: 1F1B whose backward chunks are split. Rank r puts off r gradients of weights, which is as much memory as
    /// the earlier ranks' longer warm-up takes, so that input gradients leave the last ranks sooner; what was put off
    /// fills the time in which the last input gradients travel to the first rank.
    static func zeroBubble(rank: Int, ranks: Int, microBatches: Int) -> [Operation] {
        func chunk(_ pass: Chunk.Pass, _ index: Int) -> Operation {
            Operation(Chunk(pass, microBatch: index, stage: rank))
        }
        let warmup = min(microBatches, ranks - 1 - rank)
        var operations = (0..<warmup).map { chunk(.forward, $0) }
        for index in 0..<microBatches {
            if warmup + index < microBatches { operations.append(chunk(.forward, warmup + index)) }
            operations.append(chunk(.inputGradient, index))
            if index >= rank { operations.append(chunk(.weightGradient, index - rank)) }
        }
        let remaining = max(0, microBatches - rank)..<microBatches
        return operations + remaining.map { chunk(.weightGradient, $0) }
    }

    /// DualPipe's eight phases (DeepSeek-V3, section 3.2.1, and its published code).
    ///
    /// A rank works in two directions: `near` micro-batches enter the pipeline at the end that the rank is closer to,
    /// `far` ones at the other. `depth` is the distance from that end.
    static func dualPipe(rank: Int, ranks: Int, microBatches: Int) -> [Operation] {
        let half = ranks / 2
        let depth = min(rank, ranks - 1 - rank)
        let inner = half - 1 - depth
        var hand = DualPipeHand(rank: rank, ranks: ranks, microBatches: microBatches)

        for _ in 0..<2 * inner { hand.forward(.near) }
        for _ in 0...depth {
            hand.forward(.near)
            hand.forward(.far)
        }
        for _ in 0..<inner {
            hand.backward(.far, split: true)
            hand.weightGradient()
            hand.forward(.far)
        }
        for turn in 0..<microBatches / 2 - ranks + depth + 1 {
            if turn == 0, inner == 0 {
                // The two middle ranks wait for each other here; one after the other, they wait less.
                hand.forward(.near)
                hand.backward(.far)
            } else {
                hand.overlapped(forward: .near, backward: .far)
            }
            hand.overlapped(forward: .far, backward: .near)
        }
        for _ in 0..<inner {
            hand.backward(.far)
            hand.overlapped(forward: .far, backward: .near)
        }
        // From the middle of this phase on, gradients of weights are put off for the gaps of the next.
        for place in 0..<2 * (depth + 1) {
            hand.backward(place.isMultiple(of: 2) ? .far : .near, split: place > depth)
        }
        for _ in 0..<inner {
            hand.weightGradient()
            hand.backward(.near, split: true)
        }
        for _ in 0...depth { hand.weightGradient() }
        return hand.operations
    }
}

/// Writes one rank's part of DualPipe, and knows which micro-batch is next.
private struct DualPipeHand {
    enum Side: Int {
        case near, far
    }

    typealias Chunk = PipelineProgram.Chunk

    let rank: Int
    let ranks: Int
    let microBatches: Int
    private(set) var operations: [PipelineProgram.Operation] = []
    private var forwards = [0, 0]
    private var backwards = [0, 0]
    /// Split backward chunks whose gradient of weights was put off, oldest first.
    private var putOff: ArraySlice<Chunk> = []

    init(rank: Int, ranks: Int, microBatches: Int) {
        self.rank = rank
        self.ranks = ranks
        self.microBatches = microBatches
    }

    mutating func forward(_ side: Side) { operations.append(.init(nextForward(side))) }

    mutating func backward(_ side: Side, split: Bool = false) {
        let chunk = nextBackward(split ? .inputGradient : .backward, side)
        operations.append(.init(chunk))
        if split { putOff.append(Chunk(.weightGradient, microBatch: chunk.microBatch, stage: chunk.stage)) }
    }

    mutating func overlapped(forward: Side, backward: Side) {
        operations.append(.init(nextForward(forward), with: nextBackward(.backward, backward)))
    }

    mutating func weightGradient() {
        if let chunk = putOff.popFirst() { operations.append(.init(chunk)) }
    }

    private mutating func nextForward(_ side: Side) -> Chunk {
        defer { forwards[side.rawValue] += 1 }
        return chunk(.forward, side, forwards[side.rawValue])
    }

    private mutating func nextBackward(_ pass: Chunk.Pass, _ side: Side) -> Chunk {
        defer { backwards[side.rawValue] += 1 }
        return chunk(pass, side, backwards[side.rawValue])
    }

    /// The first half of the micro-batches goes up the ranks, the second half down.
    private func chunk(_ pass: Chunk.Pass, _ side: Side, _ index: Int) -> Chunk {
        let isUpward = (side == .near) == (rank < ranks / 2)
        return Chunk(
            pass, microBatch: isUpward ? index : microBatches / 2 + index, stage: isUpward ? rank : ranks - 1 - rank)
    }
}
