import MinkeFiles
import Synchronization
import Testing

@testable import MinkeServing

@Suite struct LoadRunTests {
    @Test(arguments: [LoadPlan.Pace.clients(3), .rate(500, burstiness: 1)])
    func everyRequestIsSentOnceAndCounted(pace: LoadPlan.Pace) async throws {
        let server = try await ScriptedServer { _, uri, body in .chat(uri, body) }
        var plan = LoadPlan(endpoint: try Endpoint(server.endpoint))
        plan.pace = pace
        plan.requests = 12
        plan.promptTokens = 50...90
        plan.outputTokens = 3...6
        plan.apiKey = "secret"
        let heard = Mutex(0)
        let report = try await LoadRun(plan).report { _ in heard.withLock { $0 += 1 } }
        #expect(report.model == "toy")
        #expect(report.completed == 12)
        #expect(report.failed == 0)
        #expect(heard.withLock { $0 } == 12)

        let sent = server.requests
        #expect(sent.allSatisfy { $0.key == "Bearer secret" })
        let streamed = sent.map(\.body).filter { $0["stream"] == true }
        #expect(streamed.count == 12)
        #expect(sent.count == 15)
        #expect(report.outputTokens == streamed.reduce(0) { $0 + ($1["max_tokens"]?.intValue ?? 0) })
        #expect(Set(streamed.compactMap { $0["messages"]?.arrayValue?.first?["content"]?.stringValue }).count == 12)
        // Lengths follow what the server said of the first two prompts: two tokens a word, ten around them.
        #expect(report.promptTokens >= 12 * 49 && report.promptTokens <= 12 * 91)
        #expect(report.cachedTokens == 12 * 8)
        #expect(report.interTokenLatency.count == report.outputTokens - 12)
        #expect(report.timeToFirstToken.count == 12)
        try await server.close()
    }

    @Test func failuresAreToldApart() async throws {
        let server = try await ScriptedServer { number, uri, body in
            guard body["stream"] == true else { return .chat(uri, body) }
            let piece = "data: {\"choices\":[{\"text\":\"x\"}]}\n\n"
            switch number % 5 {
            case 0: return .whole(status: .tooManyRequests, body: "{}")
            case 1: return .stream([piece], breaks: true)
            case 2:
                return .stream(
                    [piece, "data: {\"error\":{\"type\":\"server_error\",\"code\":null}}\n\n"], breaks: false)
            case 3: return .stream([piece], breaks: false)
            default: return .chat(uri, body)
            }
        }
        var plan = LoadPlan(endpoint: try Endpoint(server.endpoint))
        plan.interface = .completions
        plan.model = "given"
        plan.requests = 10
        let report = try await LoadRun(plan).report()
        #expect(report.completed == 2)
        #expect(report.model == "given")
        let reasons = Dictionary(uniqueKeysWithValues: report.failures.map { ($0.reason, $0.count) })
        #expect(reasons["HTTP 429"] == 2)
        #expect(reasons["error in the stream: server_error"] == 2)
        #expect(reasons["the stream ended without [DONE]"] == 2)
        #expect(report.failed == 8)
        #expect(server.requests.allSatisfy { $0.uri == "/v1/completions" })
        try await server.close()
    }

    @Test func silentAndAbsentServersAreGivenUp() async throws {
        let server = try await ScriptedServer { _, uri, body in body["stream"] == true ? .silence : .chat(uri, body) }
        var plan = LoadPlan(endpoint: try Endpoint(server.endpoint))
        plan.requests = 1
        let exchange = await HTTPExchange.perform(
            plan.endpoint, path: "/chat/completions", body: ["stream": true], apiKey: nil, timeout: 0.05,
            on: .singletonMultiThreadedEventLoopGroup)
        #expect(RequestTimeline(exchange, asked: 1).failure == .timedOut)
        try await server.close()
        await #expect(throws: InputError.self) { try await LoadRun(plan) }
    }

    @Test func aRunEndsByItsClock() async throws {
        let server = try await ScriptedServer { _, uri, body in .chat(uri, body) }
        var plan = LoadPlan(endpoint: try Endpoint(server.endpoint))
        plan.seconds = 0.05
        plan.outputTokens = 2...2
        // How many requests fit into the time is the machine's affair.
        #expect(try await LoadRun(plan).report().failed == 0)
        try await server.close()
    }

    @Test func plansThatMakeNoSenseAreRefused() throws {
        let good = LoadPlan(endpoint: try Endpoint("http://127.0.0.1:1"))
        let changes: [(inout LoadPlan) -> Void] = [
            { _ in }, { $0.requests = 0 }, { $0.seconds = -1 }, { $0.seconds = .nan }, { $0.pace = .clients(0) },
            { $0.pace = .rate(.infinity, burstiness: 1) }, { $0.pace = .rate(1, burstiness: 0) },
            { $0.sharedPrefix = 1.1 }, { $0.promptTokens = 0...1 }, { $0.timeout = 0 }, { $0.temperature = .nan },
        ]
        for (index, change) in changes.enumerated() {
            var plan = good
            if index > 0 { plan.requests = 1 }
            change(&plan)
            #expect(throws: InputError.self) { try plan.validate() }
        }
    }
}
