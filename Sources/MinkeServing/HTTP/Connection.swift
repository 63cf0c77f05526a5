import NIOCore
import Synchronization

/// A client's connection, as seen from the event loop that reads it and from the task that answers.
final class Connection: Sendable {
    /// What a connection is waiting for.
    enum Phase: Equatable {
        /// The head of a request, the first one or one that has begun.
        case head
        case body
        /// The server has the request, and the client waits.
        case answering
        /// Another request, perhaps.
        case idle
        /// The client was refused and may read why.
        case closing
    }

    private struct State {
        var phase = Phase.head
        var since = ContinuousClock.now
        var isGone = false
        var onGone: (@Sendable () -> Void)?
        var admission: Admission?
    }

    let channel: any Channel
    /// Whether there were too many when it came: its first request is refused.
    let isOneTooMany: Bool
    private let state = Mutex(State())

    init(_ channel: any Channel, isOneTooMany: Bool) {
        self.channel = channel
        self.isOneTooMany = isOneTooMany
    }

    /// The phase, and since when.
    var phase: (phase: Phase, since: ContinuousClock.Instant) { state.withLock { ($0.phase, $0.since) } }

    func enter(_ phase: Phase) {
        state.withLock {
            $0.phase = phase
            $0.since = .now
        }
    }

    /// Leaves a whole request to the task that answers.
    func hand(over admission: Admission) { state.withLock { $0.admission = admission } }

    func takeAdmission() -> Admission? { state.withLock { $0.admission.take() } }

    /// Whether the client has left.
    var isGone: Bool { state.withLock { $0.isGone } }

    /// The client has left, or closed its side, which no client does that wants an answer.
    func leave() {
        let onGone = state.withLock { state in
            state.isGone = true
            return state.onGone.take()
        }
        onGone?()
    }

    /// Calls `action` when the client leaves, at once if it has left; nil ends that.
    func whenGone(_ action: (@Sendable () -> Void)?) {
        let isGone = state.withLock { state in
            state.onGone = state.isGone ? nil : action
            return state.isGone
        }
        if isGone { action?() }
    }

    /// Works on something and cancels it when the client leaves.
    func untilGone<Result: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let work = Task { try await operation() }
        whenGone { work.cancel() }
        defer { whenGone(nil) }
        return try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            work.cancel()
        }
    }
}
