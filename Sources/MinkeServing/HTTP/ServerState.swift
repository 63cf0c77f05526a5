import MinkeEngine
import Synchronization

/// What a ``Server`` serves once it is loaded.
public struct ServedModel: Sendable {
    public var routes: [APIRoute]
    /// What the engine does and has done, for the metrics.
    public var statistics: @Sendable () -> EngineStatistics
    /// Ends the requests that are still worked on when the time to drain is over; returns when they have ended.
    public var shutDown: @Sendable () async -> Void

    public init(
        routes: [APIRoute], statistics: @escaping @Sendable () -> EngineStatistics = { EngineStatistics() },
        shutDown: @escaping @Sendable () async -> Void = {}
    ) {
        self.routes = routes
        self.statistics = statistics
        self.shutDown = shutDown
    }
}

/// What all connections of a server share: what is served, and whether there is an end in sight.
final class ServerState: Sendable {
    private struct Values {
        var routes = RouteTable([])
        var ownRoutes: [APIRoute] = []
        var model: ServedModel?
        var isDraining = false
        /// Requests that are worked on.
        var active = 0
        var waitingForIdle: [CheckedContinuation<Void, Never>] = []
    }

    private let values = Mutex(Values())

    var routes: RouteTable { values.withLock { $0.routes } }
    var model: ServedModel? { values.withLock { $0.model } }
    var isLoaded: Bool { values.withLock { $0.model != nil } }
    var isDraining: Bool { values.withLock { $0.isDraining } }
    var active: Int { values.withLock { $0.active } }

    /// Adds the server's own routes, which are there from the beginning.
    func install(_ routes: [APIRoute]) {
        values.withLock {
            $0.ownRoutes = routes
            $0.routes = RouteTable(routes)
        }
    }

    /// Opens what is served. The server's own routes stay what they are.
    func open(_ model: ServedModel) {
        values.withLock {
            $0.model = model
            $0.routes = RouteTable(model.routes + $0.ownRoutes)
        }
    }

    func beginDraining() { values.withLock { $0.isDraining = true } }

    func requestBegins() { values.withLock { $0.active += 1 } }

    func requestEnds() {
        let waiting = values.withLock { values -> [CheckedContinuation<Void, Never>] in
            values.active -= 1
            guard values.active == 0 else { return [] }
            defer { values.waitingForIdle = [] }
            return values.waitingForIdle
        }
        waiting.forEach { $0.resume() }
    }

    /// Waits until no request is worked on, but not for longer than `limit`. Returns whether there is none.
    func becomesIdle(within limit: Duration) async -> Bool {
        let timer = Task {
            try? await Task.sleep(for: limit)
            releaseWaiting()
        }
        defer { timer.cancel() }
        await withCheckedContinuation { continuation in
            let isIdle = values.withLock { values in
                if values.active > 0 { values.waitingForIdle.append(continuation) }
                return values.active == 0
            }
            if isIdle { continuation.resume() }
        }
        return active == 0
    }

    private func releaseWaiting() {
        let waiting = values.withLock { values in
            defer { values.waitingForIdle = [] }
            return values.waitingForIdle
        }
        waiting.forEach { $0.resume() }
    }
}
