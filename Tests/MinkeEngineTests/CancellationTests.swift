import MinkeGeneration
import MinkeTensors
import Testing

@testable import MinkeEngine

@Suite struct CancellationTests {
    private static func isIdle(_ engine: Engine) async -> Bool {
        // Ends are told within a step; a test that waits for ever fails by its time limit.
        while engine.statistics.running + engine.statistics.waiting > 0 { await Task.yield() }
        return engine.statistics.cacheTokensHeld == 0
    }

    @Test(.timeLimit(.minutes(15))) func leavingTheLoopFreesThePlace() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(maximumSequences: 1))
        let endless = EngineRequest(prompt: [1, 2, 3], maximumTokens: 1900, ignoresStopTokens: true)
        for await event in try engine.submit(endless) {
            if case .token = event { break }
        }
        #expect(await Self.isIdle(engine))
        #expect(engine.statistics.generatedTokens < 1900)
        // Dropped without being listened to.
        _ = try engine.submit(endless)
        #expect(await Self.isIdle(engine))
        // Its task is cancelled.
        let stream = try engine.submit(endless)
        let task = Task { await stream.answer() }
        while engine.statistics.running == 0 { await Task.yield() }
        task.cancel()
        _ = await task.value
        #expect(await Self.isIdle(engine))
        #expect(engine.statistics.cancelled == 3)
    }

    @Test(.timeLimit(.minutes(15))) func aWaitingRequestLeavesAtOnce() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(maximumSequences: 1, queueLimit: 1))
        let request = EngineRequest(prompt: [1, 2, 3], maximumTokens: 300, ignoresStopTokens: true)
        let expected = try await engine.answer(request)
        async let active = engine.answer(request)
        while engine.statistics.running == 0 { await Task.yield() }
        let waiting = try engine.submit(request)
        #expect(throws: EngineError.self) { try engine.submit(request) }
        waiting.cancel()
        // The place in the line is free, whatever the model does.
        let next = try engine.submit(request)
        let cancelled = await waiting.answer()
        #expect(cancelled.summary?.reason == .cancelled && cancelled.started == nil)
        #expect(try await active.tokens == expected.tokens)
        #expect(await next.answer().tokens == expected.tokens)
    }

    @Test(.timeLimit(.minutes(15))) func aLongPromptEndsWithItsPiece() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(prefillChunk: 16))
        let stream = try engine.submit(EngineRequest(prompt: Fixtures.prompt(2000)))
        for await event in stream {
            if case .started = event { break }
        }
        stream.cancel()
        #expect(await Self.isIdle(engine))
        #expect(engine.statistics.steps < 2000 / 16)
    }

    /// Requests of all kinds that are given up at any point, in a cache too small for them; those that are not given up
    /// get what they get alone, and nothing stays behind.
    @Test(.timeLimit(.minutes(15))) func manyComeAndGo() async throws {
        let model = try Fixtures.model()
        let engine = Engine(
            model,
            options: EngineOptions(
                maximumSequences: 5, queueLimit: 1000, cacheBytes: Fixtures.cacheBytes(model, tokens: 1024),
                prefillChunk: 64))
        var random = CounterRandom(seed: 3, purpose: "stress")
        func number(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
        let kinds = (0..<6).map { kind in
            EngineRequest(
                prompt: Fixtures.prompt([3, 40, 250, 300, 620, 90][kind], kind % 2), maximumTokens: 8 + kind,
                sampling: SamplingOptions(temperature: kind % 2 == 0 ? 0 : 1, seed: 4), ignoresStopTokens: true,
                logprobs: kind % 3 == 0 ? 1 : nil, scope: "\(kind % 3)")
        }
        var expected: [[EngineToken]] = []
        for kind in kinds { expected.append(try await Engine(model).answer(kind).tokens) }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<120 {
                let kind = number(kinds.count)
                let patience = number(3) == 0 ? Int.max : number(12)
                let request = kinds[kind]
                let wanted = expected[kind]
                group.addTask {
                    guard let stream = try? engine.submit(request) else {
                        Issue.record("refused")
                        return
                    }
                    var tokens: [EngineToken] = []
                    var events = 0
                    if patience == 0 { return }
                    for await event in stream {
                        if case .token(let token) = event { tokens.append(token) }
                        events += 1
                        if events >= patience { break }
                    }
                    #expect(tokens == Array(wanted.prefix(tokens.count)))
                    if patience == .max { #expect(tokens.count == wanted.count) }
                }
            }
        }
        #expect(await Self.isIdle(engine))
        let statistics = engine.statistics
        #expect(statistics.completed + statistics.cancelled == 120)
        #expect(statistics.completed > 0 && statistics.cancelled > 0)
        #expect(statistics.failed == 0 && statistics.refused == 0)
        #expect(statistics.cacheTokensUsed <= statistics.cacheTokensCapacity)
    }
}
