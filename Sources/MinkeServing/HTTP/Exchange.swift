import Synchronization

/// A request while it is answered: counts as active until it is finished, and tells the journal once how it ended, even if
/// everything that answered it was dropped on the way.
final class Exchange: Sendable {
    let admission: Admission
    let record = RequestRecord()
    private let state: ServerState
    private let journal: Journal
    private let isFinished = Mutex(false)

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

    func pieceArrived(after pause: Duration) { journal.metrics.pieceArrived(after: pause) }
}
