import MinkeFiles

/// When each operation of a pipeline starts and ends.
///
/// Simulated from the graph of what waits for what: a forward chunk for the stage before, a gradient of an input for
/// the stage after (the last stage's for its own forward chunk), a gradient of weights for that of its input. A rank
/// does its operations in order, each at the first moment at which the rank is free and all inputs have arrived.
public struct PipelineTimeline: Equatable, Sendable {
    public struct Event: Equatable, Sendable {
        public var operation: PipelineProgram.Operation
        public var start: Double
        public var end: Double
    }

    /// Events in order, by rank.
    public let ranks: [[Event]]
    /// When the last rank is done.
    public let duration: Double

    /// Time that each rank works.
    public var busy: [Double] {
        ranks.map { events in events.reduce(0) { $0 + ($1.end - $1.start) } }
    }

    /// Time that each rank is idle before the last one is done: the bubble.
    public var idle: [Double] { busy.map { duration - $0 } }

    /// The most activations that each rank holds at once, in those of one chunk.
    ///
    /// They are held from the start of the forward chunk to the end of the gradient of the weights, which needs them.
    public var peakActivations: [Int] {
        ranks.map { events in
            var held = 0
            var peak = 0
            for event in events {
                let chunks = [event.operation.chunk, event.operation.partner].compactMap(\.self)
                held += chunks.count { $0.pass == .forward }
                peak = max(peak, held)
                held -= chunks.count { $0.pass == .backward || $0.pass == .weightGradient }
            }
            return peak
        }
    }

    /// Runs a program.
    ///
    /// - Throws: ``InputError`` when its ranks wait for each other, or a chunk is outside the model or done twice.
    public init(_ program: PipelineProgram, costs: PipelineCosts) throws {
        var simulation = try Simulation(program, costs: costs)
        try simulation.run()
        ranks = simulation.events
        duration = simulation.events.reduce(0) { max($0, $1.last?.end ?? 0) }
    }
}

/// The state of a run: what every rank has done, and which rank waits for which chunk.
private struct Simulation {
    typealias Chunk = PipelineProgram.Chunk

    /// The two results of a chunk that others wait for, in ``done``.
    private enum Result: Int {
        case output, inputGradient
    }

    private struct Completion {
        var end = Double.nan
        var rank = 0
    }

    private let program: PipelineProgram
    private let costs: PipelineCosts
    private let share: Double
    private(set) var events: [[PipelineTimeline.Event]]
    /// By result, micro-batch and stage.
    private var done: [Completion]
    /// The rank that waits for an entry of ``done``.
    private var waiting: [Int: Int] = [:]

    init(_ program: PipelineProgram, costs: PipelineCosts) throws {
        self.program = program
        self.costs = costs
        share = 1 / Double(program.chunksPerRank)
        events = program.ranks.map { _ in [] }
        done = Array(repeating: Completion(), count: 2 * program.microBatches * program.stages)
        for operation in program.ranks.joined() {
            for chunk in [operation.chunk, operation.partner].compactMap(\.self)
            where !(0..<program.stages).contains(chunk.stage)
                || !(0..<program.microBatches).contains(chunk.microBatch)
            {
                throw InputError("micro-batch \(chunk.microBatch) at stage \(chunk.stage) is outside the pipeline")
            }
        }
    }

    mutating func run() throws {
        var ready = Array(program.ranks.indices)
        while let rank = ready.popLast() {
            while events[rank].count < program.ranks[rank].count {
                let operation = program.ranks[rank][events[rank].count]
                guard let start = start(of: operation, rank: rank) else { break }
                let end = start + duration(of: operation)
                events[rank].append(.init(operation: operation, start: start, end: end))
                for chunk in [operation.chunk, operation.partner].compactMap(\.self) {
                    guard let result = try complete(chunk, rank: rank, at: end) else { continue }
                    if let waiter = waiting.removeValue(forKey: result) { ready.append(waiter) }
                }
            }
        }
        if let rank = program.ranks.indices.first(where: { events[$0].count < program.ranks[$0].count }) {
            let chunk = program.ranks[rank][events[rank].count].chunk
            throw InputError(
                "the schedule stands still: rank \(rank) waits for what micro-batch \(chunk.microBatch) needs at stage "
                    + "\(chunk.stage), which never comes")
        }
    }

    /// When an operation can start, or nil while something that it needs is not done yet.
    private mutating func start(of operation: PipelineProgram.Operation, rank: Int) -> Double? {
        var start = events[rank].last?.end ?? 0
        for chunk in [operation.chunk, operation.partner].compactMap(\.self) {
            guard let needed = need(of: chunk) else { continue }
            let completion = done[needed]
            if completion.end.isNaN {
                waiting[needed] = rank
                return nil
            }
            start = max(start, completion.end + (completion.rank == rank ? 0 : costs.transfer))
        }
        return start
    }

    private func need(of chunk: Chunk) -> Int? {
        switch chunk.pass {
        case .forward:
            chunk.stage == 0 ? nil : index(.output, chunk.microBatch, chunk.stage - 1)
        case .backward, .inputGradient:
            chunk.stage == program.stages - 1
                ? index(.output, chunk.microBatch, chunk.stage)
                : index(.inputGradient, chunk.microBatch, chunk.stage + 1)
        case .weightGradient: index(.inputGradient, chunk.microBatch, chunk.stage)
        }
    }

    /// Notes that a chunk is done, and says which entry of ``done`` that is, if others can wait for it.
    private mutating func complete(_ chunk: Chunk, rank: Int, at end: Double) throws -> Int? {
        let result: Int
        switch chunk.pass {
        case .forward: result = index(.output, chunk.microBatch, chunk.stage)
        case .backward, .inputGradient: result = index(.inputGradient, chunk.microBatch, chunk.stage)
        case .weightGradient: return nil
        }
        guard done[result].end.isNaN else {
            throw InputError("micro-batch \(chunk.microBatch) passes stage \(chunk.stage) twice")
        }
        done[result] = Completion(end: end, rank: rank)
        return result
    }

    private func index(_ result: Result, _ microBatch: Int, _ stage: Int) -> Int {
        (result.rawValue * program.microBatches + microBatch) * program.stages + stage
    }

    private func duration(of operation: PipelineProgram.Operation) -> Double {
        if operation.partner != nil { return costs.overlapped * share }
        return switch operation.chunk.pass {
        case .forward: costs.forward * share
        case .backward: costs.backward * share
        case .inputGradient: costs.inputGradient * share
        case .weightGradient: costs.weightGradient * share
        }
    }
}
