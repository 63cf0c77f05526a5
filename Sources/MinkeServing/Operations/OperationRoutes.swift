import MinkeEngine
import MinkeTraining

/// The ways in for whoever runs the server: does it live, does it take requests, what does it do.
enum OperationRoutes {
    static let health = "/health"
    static let ready = "/ready"
    static let metrics = "/metrics"
    /// Paths that are there while the server loads and drains as well.
    static let all: Set<String> = [health, ready, metrics]

    static func make(
        _ state: ServerState, table: ConnectionTable, metrics: ServerMetrics, price: Price
    ) -> [APIRoute] {
        [
            APIRoute(.get, health, isOpen: true) { _ in .json(["status": "ok"]) },
            APIRoute(.get, ready) { _ in
                if state.isDraining { throw APIError.shuttingDown }
                guard state.isLoaded else { throw APIError.loading }
                return .json(["status": "ready"])
            },
            APIRoute(.get, Self.metrics) { _ in
                let text = metrics.text(
                    engine: state.model?.statistics() ?? EngineStatistics(),
                    isReady: state.isLoaded && !state.isDraining, connections: table.count, active: state.active,
                    price: price)
                return .content(APIContent(type: "text/plain; version=0.0.4; charset=utf-8", bytes: Array(text.utf8)))
            },
        ]
    }
}
