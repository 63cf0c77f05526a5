import Synchronization

/// Where requests arrive and results leave: what callers on any thread and the scheduler share.
final class Desk: Sendable {
    private struct State {
        var isOpen = true
        var isClosing = false
        var line = WaitingLine()
        /// Requests that were taken and are not over.
        var unfinished = 0
        /// Whether a step of the scheduler is due or running.
        var isBusy = false
        var statistics = EngineStatistics()
        /// Seconds that a request took from its turn to its end, averaged over the last ones.
        var serviceSeconds: Double?
        var waitingForIdle: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let places: Int
    private let queueLimit: Int

    init(places: Int, queueLimit: Int) {
        self.places = places
        self.queueLimit = queueLimit
    }

    /// Takes a request. Returns whether the scheduler has to be woken.
    func add(_ ticket: Ticket) throws(EngineError) -> Bool {
        let (wakes, refusal): (Bool, EngineError?) = state.withLock { state in
            guard state.isOpen else { return (false, .shuttingDown) }
            guard state.unfinished < places + queueLimit else {
                state.statistics.refused += 1
                let seconds = min(120, max(1, (state.serviceSeconds ?? 1) / Double(places)))
                return (false, .queueFull(retryAfter: .seconds(seconds)))
            }
            state.unfinished += 1
            state.line.append(ticket)
            defer { state.isBusy = true }
            return (!state.isBusy, nil)
        }
        if let refusal { throw refusal }
        return wakes
    }

    /// Ends a request that waits at once, and lets the scheduler end one that does not.
    func cancel(_ ticket: Ticket) {
        ticket.cancel()
        let (waited, idle) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
            guard state.line.remove(ticket) else { return (false, []) }
            state.statistics.cancelled += 1
            return (true, Self.finish(1, &state))
        }
        if waited { ticket.finishUnserved() }
        idle.forEach { $0.resume() }
    }

    /// Takes the next request out of the line.
    func next() -> Ticket? { state.withLock { $0.line.popFirst() } }

    /// Whether all requests are to end now.
    var isClosing: Bool { state.withLock { $0.isClosing } }

    var statistics: EngineStatistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.waiting += state.line.count
            return statistics
        }
    }

    /// Publishes what the scheduler counts, and that requests are over.
    ///
    /// - Parameter serviceSeconds: how long each of them took from its turn on.
    func publish(_ change: (inout EngineStatistics) -> Void, finished serviceSeconds: [Double]) {
        let idle = state.withLock { state in
            change(&state.statistics)
            for seconds in serviceSeconds {
                state.serviceSeconds = state.serviceSeconds.map { $0 * 0.8 + seconds * 0.2 } ?? seconds
            }
            return Self.finish(serviceSeconds.count, &state)
        }
        idle.forEach { $0.resume() }
    }

    /// Whether the scheduler has to go on; if not, the next request wakes it.
    ///
    /// - Parameter hasWork: whether it has requests of its own.
    func continues(hasWork: Bool) -> Bool {
        state.withLock { state in
            state.isBusy = hasWork || state.line.count > 0
            return state.isBusy
        }
    }

    /// Takes no more requests, and waits until there are none.
    ///
    /// - Parameter cancelling: ends those that there are.
    func close(cancelling: Bool) async {
        let tickets = state.withLock { state -> [Ticket] in
            state.isOpen = false
            guard cancelling else { return [] }
            state.isClosing = true
            let tickets = state.line.removeAll()
            state.statistics.cancelled += tickets.count
            return tickets
        }
        let idle = state.withLock { Self.finish(tickets.count, &$0) }
        tickets.forEach { $0.finishUnserved() }
        idle.forEach { $0.resume() }
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.unfinished > 0 { state.waitingForIdle.append(continuation) }
                return state.unfinished == 0
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Counts requests that are over. Returns who waited for the last one.
    private static func finish(_ count: Int, _ state: inout State) -> [CheckedContinuation<Void, Never>] {
        state.unfinished -= count
        guard state.unfinished == 0 else { return [] }
        defer { state.waitingForIdle = [] }
        return state.waitingForIdle
    }
}
