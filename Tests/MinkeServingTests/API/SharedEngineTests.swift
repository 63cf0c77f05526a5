import MinkeEngine
import MinkeFiles
import MinkeTestSupport
import Testing

@testable import MinkeServing

/// What requests get does not depend on who else is there, and they leave nothing behind.
@Suite struct SharedEngineTests {
    private static let path = ChatCompletionTests.path

    private static func body(_ text: String) -> JSON {
        [
            "messages": [["role": "user", "content": .string(text)]], "temperature": 0, "max_tokens": 12,
            "thinking": ["type": "disabled"], "ignore_eos": true,
        ]
    }

    @Test func greedyAnswersAreTheSameHoweverTheyAreAskedFor() async throws {
        let text = String(repeating: "the whale swam to the harbour ", count: 60)
        let alone = try await TestService().json(Self.path, Self.body(text))
        let expected = try #require(alone["choices", 0, "message", "content"].stringValue)
        let test = try TestService()
        let first = try await test.json(Self.path, Self.body(text))
        let cached = try await test.json(Self.path, Self.body(text))
        #expect(first["usage", "prompt_cache_hit_tokens"] == 0)
        #expect(cached["usage", "prompt_cache_hit_tokens"].intValue ?? 0 > 0)
        for reply in [first, cached] {
            #expect(reply["choices", 0, "message", "content"].stringValue == expected)
            let usage = reply["usage"] ?? .null
            #expect(
                (usage["prompt_cache_hit_tokens"].intValue ?? 0) + (usage["prompt_cache_miss_tokens"].intValue ?? 0)
                    == usage["prompt_tokens"].intValue)
            #expect(usage["prompt_tokens_details", "cached_tokens"] == usage["prompt_cache_hit_tokens"])
        }
        let several = try await test.json(Self.path, Self.body(text).with(["n": 3]))
        for index in 0..<3 { #expect(several["choices", index, "message", "content"].stringValue == expected) }
        try await withThrowingTaskGroup(of: String.self) { group in
            for place in 0..<8 {
                group.addTask {
                    if place % 2 == 0 {
                        let other = try await test.json(Self.path, Self.body("orca \(place)"))
                        return other["choices", 0, "message", "content"].isNull ? "" : expected
                    }
                    let stream = try await test.stream(Self.path, Self.body(text))
                    return try TestService.events(stream)
                        .map { $0["choices", 0, "delta", "content"].stringValue ?? "" }.joined()
                }
            }
            for try await content in group { #expect(content == expected) }
        }
    }

    @Test func cachesAreNotSharedBetweenScopes() async throws {
        let test = try TestService()
        let body = Self.body(String(repeating: "the whale swam to the harbour ", count: 60))
        func hits(_ scope: String) async throws -> Int? {
            try await test.json(Self.path, body, scope: scope)["usage", "prompt_cache_hit_tokens"].intValue
        }
        #expect(try await hits("one") == 0)
        #expect(try await hits("two") == 0)
        #expect(try await hits("one") ?? 0 > 0)
    }

    @Test(.timeLimit(.minutes(10))) func whoLeavesFreesThePlace() async throws {
        let test = try TestService()
        let engine = test.service.engine
        let turnstile = try await Turnstile(engine.model)
        let endless = Self.body("whale").with(["max_tokens": 900, "stream": true, "n": 2])
        let records = [RequestRecord(), RequestRecord(), RequestRecord()]
        // In the midst of an answer.
        if case .stream(_, let frames) = try await test.reply(Self.path, endless, record: records[0]) {
            try await turnstile.step()
            #expect(engine.statistics.running == 2)
            for await _ in frames { break }
        }
        // Not listened to at all.
        _ = try await test.reply(Self.path, endless, record: records[1])
        // Waiting for the whole answer.
        let whole = Self.body("whale").with(["max_tokens": 900])
        let task = Task { try await test.json(Self.path, whole, record: records[2]) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        // Those that waited are gone, although the engine is held; those that ran go with its next step.
        #expect(records.allSatisfy { $0.figures.finishReason == "cancelled" })
        #expect(engine.statistics.waiting == 0 && engine.statistics.cancelled == 3)
        try await turnstile.step()
        #expect(engine.statistics.running == 0 && engine.statistics.cancelled == 5)
        #expect(engine.statistics.cacheTokensHeld == 0)
        #expect(engine.statistics.completed + engine.statistics.failed == 0)
    }

    @Test(.timeLimit(.minutes(10))) func aShutdownIsToldInTheStream() async throws {
        let test = try TestService()
        let engine = test.service.engine
        let turnstile = try await Turnstile(engine.model)
        let endless = Self.body("whale").with(["max_tokens": 900, "stream": true])
        guard case .stream(_, let frames) = try await test.reply(Self.path, endless) else { return }
        try await turnstile.step()
        // The engine hears of it before its next step: it is held until a request that waits was told.
        let waiting = try engine.submit(EngineRequest(prompt: [1], maximumTokens: 1))
        let ending = Task { await engine.shutdown() }
        for await _ in waiting {}
        turnstile.open()
        var text = ""
        for await frame in frames { text += String(decoding: frame, as: UTF8.self) }
        await ending.value
        #expect(
            text.hasSuffix(
                #"data: {"error":{"message":"the server is shutting down","type":"server_error","param":null,"#
                    + #""code":"overloaded"}}"# + "\n\ndata: [DONE]\n\n"))
        #expect(!text.contains(#""finish_reason":"length""#))
    }
}
