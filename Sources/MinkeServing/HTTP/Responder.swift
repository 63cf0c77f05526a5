import HTTPTypes
import Hummingbird
import MinkeFiles
import NIOCore

/// Which connection a request came by.
struct RequestSource: InitializableFromSource {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) { channel = source.channel }
}

/// Answers requests that have passed the guards: calls their routes and turns replies and errors into HTTP.
struct Responder: HTTPResponder {
    typealias Context = RequestSource

    let state: ServerState
    let table: ConnectionTable
    let journal: Journal
    let limits: ServerLimits

    func respond(to request: Request, context: RequestSource) async throws -> Response {
        guard let connection = table[context.channel], let admission = connection.takeAdmission() else {
            throw ChannelError.ioOnClosedChannel
        }
        let exchange = Exchange(admission, state: state, journal: journal)
        do {
            if admission.isPreflight { return preflight(exchange, request) }
            if let refusal = admission.refusal { throw refusal }
            guard let route = admission.route else { throw APIError.invalid("there is no such path") }
            let call = APIRequest(
                id: admission.id, body: try Self.body(admission, of: route), parameter: admission.parameter,
                scope: admission.scope, record: exchange.record)
            let reply = try await connection.untilGone { try await route.handle(call) }
            return answer(reply, exchange, connection)
        } catch {
            return failure(error, exchange, connection)
        }
    }

    private static func body(_ admission: Admission, of route: APIRoute) throws(APIError) -> JSON {
        guard route.method == .post, admission.body.readableBytes > 0 else { return .object([:]) }
        let json: JSON
        do {
            json = try admission.body.withUnsafeReadableBytes { try JSON(parsing: $0) }
        } catch {
            throw .invalid("the body is not JSON: \(error)", code: "invalid_json")
        }
        guard json.objectValue != nil else { throw .invalid("the body is not a JSON object", code: "invalid_json") }
        return json
    }

    // MARK: Answers

    private func answer(_ reply: APIReply, _ exchange: Exchange, _ connection: Connection) -> Response {
        switch reply {
        case .json(let json):
            return whole(
                APIContent(type: "application/json", bytes: Array(json.text().utf8)), status: .ok, exchange, connection)
        case .content(let content): return whole(content, status: .ok, exchange, connection)
        case .stream(let format, let pieces): return stream(format, pieces, exchange, connection)
        }
    }

    private func whole(
        _ content: APIContent, status: HTTPResponse.Status, _ exchange: Exchange, _ connection: Connection
    ) -> Response {
        var response = Response(status: status)
        describe(&response, exchange)
        response.headers[.contentType] = content.type
        response.headers[.contentLength] = String(content.bytes.count)
        if let policy = content.securityPolicy {
            response.headers[.contentSecurityPolicy] = policy
            set("Referrer-Policy", "no-referrer", &response)
        }
        if exchange.admission.method != "HEAD" {
            response.body = ResponseBody(byteBuffer: ByteBuffer(bytes: content.bytes))
        }
        exchange.finish(status: status.code, isGone: connection.isGone)
        return response
    }

    private func stream(
        _ format: StreamFormat, _ source: AsyncStream<[UInt8]>, _ exchange: Exchange, _ connection: Connection
    ) -> Response {
        let relay = StreamRelay(source, for: connection, limit: limits.unreadBytes) { exchange.pieceArrived() }
        var response = Response(
            status: .ok,
            body: ResponseBody { writer in
                defer {
                    connection.whenGone(nil)
                    relay.cancel()
                }
                do {
                    for await piece in relay.pieces {
                        try await writer.write(ByteBuffer(bytes: piece))
                        relay.wrote(piece)
                    }
                    exchange.finish(status: 200, isGone: connection.isGone)
                    try await writer.finish(nil)
                } catch {
                    exchange.finish(status: 200, isGone: true)
                    throw error
                }
            })
        describe(&response, exchange)
        response.headers[.contentType] = format == .events ? "text/event-stream; charset=utf-8" : "application/x-ndjson"
        // Proxies must not collect the pieces.
        set("X-Accel-Buffering", "no", &response)
        return response
    }

    private func failure(_ error: any Error, _ exchange: Exchange, _ connection: Connection) -> Response {
        let told: APIError
        switch error {
        case let error as APIError: told = error
        case is CancellationError where connection.isGone:
            told = APIError(status: 499, "the client has left", type: "server_error", code: "client_gone")
        default:
            // Its text may hold what the client wrote.
            journal.logger.error(
                "a request failed",
                metadata: ["request_id": .string(exchange.admission.id), "error": .string("\(type(of: error))")])
            told = APIError(status: 500, "the server made a mistake", type: "server_error", code: "internal_error")
        }
        var response = whole(
            APIContent(
                type: "application/json", bytes: Array(told.json(for: exchange.admission.dialect).text().utf8)),
            status: .init(code: told.status), exchange, connection)
        if let wait = told.retryAfter { response.headers[.retryAfter] = String(wait.wholeSeconds) }
        if told.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
        if let methods = exchange.admission.allowedMethods { response.headers[.allow] = methods }
        if state.isDraining { response.headers[.connection] = "close" }
        return response
    }

    /// What a page of an allowed site may send.
    private func preflight(_ exchange: Exchange, _ request: Request) -> Response {
        var response = Response(status: .noContent)
        describe(&response, exchange)
        response.headers[.contentLength] = nil
        response.headers[.accessControlAllowMethods] = "GET, POST"
        response.headers[.accessControlAllowHeaders] = request.headers[.accessControlRequestHeaders] ?? "*"
        response.headers[.accessControlMaxAge] = "3600"
        exchange.finish(status: 204)
        return response
    }

    /// What all answers carry.
    private func describe(_ response: inout Response, _ exchange: Exchange) {
        set("X-Request-Id", exchange.admission.id, &response)
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        if let origin = exchange.admission.allowedOrigin {
            response.headers[.accessControlAllowOrigin] = origin
            response.headers[.accessControlExposeHeaders] = "X-Request-Id, Retry-After"
            response.headers[.vary] = "Origin"
        }
    }

    private func set(_ name: String, _ value: String, _ response: inout Response) {
        if let name = HTTPField.Name(name) { response.headers[name] = value }
    }
}
