import Foundation
import MinkeFiles
import MinkeServing
import Testing

/// What is too large, too slow or no HTTP.
@Suite struct LimitTests {
    private static let host = "Host: localhost\r\n"

    /// What a server says to bytes after which it closes the connection.
    private func reply(
        _ bytes: String, configure: @escaping (inout ServerConfiguration) -> Void = { _ in }
    ) async throws -> (status: Int, code: String?, rest: String) {
        try await TestServer.run([Fake.echo], configure: configure) { server in
            try await server.client { client in
                client.send(bytes)
                let answer = try #require(client.answer(), "closed without an answer")
                #expect(answer.headers["connection"] == "close")
                return (answer.status, answer.code, client.readToEnd())
            }
        }
    }

    @Test(arguments: [
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2, 2\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -2\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n 0\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length : 2\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /v1/echo HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/echo HTTP/1.1\r\nHost:\r\nContent-Length: 2\r\n\r\n{}",
        "POST http://localhost/v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nX: \u{1}\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
        "no request at all\r\n\r\n",
    ])
    func whatTwoReadersCouldReadInTwoWaysIsRefused(_ bytes: String) async throws {
        let smuggled = "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
        let (status, code, rest) = try await reply(bytes + smuggled)
        #expect(status == 400)
        #expect(code == "bad_request")
        #expect(rest.isEmpty, "nothing of the bytes behind it is answered")
    }

    @Test func chunkedBodiesAndRequestsInOneGoAreUnderstood() async throws {
        try await TestServer.run([Fake.echo]) { server in
            try await server.client { client in
                let head = "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\n"
                client.send(
                    head + "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3;x=y\r\n:1}\r\n0\r\n\r\n" + head
                        + "Content-Length: 7\r\n\r\n{\"a\":2}" + head + "Content-Length: 7\r\n\r\n{\"a\":3}")
                for number in 1...3 { #expect(client.answer()?.json["body"] == ["a": .integer(number)]) }
                client.send(head + "Expect: 100-continue\r\nContent-Length: 7\r\n\r\n")
                #expect(client.answer()?.status == 100)
                client.send("{\"a\":4}")
                #expect(client.answer()?.json["body"] == ["a": 4])
            }
        }
    }

    @Test func largeHeadsAreRefused() async throws {
        let field = "X: " + String(repeating: "x", count: 2_000) + "\r\n"
        for (count, status) in [(7, 404), (9, 431), (40, 431)] {
            let fields = String(repeating: field, count: count) + "Connection: close\r\n"
            #expect(try await reply("GET /a HTTP/1.1\r\n\(Self.host)\(fields)\r\n").status == status)
        }
        for (count, status) in [(98, 404), (99, 431), (200, 431)] {
            let fields = String(repeating: "A: b\r\n", count: count) + "Connection: close\r\n"
            #expect(try await reply("GET /a HTTP/1.1\r\n\(Self.host)\(fields)\r\n").status == status)
        }
        for (count, status) in [(8_191, 404), (8_192, 414), (30_000, 414), (200_000, 414)] {
            let path = "/" + String(repeating: "a", count: count)
            #expect(try await reply("GET \(path) HTTP/1.1\r\n\(Self.host)Connection: close\r\n\r\n").status == status)
        }
    }

    @Test func largeBodiesAreRefusedBeforeOrWhileTheyCome() async throws {
        let limit: @Sendable (inout ServerConfiguration) -> Void = { $0.limits.bodyBytes = 100 }
        let head = "POST /v1/echo HTTP/1.1\r\n" + Self.host
        for length in ["101", "9223372036854775807"] {
            let (status, code, _) = try await reply(head + "Content-Length: \(length)\r\n\r\n", configure: limit)
            #expect(status == 413)
            #expect(code == "request_too_large")
        }
        let chunks = String(repeating: "20\r\n" + String(repeating: " ", count: 32) + "\r\n", count: 4)
        #expect(try await reply(head + "Transfer-Encoding: chunked\r\n\r\n" + chunks, configure: limit).status == 413)
        #expect(
            try await reply(head + "Expect: 100-continue\r\nContent-Length: 101\r\n\r\n", configure: limit).status
                == 413)
        try await TestServer.run([Fake.echo], configure: limit) { server in
            try await server.client { client in
                #expect(client.post("/v1/echo", "{" + String(repeating: " ", count: 98) + "}")?.status == 200)
            }
        }
    }

    @Test func theWholeBodyOfARefusedRequestCanBeSent() async throws {
        // More than the buffers of both sides take: a server that closed at once would cut its answer off.
        let body = String(repeating: " ", count: 6 << 20)
        try await TestServer.run(configure: { $0.limits.bodyBytes = 1 << 20 }) { server in
            try await server.client { client in
                client.sendPost("/v1/echo", body)
                #expect(client.answer()?.status == 413)
            }
        }
        try await TestServer.run(configure: { $0.keys = ["k"] }) { server in
            try await server.client { client in
                #expect(client.post("/v1/echo", body)?.status == 401)
                #expect(client.get("/health")?.status == 200, "and the connection goes on")
            }
        }
    }

    @Test func clientsThatDripAreClosed() async throws {
        let limits: @Sendable (inout ServerConfiguration) -> Void = {
            $0.limits.headTime = .milliseconds(100)
            $0.limits.bodyTime = .milliseconds(150)
            $0.limits.idleTime = .milliseconds(200)
        }
        try await TestServer.run([Fake.echo], configure: limits) { server in
            async let silent = server.client { $0.readToEnd() }
            async let head = server.client { client in
                client.send("GET /health HT")
                return client.readToEnd()
            }
            async let dripping = server.client { client in
                var count = 0
                client.send("GET /")
                while client.send("x"), count < 1_000_000 {
                    count += 1
                    usleep(1_000)
                }
                return count
            }
            async let body = server.client { client in
                client.send("POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
                return client.readToEnd()
            }
            async let idle = server.client { client in
                #expect(client.get("/health")?.status == 200)
                return client.readToEnd()
            }
            let texts = try await [silent, head, body, idle]
            #expect(texts.map { $0.prefix(12) } == ["", "HTTP/1.1 408", "HTTP/1.1 408", ""])
            let drops = try await dripping
            #expect(drops < 1_000_000)
        }
    }

    @Test func clientsThatLeaveInTheMiddleOfARequestLeaveTheServerAsItWas() async throws {
        try await TestServer.run([Fake.echo], configure: { $0.limits.bodyBytes = 10 }) { server in
            let begun = [
                "G", "GET /health HTTP/1.1\r\nHost: lo",
                "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
                "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n                  ",
            ]
            for bytes in begun {
                for isHalf in [false, true] {
                    try await server.client { client in
                        client.send(bytes)
                        if isHalf {
                            client.closeSending()
                            _ = client.readToEnd()
                        }
                    }
                }
            }
            let health = try await server.client { $0.get("/health") }
            #expect(health?.status == 200)
        }
    }

    @Test func newcomersTakeThePlacesOfThoseWhoSendNothing() async throws {
        try await TestServer.run([Fake.echo], configure: { $0.limits.connections = 4 }) { server in
            let drips = try await onThread { [port = server.port] in
                try (0..<20).map { _ in
                    let client = try RawClient(port: port)
                    client.send("GET /")
                    return client
                }
            }
            for _ in 0..<3 { #expect(try await server.client { $0.get("/health")?.status } == 200) }
            try await onThread {
                // The oldest had to go.
                #expect(drips[0].readToEnd() == "")
            }
        }
    }

    @Test func tooManyConnectionsThatAreAnsweredAreRefusedWithoutHarmToThem() async throws {
        let endless = Endless()
        try await TestServer.run([endless.stream], configure: { $0.limits.connections = 2 }) { server in
            let busy = try await onThread { [port = server.port] in
                try (0..<2).map { _ in
                    let client = try RawClient(port: port)
                    client.sendPost("/v1/endless")
                    #expect(client.read(until: "begun").hasSuffix("begun"))
                    return client
                }
            }
            let refused = try await server.client { client in client.get("/v1/models") }
            #expect(refused?.status == 503)
            #expect(refused?.code == "too_many_connections")
            endless.say("end", isLast: true)
            try await onThread {
                for client in busy { #expect(client.read(until: "0\r\n\r\n").contains("data: end")) }
            }
        }
    }
}
