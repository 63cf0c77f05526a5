import NIOCore
import Synchronization

/// The open connections, and who has to go when there are too many.
///
/// Clients that get an answer are never thrown out. A newcomer takes the place of the connection that has used up most of
/// the time it has for its head, its body or its rest, so that any number of clients that send nothing, or a byte now and
/// then, keep nobody out.
final class ConnectionTable: Sendable {
    private let limits: ServerLimits
    private let connections = Mutex<[ObjectIdentifier: Connection]>([:])

    init(_ limits: ServerLimits) { self.limits = limits }

    var count: Int { connections.withLock { $0.count } }

    subscript(_ channel: any Channel) -> Connection? { connections.withLock { $0[ObjectIdentifier(channel)] } }

    /// Takes a connection; nil where there are so many that not even a refusal can be given.
    func add(_ channel: any Channel) -> Connection? {
        let (connection, thrownOut) = connections.withLock { connections -> (Connection?, Connection?) in
            var thrownOut: Connection?
            if connections.count >= limits.connections, let slowest = slowest(of: connections.values) {
                thrownOut = slowest
                connections[ObjectIdentifier(slowest.channel)] = nil
            }
            let isOneTooMany = connections.count >= limits.connections
            guard connections.count < 2 * limits.connections else { return (nil, thrownOut) }
            let connection = Connection(channel, isOneTooMany: isOneTooMany)
            connections[ObjectIdentifier(channel)] = connection
            return (connection, thrownOut)
        }
        thrownOut?.channel.close(promise: nil)
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.connections.withLock { $0[ObjectIdentifier(channel)] = nil }
        }
        return connection
    }

    private func slowest(of connections: some Sequence<Connection>) -> Connection? {
        let now = ContinuousClock.now
        var slowest: (connection: Connection, share: Double)?
        for connection in connections {
            let (phase, since) = connection.phase
            guard let time = time(for: phase) else { continue }
            let share = (now - since) / time
            if share > slowest?.share ?? -1 { slowest = (connection, share) }
        }
        return slowest?.connection
    }

    /// How long a connection may stay in a phase; nil where it may stay.
    func time(for phase: Connection.Phase) -> Duration? {
        switch phase {
        case .head: limits.headTime
        case .body: limits.bodyTime
        case .idle: limits.idleTime
        case .closing: limits.lingering
        case .answering: nil
        }
    }

    func closeAll() {
        let all = connections.withLock { Array($0.values) }
        all.forEach { $0.channel.close(promise: nil) }
    }
}
