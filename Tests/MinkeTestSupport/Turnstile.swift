import Dispatch
import MinkeGeneration

/// Lets the engines of a model take one step at a time, so that a test knows what has happened when it looks, however
/// fast the machine is and whatever else it does.
///
/// A block on the model's queue holds it between two steps; requests may be made and given up meanwhile. Only the queue's
/// own thread is blocked, and it goes on by itself when the test is over.
package final class Turnstile {
    private let model: TextModel
    private var gate: Gate

    /// Holds the model once the pass that runs now is over.
    package init(_ model: TextModel) async throws {
        self.model = model
        gate = Gate(model)
        try await gate.isReached()
    }

    deinit { gate.open() }

    /// Lets every engine of the model that has work take one step.
    package func step() async throws {
        let next = Gate(model)
        gate.open()
        gate = next
        try await next.isReached()
    }

    /// Lets the engines go on.
    package func open() { gate.open() }

    private struct Gate {
        private let opening = DispatchSemaphore(value: 0)
        private let reaching: AsyncStream<Void>

        init(_ model: TextModel) {
            let (reaching, arrival) = AsyncStream.makeStream(of: Void.self)
            self.reaching = reaching
            model.enqueue { [opening] _ in
                arrival.yield()
                opening.wait()
            }
        }

        func open() { opening.signal() }

        func isReached() async throws {
            for await _ in reaching { return }
            throw CancellationError()
        }
    }
}
