import Synchronization

/// A request that was taken, for whoever made it and for the scheduler.
final class Ticket: Sendable {
    enum Goal: Sendable {
        case text
        /// The mean of the prompt's states.
        case embedding
    }

    let request: EngineRequest
    let goal: Goal
    let events: AsyncStream<EngineEvent>.Continuation
    let submitted = ContinuousClock.now
    /// What an embedding's request found.
    let embedding = Mutex<[Float]>([])
    private let cancellation = Atomic(false)

    init(_ request: EngineRequest, goal: Goal, events: AsyncStream<EngineEvent>.Continuation) {
        self.request = request
        self.goal = goal
        self.events = events
    }

    /// Whether nobody listens any more.
    var isCancelled: Bool { cancellation.load(ordering: .relaxed) }
    func cancel() { cancellation.store(true, ordering: .relaxed) }

    /// Tells the end of a request that never had its turn.
    func finishUnserved() {
        var summary = EngineSummary(reason: .cancelled, promptTokens: request.prompt.count)
        summary.queued = ContinuousClock.now - submitted
        events.yield(.finished(summary))
        events.finish()
    }
}
