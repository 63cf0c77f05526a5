import MinkeFiles
import NIOCore
import NIOHTTP1
import NIOPosix

/// One request and what came back, with the time of each piece.
struct HTTPExchange: Sendable {
    /// A piece of the answer's body.
    struct Piece: Equatable, Sendable {
        /// Nanoseconds of the monotonic clock.
        let time: UInt64
        let bytes: [UInt8]
    }

    enum Ending: Equatable, Sendable {
        /// The answer was whole.
        case whole
        /// The connection ended within it.
        case broken(String)
        case timedOut
    }

    /// Before the connection was made.
    var started: UInt64
    var ended: UInt64
    /// Nil where no answer began.
    var status: Int?
    var pieces: [Piece] = []
    var ending: Ending

    var body: [UInt8] { pieces.flatMap(\.bytes) }

    /// Sends a request over a connection of its own and waits for the whole answer.
    ///
    /// - Parameters:
    ///   - body: JSON to post; nil: a GET.
    ///   - timeout: seconds until the connection is given up.
    static func perform(
        _ endpoint: Endpoint, path: String, body: JSON?, apiKey: String?, timeout: Double, on group: any EventLoopGroup
    ) async -> HTTPExchange {
        let started = NIODeadline.now().uptimeNanoseconds
        let loop = group.next()
        let promise = loop.makePromise(of: HTTPExchange.self)
        let allowed = TimeAmount.nanoseconds(Int64(min(timeout * 1e9, 1e18)))
        var head = HTTPRequestHead(version: .http1_1, method: body == nil ? .GET : .POST, uri: endpoint.base + path)
        head.headers.add(name: "Host", value: endpoint.authority)
        head.headers.add(name: "Connection", value: "close")
        if let apiKey { head.headers.add(name: "Authorization", value: "Bearer \(apiKey)") }
        let bytes = body.map { Array($0.text().utf8) }
        if let bytes {
            head.headers.add(name: "Content-Type", value: "application/json")
            head.headers.add(name: "Content-Length", value: "\(bytes.count)")
        }
        do {
            _ = try await ClientBootstrap(group: loop)
                .connectTimeout(min(allowed, .seconds(10)))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { [head] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(
                            ExchangeRecorder(head, body: bytes, started: started, timeout: allowed, promise))
                    }
                }
                .connect(host: endpoint.host, port: endpoint.port).get()
        } catch {
            // A connection that was made and failed at once has told already; the second answer does not count.
            let refused = HTTPExchange(
                started: started, ended: NIODeadline.now().uptimeNanoseconds, ending: .broken("cannot connect"))
            promise.succeed(refused)
        }
        do {
            return try await promise.futureResult.get()
        } catch {
            return HTTPExchange(
                started: started, ended: NIODeadline.now().uptimeNanoseconds, ending: .broken("cannot connect"))
        }
    }
}

/// Sends a request as soon as the connection is there, and notes the time of every piece that arrives.
private final class ExchangeRecorder: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let head: HTTPRequestHead
    private let body: [UInt8]?
    private let timeout: TimeAmount
    private let promise: EventLoopPromise<HTTPExchange>
    private var exchange: HTTPExchange
    private var deadline: Scheduled<Void>?
    private var isOver = false

    init(
        _ head: HTTPRequestHead, body: [UInt8]?, started: UInt64, timeout: TimeAmount,
        _ promise: EventLoopPromise<HTTPExchange>
    ) {
        self.head = head
        self.body = body
        self.timeout = timeout
        self.promise = promise
        exchange = HTTPExchange(started: started, ended: started, ending: .broken("the server closed the connection"))
    }

    func channelActive(context: ChannelHandlerContext) {
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) { [self] in
            finish(context, .timedOut)
        }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): exchange.status = Int(head.status.code)
        case .body(let buffer):
            exchange.pieces.append(
                HTTPExchange.Piece(
                    time: NIODeadline.now().uptimeNanoseconds, bytes: Array(buffer.readableBytesView)))
        case .end: finish(context, .whole)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(context, .broken(error is HTTPParserError ? "the answer is no HTTP" : "the connection failed"))
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(context, .broken("the server closed the connection"))
        context.fireChannelInactive()
    }

    private func finish(_ context: ChannelHandlerContext, _ ending: HTTPExchange.Ending) {
        guard !isOver else { return }
        isOver = true
        deadline?.cancel()
        exchange.ended = NIODeadline.now().uptimeNanoseconds
        exchange.ending = ending
        promise.succeed(exchange)
        context.close(promise: nil)
    }
}
