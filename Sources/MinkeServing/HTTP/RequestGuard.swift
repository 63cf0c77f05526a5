import NIOCore
import NIOHTTP1

/// Stands behind the HTTP decoder: checks heads, collects bodies within their limit, and lets only whole requests through.
/// On the way back it keeps quiet streams alive and closes connections that are not to be kept.
final class RequestGuard: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let front: ConnectionGuard
    private let gatekeeper: Gatekeeper
    private let limits: ServerLimits
    private var request: (head: HTTPRequestHead, admission: Admission)?
    /// Whether the connection ends with the answer.
    private var isLast = false
    /// Whether that answer was given: what else the client sent is not looked at.
    private var isOver = false
    private var version = HTTPVersion.http1_1
    private var heartbeat: Scheduled<Void>?
    private var lastWrite = NIODeadline.now()

    init(_ front: ConnectionGuard, gatekeeper: Gatekeeper, limits: ServerLimits) {
        self.front = front
        self.gatekeeper = gatekeeper
        self.limits = limits
    }

    func handlerRemoved(context: ChannelHandlerContext) { heartbeat?.cancel() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError {
            front.refuse(unparsed: error)
        } else {
            context.fireErrorCaught(error)
        }
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver, front.connection.phase.phase != .closing else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(var bytes):
            guard let admission = request?.admission else { return }
            if admission.body.readableBytes + bytes.readableBytes > limits.bodyBytes {
                return refuse(.bodyTooLarge(limits), admission)
            }
            // What is refused is read to its end all the same, so that the connection can be used again.
            if admission.refusal == nil { request?.admission.body.writeBuffer(&bytes) }
        case .end(let trailers):
            guard let (head, admission) = request else { return }
            request = nil
            front.enter(.answering)
            front.connection.hand(over: admission)
            context.fireChannelRead(wrapInboundOut(.head(head)))
            context.fireChannelRead(wrapInboundOut(.end(trailers)))
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let admission = gatekeeper.admit(head)
        isLast = !head.isKeepAlive || head.version == .http1_0 || head.headers.contains(name: "upgrade")
        version = head.version
        do {
            try check(head)
        } catch {
            return refuse(error, admission)
        }
        front.enter(.body)
        request = (head, admission)
        guard head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) else {
            return
        }
        if let refusal = admission.refusal { return refuse(refusal, admission) }
        context.writeAndFlush(
            wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: .continue))), promise: nil)
    }

    private func check(_ head: HTTPRequestHead) throws(APIError) {
        if front.connection.isOneTooMany {
            throw APIError(
                status: 503, "too many connections", type: "server_error", code: "too_many_connections",
                retryAfter: .seconds(1))
        }
        guard head.uri.utf8.count <= limits.targetBytes else { throw .targetTooLong(limits) }
        let bytes = head.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        guard bytes <= limits.headerBytes, head.headers.count <= limits.headerFields else {
            throw .headTooLarge(limits)
        }
        guard head.method != .CONNECT, head.uri.hasPrefix("/") || head.uri == "*" else {
            throw .invalid("a path is needed", code: "bad_request")
        }
        let hosts = head.headers[canonicalForm: "host"]
        guard hosts.count == 1 || hosts.isEmpty && head.version == .http1_0 else {
            throw .invalid("a request names one Host", code: "bad_request")
        }
        // The decoder refuses both lengths together, and twice the same; what is left is how others might read it.
        let codings = head.headers[canonicalForm: "transfer-encoding"]
        guard codings.isEmpty || codings.count == 1 && codings[0].lowercased() == "chunked" && head.version != .http1_0
        else { throw .invalid("Transfer-Encoding may only be chunked", code: "bad_request") }
        if let length = head.headers.first(name: "content-length") {
            guard let length = Int(length), length <= limits.bodyBytes else { throw .bodyTooLarge(limits) }
        }
        let encodings = head.headers[canonicalForm: "content-encoding"]
        guard encodings.allSatisfy({ $0.lowercased() == "identity" }) else {
            throw APIError(
                status: 415, "bodies have to come uncompressed", type: "invalid_request_error",
                code: "unsupported_content_encoding")
        }
    }

    private func refuse(_ error: APIError, _ admission: Admission) {
        request = nil
        front.refuse(error, admission)
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        lastWrite = .now()
        switch unwrapOutboundIn(data) {
        case .head(var head):
            head.version = version
            if head.headers.first(name: "connection")?.lowercased() == "close" { isLast = true }
            if isLast { head.headers.replaceOrAdd(name: "connection", value: "close") }
            if head.headers.first(name: "content-type")?.hasPrefix("text/event-stream") == true {
                scheduleHeartbeat(context)
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            heartbeat?.cancel()
            heartbeat = nil
            isOver = isLast || front.inputIsClosed
            // What waits behind an answer is let in by its end: the connection has to be ready for it.
            front.enter(.idle)
            guard isOver else { return context.write(data, promise: promise) }
            let written = promise ?? context.eventLoop.makePromise()
            written.futureResult.assumeIsolated().whenComplete { [front] _ in front.linger() }
            context.writeAndFlush(data, promise: written)
        }
    }

    private func scheduleHeartbeat(_ context: ChannelHandlerContext) {
        heartbeat = context.eventLoop.assumeIsolated().scheduleTask(deadline: lastWrite + TimeAmount(limits.heartbeat))
        {
            [self] in
            if NIODeadline.now() - lastWrite >= TimeAmount(limits.heartbeat), context.channel.isWritable {
                lastWrite = .now()
                let comment = ByteBuffer(string: ": keep-alive\n\n")
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(comment))), promise: nil)
            }
            scheduleHeartbeat(context)
        }
    }
}
