import MinkeFiles
import Testing

@testable import MinkeServing

@Suite struct LoadFiguresTests {
    @Test func percentilesInterpolateAsNumpyDoes() throws {
        // numpy.percentile([15, 20, 35, 40, 50], [0, 10, 40, 50, 90, 99, 100])
        let values = Distribution([50, 15, 40, 20, 35])
        let expected = [(0.0, 15.0), (10, 17), (40, 29), (50, 35), (90, 46), (99, 49.6), (100, 50)]
        for (percent, value) in expected {
            #expect(abs(try #require(values.percentile(percent)) - value) < 1e-12)
        }
        #expect(values.mean == 32)
        #expect(Distribution([]).percentile(50) == nil)
        #expect(Distribution([]).mean == nil)
        #expect(Distribution([7]).percentile(99) == 7)
    }

    @Test func aTimelineBecomesFigures() {
        let timeline = RequestTimeline(arrivals: [0.5, 0.6, 0.8], total: 0.9, outputTokens: 5, promptTokens: 10)
        #expect(timeline.timeToFirstToken == 0.5)
        #expect(timeline.gaps.map { ($0 * 1e6).rounded() } == [100_000, 200_000])
        // Two of the five tokens came within pieces of others: it is tokens that count.
        #expect(abs((timeline.timePerOutputToken ?? 0) - 0.3 / 4) < 1e-12)
        #expect(RequestTimeline(arrivals: [0.5], total: 0.6, outputTokens: 1).timePerOutputToken == nil)
        #expect(RequestTimeline(total: 0.6).timeToFirstToken == nil)
    }

    @Test func anObjectiveNeedsBothOfItsParts() {
        let objective = LoadPlan.Objective(timeToFirstToken: 0.5, tokensPerSecond: 20)
        func timeline(first: Double, perToken: Double, failure: RequestTimeline.Failure? = nil) -> RequestTimeline {
            RequestTimeline(
                arrivals: [first, first + perToken], total: first + perToken, outputTokens: 2, failure: failure)
        }
        #expect(timeline(first: 0.5, perToken: 0.04).meets(objective))
        #expect(!timeline(first: 0.51, perToken: 0.04).meets(objective))
        #expect(!timeline(first: 0.5, perToken: 0.06).meets(objective))
        #expect(!timeline(first: 0.1, perToken: 0.01, failure: .unfinished).meets(objective))
        #expect(RequestTimeline(arrivals: [0.2], total: 0.2, outputTokens: 1).meets(objective))
        #expect(!RequestTimeline(total: 0.2).meets(objective))
    }

    @Test func aReportCountsWhatWasCompleted() throws {
        var plan = LoadPlan(endpoint: try Endpoint("http://127.0.0.1:1"))
        plan.pace = .clients(2)
        let timelines = [
            RequestTimeline(arrivals: [0.1, 0.14], total: 0.3, outputTokens: 2, promptTokens: 100, cachedTokens: 64),
            RequestTimeline(
                arrivals: [0.9, 1.0, 1.1], total: 1.2, outputTokens: 3, promptTokens: 100, cachedTokens: 0),
            RequestTimeline(total: 0.01, failure: .status(429)), RequestTimeline(total: 0.01, failure: .status(429)),
            RequestTimeline(arrivals: [0.1], total: 5, outputTokens: 50, failure: .timedOut),
        ]
        let report = LoadReport(plan, model: "m", seconds: 2, timelines)
        #expect(report.completed == 2)
        #expect(report.failed == 3)
        #expect(report.failures.map(\.reason) == ["HTTP 429", "timed out"])
        #expect(report.failures.map(\.count) == [2, 1])
        #expect(report.outputTokens == 5)
        #expect(report.outputTokensPerSecond == 2.5)
        #expect(report.requestsPerSecond == 1)
        #expect(report.good == 1)
        #expect(report.goodput == 0.5)
        #expect(report.goodShare == 0.2)
        #expect(report.cachedShare == 0.32)
        #expect(report.interTokenLatency.count == 3)
        #expect(report.json["failures"]?["HTTP 429"] == 2)
        #expect(report.json["load"]?["clients"] == 2)
        let nothing = LoadReport(plan, model: "m", seconds: 0, [])
        #expect(nothing.outputTokensPerSecond == 0)
        #expect(nothing.json["ttft"]?["p99"] == .null)
    }

    @Test func eventsAreCutAtAnyByte() {
        let text = "data: {\"a\":1}\r\n\r\n: keep-alive\n\nevent: x\ndata:two\ndata: lines\n\ndata: [DONE]\n\n"
        let expected = ["{\"a\":1}", "two\nlines", "[DONE]"].map { Array($0.utf8) }
        for size in 1...20 {
            var lines = EventLines()
            var events: [[UInt8]] = []
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                events += lines.append(Array(bytes[start..<min(start + size, bytes.count)]))
            }
            #expect(events == expected)
        }
    }

    @Test func aRecordedStreamIsRead() {
        func piece(_ milliseconds: UInt64, _ text: String) -> HTTPExchange.Piece {
            HTTPExchange.Piece(time: 1_000_000_000 + milliseconds * 1_000_000, bytes: Array(text.utf8))
        }
        func chunk(_ delta: String) -> String {
            "data: {\"choices\":[{\"index\":0,\"delta\":\(delta)}],\"usage\":null}\n\n"
        }
        let pieces = [
            piece(5, ": keep-alive\n\n" + chunk("{\"role\":\"assistant\",\"content\":\"\"}")),
            piece(100, chunk("{\"reasoning_content\":\"so\"}")),
            piece(150, chunk("{\"content\":\"a\"}") + chunk("{\"content\":\"b\"}")),
            piece(250, chunk("{}")),
            piece(
                260,
                """
                data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3}}}

                data: [DONE]


                """),
        ]
        var exchange = HTTPExchange(
            started: 1_000_000_000, ended: 1_300_000_000, status: 200, pieces: pieces, ending: .whole)
        let whole = RequestTimeline(exchange, asked: 9)
        #expect(whole.failure == nil)
        #expect(whole.arrivals.map { ($0 * 1000).rounded() } == [100, 150, 150])
        #expect(whole.outputTokens == 4)
        #expect(whole.promptTokens == 7)
        #expect(whole.cachedTokens == 3)
        #expect(abs(whole.total - 0.3) < 1e-9)

        exchange.pieces.removeLast()
        #expect(RequestTimeline(exchange, asked: 9).failure == .unfinished)
        #expect(RequestTimeline(exchange, asked: 9).outputTokens == 3)
        // A server that does not count, and held back half a character: the answer is as long as it says.
        exchange.pieces.append(
            piece(
                255, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n"
            ))
        #expect(RequestTimeline(exchange, asked: 9).outputTokens == 9)
        #expect(RequestTimeline(exchange, asked: 9).failure == nil)
        exchange.pieces.removeLast()
        exchange.ending = .broken("the server closed the connection")
        #expect(RequestTimeline(exchange, asked: 9).failure == .connection("the server closed the connection"))
        exchange.pieces.append(
            piece(270, "data: {\"error\":{\"message\":\"m\",\"code\":\"shutting_down\"}}\n\ndata: [DONE]\n\n"))
        #expect(RequestTimeline(exchange, asked: 9).failure == .inStream("shutting_down"))
        exchange.status = 503
        #expect(RequestTimeline(exchange, asked: 9).failure == .status(503))
    }

    @Test func arrivalsHaveTheRateAndTheRegularityAskedFor() {
        for burstiness in [0.3, 1, 8] {
            var arrivals = Arrivals(rate: 4, burstiness: burstiness, seed: 3)
            var gaps: [Double] = []
            for _ in 0..<20_000 {
                let before = arrivals.time
                gaps.append(arrivals.next() - before)
            }
            let mean = gaps.reduce(0, +) / 20_000
            let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
            #expect(abs(mean - 0.25) < 0.015)
            // A gamma distribution's variance is its squared mean by its shape.
            #expect(abs(variance * burstiness / 0.0625 - 1) < 0.12)
            #expect(gaps.allSatisfy { $0 >= 0 })
        }
    }

    @Test func promptsAreTheSameForASeedAndShareWhatTheyShould() throws {
        var plan = LoadPlan(endpoint: try Endpoint("http://127.0.0.1:1"))
        plan.promptTokens = 100...140
        plan.outputTokens = 5...9
        plan.sharedPrefix = 0.5
        var prompts = LoadPrompts(plan)
        prompts.scale = LoadPrompts.Scale(overhead: 20, perWord: 2)
        #expect(prompts.draw(3) == prompts.draw(3))
        let draws = (0..<50).map { prompts.draw($0) }
        #expect(Set(draws.map(\.text)).count == 50)
        #expect(draws.allSatisfy { (5...9).contains($0.outputTokens) })
        let words = draws.map { $0.text.split(separator: " ") }
        #expect(words.allSatisfy { (40...60).contains($0.count) })
        #expect(Set(words.map { Array($0.prefix(20)) }).count == 1)
        #expect(Set(words.map { Array($0.dropFirst(30).prefix(10)) }).count == 50)
    }

    @Test func addressesAreRead() throws {
        let plain = try Endpoint("http://127.0.0.1:8080")
        #expect((plain.host, plain.port, plain.base) == ("127.0.0.1", 8080, "/v1"))
        let based = try Endpoint("HTTP://example.org/proxy/v1/")
        #expect((based.host, based.port, based.base) == ("example.org", 80, "/proxy/v1"))
        let six = try Endpoint("http://[::1]:81/")
        #expect((six.host, six.port, six.authority) == ("::1", 81, "[::1]:81"))
        for wrong in [
            "", "127.0.0.1:8080", "https://a", "http://", "http://a:0", "http://a:70000", "http://a:b", "http://u@h",
            "http://::1", "http://[::1", "http://a/?q", "http://a b", "http://a/\r\nX: y",
        ] {
            #expect(throws: InputError.self) { try Endpoint(wrong) }
        }
    }
}
