import Hummingbird
import Minke

/// A server of its own making that holds a model: what is posted to `/chat` is answered word by word.
@main
struct ChatServer {
    static func main() async throws {
        guard CommandLine.arguments.count == 2 else {
            print("usage: ChatServer MODEL")
            return
        }
        let assistant = try Assistant(model: CommandLine.arguments[1])

        let router = Router()
        router.post("chat") { request, _ in
            let question = String(buffer: try await request.body.collect(upTo: 1 << 16))
            let answer = try assistant.answer(question)
            return Response(
                status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
                body: ResponseBody { writer in
                    for await event in answer {
                        guard case .token(let token) = event, !token.text.isEmpty else { continue }
                        try await writer.write(ByteBuffer(string: token.text))
                    }
                    try await writer.finish(nil)
                })
        }
        let address = BindAddress.hostname("127.0.0.1", port: 8081)
        try await Application(router: router, configuration: .init(address: address)).runService()
    }
}
