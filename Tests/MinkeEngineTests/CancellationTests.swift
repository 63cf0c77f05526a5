import MinkeGeneration
import MinkeTensors
import MinkeTestSupport
import Testing

@testable import MinkeEngine

/// Requests that are given up. A turnstile holds the model while that happens.
@Suite(.patient) struct CancellationTests {
    /// A request that does not end by itself while a test looks.
    private static let endless = EngineRequest(prompt: [1, 2, 3], maximumTokens: .max, ignoresStopTokens: true)

    /// Nothing runs, waits or holds memory.
    private static func isIdle(_ engine: Engine) -> Bool {
        let statistics = engine.statistics
        return statistics.running + statistics.waiting + statistics.cacheTokensHeld == 0
    }

    @Test func leavingTheLoopFreesThePlace() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(maximumSequences: 1))
        let turnstile = try await Turnstile(engine.model)
        let left = try engine.submit(Self.endless)
        try await turnstile.step()
        for await event in left {
            if case .token = event { break }
        }
        #expect(engine.statistics.running == 1)
        // Within one step, in which it gets no further token.
        try await turnstile.step()
        #expect(Self.isIdle(engine))
        #expect(engine.statistics.generatedTokens == 1)
        #expect(engine.statistics.cancelled == 1)

        // Dropped without being listened to, while it runs and before that.
        var dropped: EngineStream? = try engine.submit(Self.endless)
        try await turnstile.step()
        #expect(engine.statistics.running == 1 && dropped != nil)
        dropped = nil
        try await turnstile.step()
        #expect(Self.isIdle(engine))
        _ = try engine.submit(Self.endless)
        #expect(Self.isIdle(engine))
        #expect(engine.statistics.cancelled == 3)

        // Its task is cancelled.
        let stream = try engine.submit(Self.endless)
        let task = Task { await stream.answer() }
        try await turnstile.step()
        #expect(engine.statistics.running == 1)
        task.cancel()
        #expect(try await result { await task.value }.summary == nil)
        try await turnstile.step()
        #expect(Self.isIdle(engine))
        #expect(engine.statistics.cancelled == 4)

        // Nobody is left behind who would be in the way.
        turnstile.open()
        let next = try await engine.answer(EngineRequest(prompt: [4], maximumTokens: 3, ignoresStopTokens: true))
        #expect(next.ids.count == 3)
    }

    @Test func aWaitingRequestLeavesAtOnce() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(maximumSequences: 1, queueLimit: 1))
        let request = EngineRequest(prompt: [1, 2, 3], maximumTokens: 20, ignoresStopTokens: true)
        let expected = try await engine.answer(request)
        let turnstile = try await Turnstile(engine.model)
        let active = try engine.submit(request)
        try await turnstile.step()
        let waiting = try engine.submit(request)
        #expect(engine.statistics.running == 1 && engine.statistics.waiting == 1)
        #expect(throws: EngineError.self) { try engine.submit(request) }
        waiting.cancel()
        // The model is held: its end is told and the place in the line is free whatever the model does.
        let cancelled = await waiting.answer()
        #expect(cancelled.summary?.reason == .cancelled && cancelled.started == nil)
        let next = try engine.submit(request)
        turnstile.open()
        #expect(await active.answer().tokens == expected.tokens)
        #expect(await next.answer().tokens == expected.tokens)
        #expect(engine.statistics.cancelled == 1)
    }

    @Test func aLongPromptEndsWithItsPiece() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(prefillChunk: 16))
        let turnstile = try await Turnstile(engine.model)
        let stream = try engine.submit(EngineRequest(prompt: Fixtures.prompt(2000)))
        try await turnstile.step()
        #expect(engine.statistics.running == 1 && engine.statistics.generatedTokens == 0)
        stream.cancel()
        try await turnstile.step()
        #expect(Self.isIdle(engine))
        #expect(engine.statistics.steps == 1)
        #expect(await stream.answer().summary?.reason == .cancelled)
    }

    /// Requests of all kinds that are given up at any point, in a cache too small for them; those that are not given up
    /// get what they get alone, and nothing stays behind.
    @Test func manyComeAndGo() async throws {
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
        /// How many events of which request somebody waits for.
        let guests = (0..<120).map { _ in (kind: number(kinds.count), patience: number(3) == 0 ? Int.max : number(12)) }
        // Half of them are there before the model does anything, so that there is a line; the others come as they come.
        let early = try model.withModel { _ in
            try guests.prefix(60).map { guest -> EngineStream? in
                let stream = try engine.submit(kinds[guest.kind])
                return guest.patience > 0 ? stream : nil
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for (index, guest) in guests.enumerated() {
                let request = kinds[guest.kind]
                let wanted = expected[guest.kind]
                let there = index < early.count ? early[index] : nil
                group.addTask {
                    guard guest.patience > 0 else {
                        if index >= early.count, (try? engine.submit(request)) == nil { Issue.record("refused") }
                        return
                    }
                    guard let stream = try? there ?? engine.submit(request) else {
                        Issue.record("refused")
                        return
                    }
                    var tokens: [EngineToken] = []
                    var events = 0
                    for await event in stream {
                        if case .token(let token) = event { tokens.append(token) }
                        events += 1
                        if events >= guest.patience { break }
                    }
                    #expect(tokens == Array(wanted.prefix(tokens.count)))
                    if guest.patience == .max { #expect(tokens.count == wanted.count) }
                }
            }
        }
        try await result { await engine.drain() }
        #expect(Self.isIdle(engine))
        let statistics = engine.statistics
        #expect(statistics.completed + statistics.cancelled == guests.count)
        #expect(statistics.completed >= guests.count { $0.patience == .max })
        #expect(statistics.cancelled >= guests.prefix(60).count { $0.patience == 0 })
        #expect(statistics.failed == 0 && statistics.refused == 0)
        #expect(statistics.cacheTokensUsed <= statistics.cacheTokensCapacity)
    }
}
