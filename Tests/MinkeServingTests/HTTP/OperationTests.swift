import Logging
import MinkeFiles
import MinkeServing
import Synchronization
import Testing

/// Health, metrics, log, and the way to the end.
@Suite struct OperationTests {
    @Test func whileTheModelLoadsRequestsAreRefused() async throws {
        let (wait, go) = AsyncStream.makeStream(of: Void.self)
        let load: @Sendable () async throws -> ServedModel = {
            for await _ in wait { break }
            return ServedModel(routes: [Fake.echo])
        }
        try await TestServer.run(early: [Fake.page], load: load) { server in
            try await server.client { client in
                #expect(client.get("/health")?.status == 200)
                #expect(client.get("/")?.body == "<p>")
                let ready = client.get("/ready")
                #expect(ready?.status == 503)
                #expect(ready?.headers["retry-after"] == "1")
                let early = client.post("/v1/echo")
                #expect(early?.status == 503)
                #expect(early?.json["error"]?["message"] == "Loading model")
                go.finish()
                while client.get("/ready")?.status != 200 {}
                #expect(client.post("/v1/echo")?.status == 200)
                #expect(client.get("/")?.body == "<p>")
            }
        }
    }

    @Test func aModelThatCannotBeLoadedEndsTheServer() async throws {
        await #expect(throws: InputError("broken")) {
            try await TestServer.run(load: { throw InputError("broken") }) { server in try await server.stop() }
        }
    }

    @Test func aPortThatIsTakenIsSaidInOneLine() async throws {
        try await TestServer.run { server in
            await #expect {
                _ = try await TestServer.run(configure: { $0.port = server.port }) { _ in true }
            } throws: { ($0 as? InputError)?.description.contains("cannot listen") == true }
        }
    }

    @Test func aStoppingServerFinishesWhatItHasAndTakesNothingNew() async throws {
        let endless = Endless()
        try await TestServer.run([endless.stream, Fake.echo]) { server in
            let (streaming, kept) = try await onThread { [port = server.port] in
                let streaming = try RawClient(port: port)
                streaming.sendPost("/v1/endless")
                _ = streaming.read(until: "begun")
                let kept = try RawClient(port: port)
                #expect(kept.get("/ready")?.status == 200)
                return (streaming, kept)
            }
            await server.beginStopping()
            try await onThread { [port = server.port] in
                while kept.get("/ready")?.status == 200 {}
                let late = try RawClient(port: port)
                let refused = late.post("/v1/echo")
                #expect(refused?.status == 503)
                #expect(refused?.code == "overloaded")
                #expect(refused?.headers["connection"] == "close")
                #expect(try RawClient(port: port).get("/health")?.status == 200)
                #expect(try RawClient(port: port).get("/metrics")?.body.contains("minke_ready 0\n") == true)
                endless.say("end", isLast: true)
                #expect(streaming.read(until: "\r\n0\r\n\r\n").contains("data: end\n\n"))
                #expect(streaming.readToEnd() == "")
            }
            try await server.stop()
            #expect(throws: InputError.self) { try RawClient(port: server.port) }
        }
    }

    @Test func requestsThatTakeTooLongAreEndedByTheModel() async throws {
        let endless = Endless()
        try await TestServer.run(
            [endless.stream], shutDown: { endless.say("[DONE]", isLast: true) },
            configure: { $0.drain = .milliseconds(50) }
        ) { server in
            let client = try await onThread { [port = server.port] in
                let client = try RawClient(port: port)
                client.sendPost("/v1/endless")
                _ = client.read(until: "begun")
                return client
            }
            try await server.stop()
            try await onThread { #expect(client.readToEnd().contains("data: [DONE]\n\n\r\n0\r\n\r\n")) }
        }
    }

    @Test func everyRequestIsALineOfTheLogWithoutItsText() async throws {
        let route = APIRoute(.post, "/v1/answer") { request in
            request.record.update {
                $0.promptTokens = 7
                $0.cachedTokens = 4
                $0.completionTokens = 3
                $0.queued = .milliseconds(1)
                $0.timeToFirstToken = .milliseconds(2)
                $0.decode = .milliseconds(4)
                $0.finishReason = "stop"
            }
            return .json(["text": "secret answer"])
        }
        try await TestServer.run([route]) { server in
            try await server.client { client in
                _ = client.post("/v1/answer", #"{"prompt":"secret question"}"#, "X-Request-Id: one")
                _ = client.get("/secret-path", "X-Request-Id: two")
                client.send("nonsense\r\n\r\n")
                _ = client.readToEnd()
            }
            let lines = try await server.requestLines(3)
            #expect(
                lines.allSatisfy {
                    $0.objectValue?.keys == [
                        "ts", "level", "message", "request_id", "route", "status", "prompt_tokens", "cached_tokens",
                        "completion_tokens", "queue_ms", "ttft_ms", "total_ms", "finish_reason", "client_gone",
                    ]
                })
            let first = lines[0]
            #expect(first["ts"]?.stringValue?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
            #expect(first["level"] == "info" && first["request_id"] == "one" && first["route"] == "/v1/answer")
            #expect(first["status"] == 200 && first["prompt_tokens"] == 7 && first["cached_tokens"] == 4)
            #expect(
                first["completion_tokens"] == 3 && first["queue_ms"] == .number(1) && first["ttft_ms"] == .number(2))
            #expect(first["finish_reason"] == "stop" && first["client_gone"] == false)
            #expect(first["total_ms"]?.doubleValue ?? -1 >= 0)
            #expect(lines[1]["request_id"] == "two" && lines[1]["route"] == "other" && lines[1]["status"] == 404)
            #expect(lines[1]["prompt_tokens"] == .null && lines[1]["finish_reason"] == .null)
            #expect(lines[2]["status"] == 400)
            #expect(!server.log.lines.contains { $0.text().contains("secret") })
            let metrics = try await server.client { $0.get("/metrics")?.body ?? "" }
            for line in [
                #"minke_requests_total{route="/v1/answer",method="POST",status="200"} 1"#,
                #"minke_requests_total{route="other",method="GET",status="404"} 1"#,
                #"minke_errors_total{status="400"} 1"#, #"minke_time_to_first_token_seconds_bucket{le="0.005"} 1"#,
                "minke_time_to_first_token_seconds_count 1", "minke_time_per_output_token_seconds_sum 0.002",
                "minke_queue_wait_seconds_count 1", "minke_e2e_request_latency_seconds_count 1", "minke_ready 1",
            ] {
                #expect(metrics.contains(line + "\n"), "\(line)")
            }
        }
    }

    @Test func metricsAreInPrometheusTextFormat() async throws {
        try await TestServer.run([Fake.stream(["1", "2", "3"])]) { server in
            let answer = try await server.client { client in
                client.sendPost("/v1/stream")
                _ = client.read(until: "\r\n0\r\n\r\n")
                return client.get("/metrics")
            }
            #expect(answer?.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            var types: [String: String] = [:]
            var samples: [String: Double] = [:]
            for line in (answer?.body ?? "").split(separator: "\n") {
                let words = line.split(separator: " ", maxSplits: 3).map(String.init)
                if line.hasPrefix("# TYPE ") {
                    #expect(types.updateValue(words[3], forKey: words[2]) == nil)
                } else if !line.hasPrefix("# HELP ") {
                    #expect(line.wholeMatch(of: /[a-z_0-9]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+/) != nil)
                    #expect(samples.updateValue(Double(words[1]) ?? .nan, forKey: words[0]) == nil)
                }
            }
            for (name, type) in types {
                #expect(name.hasPrefix("minke_"))
                #expect(name.hasSuffix("_total") == (type == "counter"), "\(name)")
                guard type == "histogram" else { continue }
                #expect(name.hasSuffix("_seconds"))
                #expect(samples[name + "_bucket{le=\"+Inf\"}"] == samples[name + "_count"])
            }
            for name in [
                "minke_requests_running", "minke_requests_waiting", "minke_cache_tokens_used",
                "minke_cache_tokens_held", "minke_cache_tokens_capacity", "minke_prefix_cache_queries_total",
                "minke_prefix_cache_hits_total", "minke_prompt_tokens_total", "minke_generation_tokens_total",
                "minke_preemptions_total", "minke_cpu_seconds_total", "minke_cost_dollars_total",
                "minke_cost_dollars_per_million_tokens", "minke_uptime_seconds",
            ] {
                #expect(samples[name]?.isFinite == true, "\(name)")
            }
        }
    }

    @Test func peopleGetPlainLines() throws {
        let text = Mutex("")
        var logger = Logger(label: "test") { _ in
            ServerLogHandler(style: .plain) { line in text.withLock { $0 += line } }
        }
        logger[metadataKey: "b"] = "two\nlines"
        logger.info("hello", metadata: ["a": .stringConvertible(1)])
        #expect(text.withLock { $0 }.wholeMatch(of: /\d\d:\d\d:\d\d info hello a=1 b=two lines\n/) != nil)
    }
}
