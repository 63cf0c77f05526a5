import Dispatch
import Logging
import MinkeFiles
import MinkeServing
import ServiceLifecycle
import Synchronization
import Testing

/// A server on a free port of this machine while a test runs.
final class TestServer: Sendable {
    let port: Int
    /// The lines of the log.
    let log: LogLines
    private let group: ServiceGroup
    private let running: Task<Void, any Error>

    private init(port: Int, log: LogLines, group: ServiceGroup, running: Task<Void, any Error>) {
        self.port = port
        self.log = log
        self.group = group
        self.running = running
    }

    /// Runs `body` with a server, and stops it.
    ///
    /// - Parameters:
    ///   - routes: what it serves when it has loaded.
    ///   - early: what it serves from the beginning.
    @discardableResult
    static func run<Result: Sendable>(
        _ routes: [APIRoute] = [], early: [APIRoute] = [], shutDown: @escaping @Sendable () async -> Void = {},
        load: (@Sendable () async throws -> ServedModel)? = nil,
        configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Result
    ) async throws -> Result {
        var configuration = ServerConfiguration()
        configuration.port = 0
        configure(&configuration)
        let log = LogLines()
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = try Server(
            configuration, routes: early,
            logger: Logger(label: "test") { _ in ServerLogHandler(style: .json) { log.add($0) } },
            onListening: { port.yield($0) },
            load: {
                if let load { return try await load() }
                return ServedModel(routes: routes, shutDown: shutDown)
            })
        let group = ServiceGroup(services: [server], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = Task {
            defer { port.finish() }
            try await group.run()
        }
        guard let number = await ports.first(where: { _ in true }) else {
            try await running.value
            throw InputError("the server ended before it listened")
        }
        let test = TestServer(port: number, log: log, group: group, running: running)
        if load == nil { try await test.becomesReady() }
        do {
            let result = try await body(test)
            try await test.stop()
            return result
        } catch {
            try? await test.stop()
            throw error
        }
    }

    private func becomesReady() async throws {
        while !log.lines.contains(where: { $0["message"] == "ready" }) { try await Task.sleep(for: .milliseconds(2)) }
    }

    /// Begins to stop it, as SIGTERM does.
    func beginStopping() async { await group.triggerGracefulShutdown() }

    /// Stops it and waits for its end.
    func stop() async throws {
        await beginStopping()
        try await running.value
    }

    /// What a blocking client gets, on a thread of its own.
    func client<Result: Sendable>(
        receiveBuffer: Int32? = nil, _ body: @escaping @Sendable (RawClient) throws -> Result
    ) async throws -> Result {
        try await onThread { [port] in try body(RawClient(port: port, receiveBuffer: receiveBuffer)) }
    }

    /// The lines of the log about requests, when there are as many.
    func requestLines(_ count: Int) async throws -> [JSON] {
        while true {
            let lines = log.lines.filter { $0["message"] == "request" }
            if lines.count >= count { return lines }
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}

/// Runs what blocks outside of the threads that tests share.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(with: Swift.Result { try body() }) }
    }
}

/// Waits until something is so.
func until(_ condition: () -> Bool) async throws {
    while !condition() { try await Task.sleep(for: .milliseconds(2)) }
}

/// Lines of a log, as JSON.
final class LogLines: Sendable {
    private let texts = Mutex<[String]>([])

    func add(_ line: String) { texts.withLock { $0.append(line) } }

    var lines: [JSON] { texts.withLock { $0 }.compactMap { try? JSON(parsing: $0) } }
}

/// Routes of tests.
enum Fake {
    /// Answers with what it was told.
    static let echo = APIRoute(.post, "/v1/echo") { request in
        request.record.update { $0.promptTokens = 3 }
        return .json(["body": request.body, "id": .string(request.id), "scope": .string(request.scope)])
    }

    static let model = APIRoute(.get, "/v1/models/{id}") { request in
        .json(["id": .string(request.parameter ?? "")])
    }

    static let page = APIRoute(.get, "/", isOpen: true) { _ in
        .content(APIContent(type: "text/html", bytes: Array("<p>".utf8), securityPolicy: "default-src 'none'"))
    }

    /// A stream of these pieces.
    static func stream(_ pieces: [String], _ path: String = "/v1/stream") -> APIRoute {
        APIRoute(.post, path) { _ in
            let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
            for piece in pieces { continuation.yield(Array("data: \(piece)\n\n".utf8)) }
            continuation.finish()
            return .stream(.events, stream)
        }
    }
}

/// Work without an end, which counts who began and who was cancelled.
final class Endless: Sendable {
    let begun = Atomic<Int>(0)
    let cancelled = Atomic<Int>(0)
    private let continuations = Mutex<[AsyncStream<[UInt8]>.Continuation]>([])

    /// Never answers.
    var whole: APIRoute {
        APIRoute(.post, "/v1/whole") { [self] _ in
            begun.add(1, ordering: .relaxed)
            do {
                try await Task.sleep(for: .seconds(3600))
            } catch {
                cancelled.add(1, ordering: .relaxed)
                throw error
            }
            return .json(.null)
        }
    }

    /// Begins to answer.
    var stream: APIRoute {
        APIRoute(.post, "/v1/endless") { [self] request in
            begun.add(1, ordering: .relaxed)
            request.record.update { $0.completionTokens = 1 }
            let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
            continuation.onTermination = { [self] in
                if case .cancelled = $0 { cancelled.add(1, ordering: .relaxed) }
            }
            continuation.yield(Array("data: begun\n\n".utf8))
            continuations.withLock { $0.append(continuation) }
            return .stream(.events, stream)
        }
    }

    /// Says something to all, and ends them if it is the last word.
    func say(_ text: String, isLast: Bool = false) {
        for continuation in continuations.withLock({ $0 }) {
            continuation.yield(Array("data: \(text)\n\n".utf8))
            if isLast { continuation.finish() }
        }
    }
}
