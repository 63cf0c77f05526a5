import Hummingbird
import HummingbirdCore
import Logging
import MinkeFiles
import NIOCore
import ServiceLifecycle

/// An HTTP server for models.
///
/// It listens before the model is loaded, and answers 503 meanwhile where the model is needed. Told to stop, it takes no
/// more requests, lets those go on that it has until the time to drain is over, and then ends them.
///
/// ```swift
/// let server = try Server(configuration, logger: logger) {
///     ServedModel(routes: routes)
/// }
/// try await ServiceGroup(services: [server], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
public struct Server: Service {
    private let configuration: ServerConfiguration
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void
    private let load: @Sendable () async throws -> ServedModel
    private let state = ServerState()
    private let metrics = ServerMetrics()
    private let table: ConnectionTable

    /// - Parameters:
    ///   - configuration: where to listen, and to whom.
    ///   - routes: what is there from the beginning, as pages are: it does not wait for `load`.
    ///   - logger: gets a line for every request; see ``ServerLogHandler``.
    ///   - onListening: is told the port when the socket is open.
    ///   - load: makes what is served; what it throws ends the server.
    /// - Throws: ``InputError`` when the configuration is not safe.
    public init(
        _ configuration: ServerConfiguration, routes: [APIRoute] = [], logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) -> Void = { _ in },
        load: @escaping @Sendable () async throws -> ServedModel
    ) throws {
        try configuration.validate()
        self.configuration = configuration
        self.logger = logger
        self.onListening = onListening
        self.load = load
        table = ConnectionTable(configuration.limits)
        state.install(
            routes + OperationRoutes.make(state, table: table, metrics: metrics, price: configuration.price))
    }

    /// Serves until the service group shuts down, the task is cancelled, or the model cannot be loaded.
    public func run() async throws {
        let (ends, end) = AsyncThrowingStream.makeStream(of: Void.self)
        let group = makeGroup { port in
            onListening(port)
            Task {
                do {
                    let model = try await load()
                    state.open(model)
                    logger.info("ready")
                } catch {
                    end.finish(throwing: error)
                }
            }
        }
        // Detached, because it must not hear of the shutdown before the requests are over.
        let listening = Task.detached {
            do {
                try await group.run()
                end.finish()
            } catch {
                end.finish(throwing: listeningError(error))
            }
        }
        defer {
            table.closeAll()
            listening.cancel()
        }
        try await withGracefulShutdownHandler {
            do {
                for try await _ in ends {}
            } catch {
                table.closeAll()
                await group.triggerGracefulShutdown()
                await listening.value
                throw error
            }
        } onGracefulShutdown: {
            state.beginDraining()
            Task {
                await drain()
                // Connections close when their answers are out. Who does not read his is not waited for.
                Task {
                    try await Task.sleep(for: Self.farewell)
                    table.closeAll()
                }
                await group.triggerGracefulShutdown()
            }
        }
    }

    /// How long ended requests may take to say so to their clients.
    private static let farewell: Duration = .seconds(3)

    private func drain() async {
        logger.info("draining", metadata: ["active": .stringConvertible(state.active)])
        if await !state.becomesIdle(within: configuration.drain) {
            logger.warning("ending requests", metadata: ["active": .stringConvertible(state.active)])
        }
        await state.model?.shutDown()
        _ = await state.becomesIdle(within: Self.farewell)
    }

    private func makeGroup(_ started: @escaping @Sendable (Int) -> Void) -> ServiceGroup {
        let journal = Journal(metrics: metrics, logger: logger)
        let gatekeeper = Gatekeeper(configuration, state: state)
        let limits = configuration.limits
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            responder: Responder(state: state, table: table, journal: journal, limits: limits),
            server: HTTPServerBuilder { [table] responder in
                GuardedChannel(
                    responder: responder, table: table, gatekeeper: gatekeeper, limits: limits, journal: journal)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: "minke"),
            onServerRunning: { channel in started(channel.localAddress?.port ?? 0) },
            logger: quiet)
        return ServiceGroup(services: [application], logger: quiet)
    }

    /// Names address and remedy where the socket cannot be opened.
    private func listeningError(_ error: any Error) -> any Error {
        guard let error = error as? IOError else { return error }
        let reason = String(cString: strerror(error.errnoCode))
        return InputError(
            "cannot listen: \(reason)", at: "\(configuration.host):\(configuration.port)",
            remedy: "choose another --port or --host")
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
