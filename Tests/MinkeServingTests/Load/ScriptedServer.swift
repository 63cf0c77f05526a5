import MinkeFiles
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server on loopback whose answers are written beforehand.
final class ScriptedServer: Sendable {
    /// What is done with a request.
    enum Answer: Sendable {
        case whole(status: HTTPResponseStatus, body: String)
        /// These pieces one after the other, the connection closed in the middle if `breaks`.
        case stream([String], breaks: Bool)
        /// Nothing ever.
        case silence
    }

    let port: Int
    private let channel: any Channel
    private let seen: Seen

    /// The bodies of all requests that came.
    final class Seen: Sendable {
        private let requests = Mutex<[(uri: String, key: String?, body: JSON)]>([])

        func add(_ uri: String, _ key: String?, _ body: JSON) -> Int {
            requests.withLock { requests in
                requests.append((uri, key, body))
                return requests.count - 1
            }
        }

        var all: [(uri: String, key: String?, body: JSON)] { requests.withLock { $0 } }
    }

    var requests: [(uri: String, key: String?, body: JSON)] { seen.all }
    var endpoint: String { "http://127.0.0.1:\(port)" }

    /// - Parameter answer: from a request's number, path and body.
    init(_ answer: @escaping @Sendable (Int, String, JSON) -> Answer) async throws {
        let seen = Seen()
        self.seen = seen
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(seen, answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    func close() async throws { try await channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let seen: Seen
        private let answer: @Sendable (Int, String, JSON) -> Answer
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ seen: Seen, _ answer: @escaping @Sendable (Int, String, JSON) -> Answer) {
            self.seen = seen
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): self.head = head
            case .body(let bytes): body += Array(bytes.readableBytesView)
            case .end:
                guard let head else { return }
                let json = (try? JSON(parsing: body)) ?? .null
                let number = seen.add(head.uri, head.headers.first(name: "Authorization"), json)
                send(answer(number, head.uri, json), context)
            }
        }

        private func send(_ answer: Answer, _ context: ChannelHandlerContext) {
            func body(_ text: String) -> NIOAny { wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))) }
            switch answer {
            case .whole(let status, let text):
                let headers: HTTPHeaders = ["Content-Length": "\(text.utf8.count)"]
                context.write(
                    wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))),
                    promise: nil)
                context.write(body(text), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .stream(let pieces, let breaks):
                let headers: HTTPHeaders = ["Content-Type": "text/event-stream"]
                context.write(
                    wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))),
                    promise: nil)
                for piece in pieces { context.writeAndFlush(body(piece), promise: nil) }
                if breaks {
                    context.close(promise: nil)
                } else {
                    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                }
            case .silence: break
            }
        }
    }
}

extension ScriptedServer.Answer {
    /// What a chat server answers: to a question without `stream` a count of words as tokens, otherwise so many tokens.
    static func chat(_ uri: String, _ body: JSON) -> Self {
        if uri.hasSuffix("/models") { return .whole(status: .ok, body: #"{"object":"list","data":[{"id":"toy"}]}"#) }
        let text = body["messages"]?.arrayValue?.first?["content"]?.stringValue ?? body["prompt"]?.stringValue ?? ""
        let words = text.split(separator: " ").count
        let tokens = body["max_tokens"]?.intValue ?? 0
        let usage =
            "{\"prompt_tokens\":\(2 * words + 10),\"completion_tokens\":\(tokens),\"prompt_tokens_details\":{\"cached_tokens\":8}}"
        guard body["stream"] == true else { return .whole(status: .ok, body: "{\"usage\":\(usage)}") }
        let piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n"
        let closing = ["data: {\"choices\":[],\"usage\":\(usage)}\n\n", "data: [DONE]\n\n"]
        return .stream([String](repeating: piece, count: tokens) + closing, breaks: false)
    }
}
