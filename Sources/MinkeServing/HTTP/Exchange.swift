import Synchronization

/// A request while it is answered: counts as active until it is finished, and tells the journal once how it ended, even if
/// everything that answered it was dropped on the way.
final class Exchange: Sendable {
    let admission: Admission
    let record = RequestRecord()
    private let state: ServerState
    private let journal: Journal
    private let isFinished = Mutex(false)
    /// Tokens that had come with the last piece that brought some, and when it came.
    private let lastTokens = Mutex<(count: Int, time: ContinuousClock.Instant?)>((0, nil))

    init(_ admission: Admission, state: ServerState, journal: Journal) {
        self.admission = admission
        self.state = state
        self.journal = journal
        state.requestBegins()
    }

    deinit { finish(status: 200, isGone: true) }

    func finish(status: Int, isGone: Bool = false) {
        let wasFinished = isFinished.withLock { isFinished in
            defer { isFinished = true }
            return isFinished
        }
        if wasFinished { return }
        journal.finish(admission, status: status, figures: record.figures, isGone: isGone)
        state.requestEnds()
    }

    /// A piece of a streamed answer was made. Pieces without new tokens, as the last ones, do not count.
    func pieceArrived() {
        let count = record.figures.completionTokens ?? 0
        let now = ContinuousClock.now
        let pause = lastTokens.withLock { last -> Duration? in
            guard count > last.count else { return nil }
            defer { last = (count, now) }
            return last.time.map { now - $0 }
        }
        if let pause { journal.metrics.tokensArrived(after: pause) }
    }
}
