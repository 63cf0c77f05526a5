/// What happens to one request, as it happens: `for await event in try engine.submit(request) { … }`.
///
/// A request is listened to once. Leaving the loop, dropping the stream or cancelling the task cancels the request, and
/// its place is free within one step.
public struct EngineStream: AsyncSequence, Sendable {
    let events: AsyncStream<EngineEvent>
    let listening: Listening

    init(_ events: AsyncStream<EngineEvent>, cancel: @escaping @Sendable () -> Void) {
        self.events = events
        listening = Listening(cancel: cancel)
    }

    /// Cancels the request.
    public func cancel() { listening.cancel() }

    public func makeAsyncIterator() -> Iterator {
        Iterator(events: events.makeAsyncIterator(), listening: Listening(cancel: listening.cancel), stream: listening)
    }

    public struct Iterator: AsyncIteratorProtocol {
        var events: AsyncStream<EngineEvent>.Iterator
        let listening: Listening
        let stream: Listening

        public mutating func next() async -> EngineEvent? { await events.next() }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> EngineEvent? {
            await events.next(isolation: actor)
        }
    }

    /// Ends the request when the last who listens goes; a request that is over does not mind.
    final class Listening: Sendable {
        let cancel: @Sendable () -> Void

        init(cancel: @escaping @Sendable () -> Void) { self.cancel = cancel }

        deinit { cancel() }
    }
}
