import ArgumentParser
import Logging
import Minke
import MinkeConsole
import MinkeFiles
import MinkeServing
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// `minke-server dashboard`: the page of a training run, without a model.
struct DashboardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dashboard", abstract: "Shows in a browser how a training run goes, while it goes.",
        discussion: """
            Examples:
              minke-server dashboard run
              minke-server dashboard run --port 9000
              minke train book.txt --out run --dashboard        (starts this by itself)

            Only this machine can see the page. From another one: ssh -L 8090:127.0.0.1:8090 HOST, and open
            http://127.0.0.1:8090/ there.
            """)

    @Argument(help: "The folder of the run, as given to minke train --out.")
    var folder: String

    @Option(help: "The port on 127.0.0.1; 0 takes a free one.")
    var port = 8090

    @Flag(help: ArgumentHelp("End when standard input does.", visibility: .hidden))
    var followsInput = false

    func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("--port must be 0 to 65535") }
    }

    func run() async throws {
        let watch = try RunWatch(folder: folder)
        let settings = Pages.Settings(
            model: nil, pricePerCoreHour: Price.standard.dollarsPerHour, cores: System.coreCount, needsKey: false,
            version: ProgramVersion.text)
        var configuration = ServerConfiguration()
        configuration.port = port
        configuration.drain = .zero
        let logger = Logger(label: "minke-server") { _ in SwiftLogNoOpLogHandler() }
        let audience = Audience()
        let routes = audience.noticed(in: Pages.routes(settings, watching: watch))
        let server = try Server(
            configuration, routes: routes, logger: logger,
            onListening: { Console.report("the run is shown at http://127.0.0.1:\($0)/") },
            load: { ServedModel(routes: []) })
        let group = ServiceGroup(
            services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        let input = followsInput ? Task.detached { await Self.inputEnds(group, audience) } : nil
        defer { input?.cancel() }
        try await group.run()
    }

    /// Ends the server with whoever holds the other end of standard input, however that one ends.
    private static func inputEnds(_ group: ServiceGroup, _ audience: Audience) async {
        // Reading blocks a thread, which may not be one of the tasks' own.
        try? await NIOThreadPool.singleton.runIfActive {
            var input = LineReader()
            while (try? input.next()) != nil {}
        }
        if audience.isThere { try? await Task.sleep(for: Audience.patience) }
        await group.triggerGracefulShutdown()
    }
}

/// Whether a page follows the run, which then shall see its end.
private final class Audience: Sendable {
    /// A little more than pages wait between two questions.
    static let patience: Duration = .milliseconds(2500)

    private let lastQuestion = Mutex<ContinuousClock.Instant?>(nil)

    var isThere: Bool { lastQuestion.withLock { $0.map { .now - $0 < Self.patience } ?? false } }

    /// The routes, with questions about the run noticed.
    func noticed(in routes: [APIRoute]) -> [APIRoute] {
        routes.map { route in
            guard route.path.hasPrefix("/runs/") else { return route }
            return APIRoute(route.method, route.path, dialect: route.dialect, isOpen: route.isOpen) { [self] request in
                lastQuestion.withLock { $0 = .now }
                return try await route.handle(request)
            }
        }
    }
}
