import MinkeFiles
import MinkeServing
import Testing

@Suite struct RoutingTests {
    @Test func pathsAreFoundWithAndWithoutVersionAndSlash() async throws {
        try await TestServer.run([Fake.echo, Fake.model, Fake.page]) { server in
            try await server.client { client in
                for path in ["/v1/echo", "/echo", "/v1/echo/", "/echo?x=1", "/beta/echo", "/v1/%65cho"] {
                    #expect(client.post(path)?.status == 200, "\(path)")
                }
                #expect(client.get("/v1/models/deep%20seek/v3")?.json["id"] == "deep seek/v3")
                #expect(client.get("/models/x")?.json["id"] == "x")
                let page = client.get("/")
                #expect(page?.body == "<p>")
                #expect(page?.headers["content-security-policy"] == "default-src 'none'")
            }
        }
    }

    @Test func unknownPathsAndMethodsAreErrorsWithAllFourKeys() async throws {
        try await TestServer.run([Fake.echo, Fake.model]) { server in
            try await server.client { client in
                for path in ["/v2/echo", "/v1", "/v1/models/", "/v1/models", "/../etc/passwd", "/v1/%zz", "//"] {
                    let answer = client.get(path)
                    #expect(answer?.status == 404, "\(path)")
                    #expect(answer?.json["error"]?.objectValue?.keys == ["message", "type", "param", "code"])
                }
                let wrong = client.get("/v1/echo")
                #expect(wrong?.status == 405)
                #expect(wrong?.headers["allow"] == "POST")
                #expect(wrong?.code == "method_not_allowed")
                client.send("DELETE /v1/models/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(client.answer()?.headers["allow"] == "GET, HEAD")
            }
        }
    }

    @Test func headIsGetWithoutBody() async throws {
        try await TestServer.run { server in
            try await server.client { client in
                client.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                let head = client.answer(hasBody: false)
                #expect(head?.status == 200)
                #expect(head?.headers["content-length"] == "15")
                #expect(client.get("/health")?.json == ["status": "ok"])
            }
        }
    }

    @Test func requestIdsAreEchoedIfTheyAreHarmlessAndElseMade() async throws {
        try await TestServer.run([Fake.echo]) { server in
            try await server.client { client in
                let own = client.post("/v1/echo", "{}", "X-Request-Id: a-1_b.c:D")
                #expect(own?.headers["x-request-id"] == "a-1_b.c:D")
                #expect(own?.json["id"] == "a-1_b.c:D")
                let long = String(repeating: "x", count: 129)
                for id in ["", "a b", "a\"b", "ä", long] {
                    let made = client.post("/v1/echo", "{}", "X-Request-Id: \(id)")
                    #expect(made?.headers["x-request-id"]?.hasPrefix("req_") == true, "\(id)")
                    #expect(made?.headers["x-request-id"]?.count == 36)
                }
            }
        }
    }

    @Test func bodiesThatAreNoObjectsAreRefused() async throws {
        try await TestServer.run([Fake.echo]) { server in
            try await server.client { client in
                #expect(client.post("/v1/echo", "")?.json["body"] == .object([:]))
                #expect(client.post("/v1/echo", #"{"a":[1]}"#)?.json["body"] == ["a": [1]])
                let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
                for body in ["{", "[]", "1", "nul", "{\"a\":1,\"a\":2}", "{\"a\":\(deep)}"] {
                    let answer = client.post("/v1/echo", body)
                    #expect(answer?.status == 400)
                    #expect(answer?.code == "invalid_json")
                }
                let packed = client.post("/v1/echo", "{}", "Content-Encoding: gzip")
                #expect(packed?.status == 415)
            }
        }
    }

    @Test func whatRoutesThrowBecomesAnErrorInTheirDialect() async throws {
        struct Secret: Error {}
        let full = APIError(
            status: 429, "too many", type: "rate_limit_error", code: "queue_full", retryAfter: .milliseconds(1200))
        let routes = [
            APIRoute(.post, "/v1/full") { _ in throw full },
            APIRoute(.post, "/v1/messages", dialect: .anthropic) { _ in throw full },
            APIRoute(.post, "/api/chat", dialect: .ollama) { _ in throw full },
            APIRoute(.post, "/v1/broken") { _ in throw Secret() },
        ]
        try await TestServer.run(routes) { server in
            try await server.client { client in
                let answer = client.post("/v1/full")
                #expect(answer?.status == 429)
                #expect(answer?.headers["retry-after"] == "2")
                #expect(answer?.json == full.json(for: .openAI))
                #expect(client.post("/v1/messages")?.json == full.json(for: .anthropic))
                #expect(client.post("/api/chat")?.json == full.json(for: .ollama))
                let broken = client.post("/v1/broken")
                #expect(broken?.status == 500)
                #expect(broken?.body.contains("Secret") == false)
            }
        }
    }
}
