import Foundation
import MinkeFiles
import MinkeServing
import Synchronization
import Testing

/// Answers piece by piece, and clients that leave.
@Suite struct StreamTests {
    @Test func piecesAreSentAsTheyCome() async throws {
        let endless = Endless()
        try await TestServer.run([Fake.stream(["1", "2", "[DONE]"]), endless.stream]) { server in
            try await server.client { client in
                client.sendPost("/v1/stream")
                let text = client.read(until: "\r\n0\r\n\r\n")
                #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(text.lowercased().contains("content-type: text/event-stream"))
                #expect(text.lowercased().contains("cache-control: no-store"))
                for piece in ["9\r\ndata: 1\n\n\r\n", "9\r\ndata: 2\n\n\r\n", "data: [DONE]\n\n"] {
                    #expect(text.contains(piece))
                }
                #expect(client.get("/health")?.status == 200, "the connection goes on")
                client.sendPost("/v1/endless")
                #expect(client.read(until: "begun").hasSuffix("data: begun"))
            }
            // The first piece was there while the answer went on.
            #expect(endless.begun.load(ordering: .relaxed) == 1)
        }
    }

    @Test func oldClientsGetStreamsThatEndWithTheConnection() async throws {
        try await TestServer.run([Fake.stream(["1", "[DONE]"])]) { server in
            let text = try await server.client { client in
                client.send("POST /v1/stream HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return client.readToEnd()
            }
            #expect(text.lowercased().contains("connection: close"))
            #expect(text.hasSuffix("\r\n\r\ndata: 1\n\ndata: [DONE]\n\n"))
        }
    }

    @Test func quietStreamsSayThatTheyLive() async throws {
        let endless = Endless()
        try await TestServer.run(
            [endless.stream], configure: { $0.limits.heartbeat = .milliseconds(20) }
        ) { server in
            try await server.client { client in
                client.sendPost("/v1/endless")
                _ = client.read(until: "data: begun\n\n")
                for _ in 0..<2 { #expect(client.read(until: ": keep-alive\n\n").hasSuffix(": keep-alive\n\n")) }
                endless.say("end", isLast: true)
                #expect(client.read(until: "\r\n0\r\n\r\n").contains("data: end\n\n"))
            }
        }
    }

    @Test func aClientThatLeavesCancelsItsRequestAndNoOther() async throws {
        let endless = Endless()
        try await TestServer.run([endless.whole, endless.stream]) { server in
            let staying = try await onThread { [port = server.port] in
                let client = try RawClient(port: port)
                client.sendPost("/v1/endless")
                _ = client.read(until: "begun")
                return client
            }
            for path in ["/v1/whole", "/v1/endless"] {
                for isHalf in [false, true] {
                    let before = (endless.begun.load(ordering: .relaxed), endless.cancelled.load(ordering: .relaxed))
                    let client = try await onThread { [port = server.port] in
                        let client = try RawClient(port: port)
                        client.sendPost(path)
                        return client
                    }
                    try await until { endless.begun.load(ordering: .relaxed) > before.0 }
                    if isHalf { client.closeSending() } else { client.close() }
                    try await until { endless.cancelled.load(ordering: .relaxed) > before.1 }
                }
            }
            let lines = try await server.requestLines(4)
            #expect(lines.allSatisfy { $0["client_gone"] == true })
            #expect(lines.map { $0["status"]?.intValue }.sorted { $0 ?? 0 < $1 ?? 0 } == [200, 200, 499, 499])
            endless.say("end", isLast: true)
            try await onThread { #expect(staying.read(until: "\r\n0\r\n\r\n").contains("data: end")) }
        }
    }

    @Test func aClientThatLeavesManyTimesLeavesNothingBehind() async throws {
        let endless = Endless()
        try await TestServer.run([endless.stream]) { server in
            let cycles = 100
            try await onThread { [port = server.port] in
                for _ in 0..<cycles {
                    let client = try RawClient(port: port)
                    client.sendPost("/v1/endless")
                    _ = client.read(until: "begun")
                    client.close()
                }
            }
            try await until { endless.cancelled.load(ordering: .relaxed) == cycles }
            _ = try await server.requestLines(cycles)
            let metrics = try await server.client { $0.get("/metrics")?.body ?? "" }
            #expect(metrics.contains("minke_clients_gone_total \(cycles)\n"))
            #expect(metrics.contains("minke_http_requests_active 1\n"), "this one")
        }
    }

    @Test func aClientThatDoesNotReadIsClosed() async throws {
        // Pieces without end: what waits for the client is bounded, and so is how long it may wait.
        for (bytes, time) in [(1 << 20, 3600.0), (Int.max, 0.1)] {
            let cancelled = Atomic<Bool>.Flag()
            let route = APIRoute(.post, "/v1/flood") { _ in
                let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
                let work = Task {
                    while !Task.isCancelled {
                        continuation.yield([UInt8](repeating: 0x20, count: 1 << 14))
                        try? await Task.sleep(for: .milliseconds(1))
                    }
                }
                continuation.onTermination = { _ in
                    work.cancel()
                    cancelled.set()
                }
                return .stream(.lines, stream)
            }
            try await TestServer.run(
                [route],
                configure: {
                    $0.limits.unreadBytes = bytes
                    $0.limits.writeTime = .seconds(time)
                }
            ) { server in
                let client = try await onThread { [port = server.port] in
                    let client = try RawClient(port: port, receiveBuffer: 4096)
                    client.sendPost("/v1/flood")
                    return client
                }
                try await until { cancelled.isSet }
                client.close()
            }
        }
    }
}

extension Atomic<Bool> {
    /// A flag that several tasks hold.
    final class Flag: Sendable {
        private let value = Atomic<Bool>(false)

        var isSet: Bool { value.load(ordering: .relaxed) }

        func set() { value.store(true, ordering: .relaxed) }
    }
}
