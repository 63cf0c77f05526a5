import MinkeFiles
import NIOCore
import NIOHTTP1

/// Stands before the HTTP decoder and watches the clock: closes connections whose clients take too long to send, to read
/// or to come back, notices when a client leaves, and refuses in plain bytes what is no request.
final class ConnectionGuard: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let connection: Connection
    private let table: ConnectionTable
    private let limits: ServerLimits
    private let refused: (APIError, Admission) -> Void
    private var context: ChannelHandlerContext?
    private var deadline: Scheduled<Void>?
    private var writeDeadline: Scheduled<Void>?
    /// Whether bytes of a request have come that is not complete.
    private var hasBegun = false
    private(set) var inputIsClosed = false
    /// Bytes of a head before the end of its first line.
    private var targetBytes = 0
    private var isInFirstLine = true

    /// - Parameter refused: is told of each refusal.
    init(
        _ connection: Connection, table: ConnectionTable, limits: ServerLimits,
        refused: @escaping (APIError, Admission) -> Void
    ) {
        self.connection = connection
        self.table = table
        self.limits = limits
        self.refused = refused
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        enter(.head)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        writeDeadline?.cancel()
        self.context = nil
    }

    // MARK: Phases

    /// Begins to wait for something else.
    func enter(_ phase: Connection.Phase) {
        connection.enter(phase)
        if phase == .idle {
            hasBegun = false
            targetBytes = 0
            isInFirstLine = true
        }
        deadline?.cancel()
        deadline = nil
        guard let context, let time = table.time(for: phase) else { return }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { [self] in expire(phase) }
    }

    private func expire(_ phase: Connection.Phase) {
        switch phase {
        case .head where hasBegun, .body:
            refuse(
                APIError(
                    status: 408, "the request took too long to arrive", type: "invalid_request_error",
                    code: "request_timeout"))
        case .idle where context?.channel.isWritable == false: enter(.idle)  // Still reading the last answer.
        case .head, .idle, .closing: context?.close(promise: nil)
        case .answering: break
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let phase = connection.phase.phase
        if phase == .closing { return }
        if phase == .idle { enter(.head) }
        if phase == .idle || phase == .head {
            hasBegun = true
            count(unwrapInboundIn(data))
        }
        context.fireChannelRead(data)
    }

    /// Remembers how long the first line of a head is, so that a target too long for the parser is known for what it is.
    private func count(_ bytes: ByteBuffer) {
        guard isInFirstLine else { return }
        let view = bytes.readableBytesView
        let end = view.firstIndex(of: UInt8(ascii: "\n"))
        targetBytes += end.map { $0 - view.startIndex } ?? view.count
        isInFirstLine = end == nil
    }

    // MARK: Leaving

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
            connection.leave()
            if connection.phase.phase != .answering { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        writeDeadline?.cancel()
        connection.leave()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        writeDeadline?.cancel()
        writeDeadline = nil
        if !context.channel.isWritable {
            writeDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limits.writeTime)) {
                [self] in
                self.context?.close(promise: nil)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Refusing

    /// Refuses what the parser did not understand.
    func refuse(unparsed error: HTTPParserError) {
        if error == .headerOverflow {
            refuse(isInFirstLine || targetBytes > limits.targetBytes ? .targetTooLong(limits) : .headTooLarge(limits))
        } else {
            refuse(APIError.invalid("this is not HTTP/1.1", code: "bad_request"))
        }
    }

    /// Answers instead of the server, and closes the connection when the client had time to read it.
    func refuse(_ error: APIError, _ request: Admission? = nil) {
        guard let context, connection.phase.phase != .closing, !connection.isGone else { return }
        let request = request ?? Admission(id: Admission.id(from: nil), method: "?")
        refused(error, request)
        let body = error.json(for: request.dialect).text()
        var head = "HTTP/1.1 \(error.status) \(HTTPResponseStatus(statusCode: error.status).reasonPhrase)\r\n"
        head += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n"
        if let wait = error.retryAfter { head += "Retry-After: \(wait.wholeSeconds)\r\n" }
        head += "X-Request-Id: \(request.id)\r\n\r\n"
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: head + body)), promise: nil)
        linger()
    }

    /// Says that nothing more comes, and throws away what does until the client closes or time is up.
    ///
    /// To close at once with bytes unread would let the client's system throw away the answer.
    func linger() {
        guard let context, connection.phase.phase != .closing else { return }
        enter(.closing)
        if inputIsClosed { context.close(promise: nil) } else { context.close(mode: .output, promise: nil) }
    }
}

extension Duration {
    /// Rounded up, and at least one.
    var wholeSeconds: Int64 { max(1, components.seconds + (components.attoseconds > 0 ? 1 : 0)) }
}

extension APIError {
    static func targetTooLong(_ limits: ServerLimits) -> APIError {
        APIError(
            status: 414, "the address is longer than \(limits.targetBytes) bytes", type: "invalid_request_error",
            code: "uri_too_long")
    }

    static func headTooLarge(_ limits: ServerLimits) -> APIError {
        APIError(
            status: 431, "the header has more than \(limits.headerBytes) bytes or \(limits.headerFields) fields",
            type: "invalid_request_error", code: "header_too_large")
    }

    static func bodyTooLarge(_ limits: ServerLimits) -> APIError {
        APIError(
            status: 413, "the body is larger than \(limits.bodyBytes) bytes", type: "invalid_request_error",
            code: "request_too_large")
    }
}
