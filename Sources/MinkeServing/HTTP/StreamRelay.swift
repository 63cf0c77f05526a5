import NIOCore
import Synchronization

/// Passes an answer on piece by piece, and cancels it when its reader leaves or falls too far behind.
struct StreamRelay: Sendable {
    let pieces: AsyncStream<[UInt8]>
    private let waiting: Atomic<Int>.Shared
    private let work: Task<Void, Never>

    /// - Parameters:
    ///   - limit: bytes that may wait for the reader; more of them close the connection.
    ///   - arrived: is told of each piece.
    init(
        _ source: AsyncStream<[UInt8]>, for connection: Connection, limit: Int,
        arrived: @escaping @Sendable () -> Void
    ) {
        let (pieces, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let waiting = Atomic<Int>.Shared()
        let work = Task {
            for await piece in source {
                arrived()
                continuation.yield(piece)
                if waiting.add(piece.count) > limit { connection.channel.close(promise: nil) }
            }
            continuation.finish()
        }
        continuation.onTermination = { if case .cancelled = $0 { work.cancel() } }
        connection.whenGone { work.cancel() }
        self.pieces = pieces
        self.waiting = waiting
        self.work = work
    }

    /// A piece was taken by the system.
    func wrote(_ piece: [UInt8]) { _ = waiting.add(-piece.count) }

    func cancel() { work.cancel() }
}

extension Atomic<Int> {
    /// A number that several tasks hold.
    final class Shared: Sendable {
        private let value = Atomic<Int>(0)

        func add(_ amount: Int) -> Int { value.wrappingAdd(amount, ordering: .relaxed).newValue }
    }
}
