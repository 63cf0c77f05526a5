import MinkeFiles
import MinkeGeneration
import MinkeTokenization
import MinkeTestSupport
import Testing

@testable import MinkeEngine

@Suite(.patient) struct EngineTests {
    @Test func answersEqualTheGenerators() async throws {
        let model = try Fixtures.model()
        let engine = Engine(model)
        for count in [1, 5, 40, 300] {
            let prompt = Fixtures.prompt(count)
            let answer = try await engine.answer(
                EngineRequest(prompt: prompt, maximumTokens: 12, ignoresStopTokens: true))
            let expected = try model.generate(
                ids: prompt, options: GenerationOptions(maximumTokens: 12, ignoresStopTokens: true, speculation: .off))
            #expect(answer.ids == expected.ids)
            #expect(answer.text == expected.text)
            #expect(answer.summary?.reason == .length)
            #expect(answer.summary?.promptTokens == count)
            #expect(answer.summary?.completionTokens == 12)
        }
    }

    @Test func impossibleRequestsAreRefused() async throws {
        let model = try Fixtures.model(context: 512)
        let engine = Engine(model, options: EngineOptions(contextLength: 300))
        #expect(engine.contextLength == 300)
        #expect(throws: EngineError.contextExceeded(promptTokens: 300, maximum: 300)) {
            try engine.submit(EngineRequest(prompt: Fixtures.prompt(300)))
        }
        let small = Engine(model, options: EngineOptions(cacheBytes: Fixtures.cacheBytes(model, tokens: 256)))
        #expect(throws: EngineError.cacheExceeded(promptTokens: 256, maximum: 256)) {
            try small.submit(EngineRequest(prompt: Fixtures.prompt(256)))
        }
        let none = Engine(model, options: EngineOptions(cacheBytes: 0))
        #expect(throws: EngineError.cacheExceeded(promptTokens: 1, maximum: 0)) {
            try none.submit(EngineRequest(prompt: [1]))
        }
        let wrong = [
            EngineRequest(prompt: []), EngineRequest(prompt: [259]), EngineRequest(prompt: [1], maximumTokens: -1),
            EngineRequest(prompt: [1], sampling: SamplingOptions(temperature: -1)),
            EngineRequest(prompt: [1], presencePenalty: .nan), EngineRequest(prompt: [1], logitBias: [-1: 0]),
            EngineRequest(prompt: [1], logitBias: [1: .infinity]), EngineRequest(prompt: [1], stopStrings: [""]),
            EngineRequest(prompt: [1], logprobs: -1),
        ]
        for request in wrong {
            let error = #expect(throws: EngineError.self) { try engine.submit(request) }
            guard case .invalid = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        await #expect(throws: EngineError.self) { try await engine.embeddings(of: [[]]) }
        #expect(engine.statistics.running == 0 && engine.statistics.waiting == 0)
    }

    @Test func theContextIsALimit() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(contextLength: 16))
        let answer = try await engine.answer(
            EngineRequest(prompt: [1, 2, 3, 4], maximumTokens: .max, ignoresStopTokens: true))
        #expect(answer.ids.count == 12)
        #expect(answer.summary?.reason == .length)
        let nothing = try await engine.answer(EngineRequest(prompt: [1, 2], maximumTokens: 0))
        #expect(nothing.ids == [])
        #expect(nothing.summary?.reason == .length)
    }

    @Test func endTokensAndStopStringsEnd() async throws {
        let engine = Engine(try Fixtures.model())
        var request = EngineRequest(
            prompt: Fixtures.prompt(9), maximumTokens: 60, sampling: SamplingOptions(temperature: 1, seed: 5),
            ignoresStopTokens: true)
        let whole = try await engine.answer(request)
        let characters = Array(whole.text)
        let stop = String(characters[10..<12])
        request.stopStrings = ["never seen in there", stop]
        let cut = try await engine.answer(request)
        let end = try #require(whole.text.utf8.firstRange(of: stop.utf8)).lowerBound
        #expect(cut.text == String(whole.text[..<end]))
        #expect(cut.summary?.reason == .stopString(stop))
        request.stopStrings = []
        request.ignoresStopTokens = false
        request.stopTokens = [whole.ids[7]]
        let ended = try await engine.answer(request)
        let first = try #require(whole.ids.firstIndex(of: whole.ids[7]))
        #expect(ended.ids == Array(whole.ids[...first]))
        #expect(ended.summary?.reason == .stop)
        #expect(ended.tokens.map(\.isEnd) == ended.tokens.indices.map { $0 == first })
    }

    @Test func aFullQueueRefusesTheExcess() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(maximumSequences: 2, queueLimit: 3))
        let request = EngineRequest(prompt: Fixtures.prompt(20), maximumTokens: 40, ignoresStopTokens: true)
        // Nothing can be over while the model is held.
        let (streams, refusals) = engine.model.withModel { _ in
            var streams: [EngineStream] = []
            var refusals: [EngineError] = []
            for _ in 0..<50 {
                do throws(EngineError) {
                    streams.append(try engine.submit(request))
                } catch {
                    refusals.append(error)
                }
            }
            return (streams, refusals)
        }
        #expect(streams.count == 5)
        #expect(refusals.count == 45)
        for case .queueFull(let wait) in refusals { #expect(wait >= .seconds(1)) }
        #expect(engine.statistics.refused == 45)
        for stream in streams { #expect(await stream.answer().ids.count == 40) }
        // Who hears of the end finds the place free.
        #expect(try await engine.answer(request).ids.count == 40)
    }

    @Test func scopesTakeTurns() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(maximumSequences: 1))
        let many = EngineRequest(prompt: [1, 2, 3], maximumTokens: 4, ignoresStopTokens: true, scope: "many")
        var one = many
        one.scope = "one"
        let (others, single) = try engine.model.withModel { _ in
            (try (0..<10).map { _ in try engine.submit(many) }, try engine.submit(one))
        }
        let queued = try #require(await single.answer().started?.queued)
        var waits: [Duration] = []
        for stream in others { waits.append(try #require(await stream.answer().started?.queued)) }
        // One of the many was first, the single one second at most.
        #expect(waits.filter { $0 < queued }.count <= 2)
    }

    @Test func failuresStayWhereTheyAre() async throws {
        struct Impossible: TokenConstraint {
            func mask(_ logits: inout [Float]) { for id in logits.indices { logits[id] = -.infinity } }
            func advance(_ token: Int32) {}
            var isComplete: Bool { false }
            var mustStop: Bool { false }
        }
        // The embedding of one token is damaged.
        let model = try Fixtures.model(change: { model in
            let embedding = model.weights[0].parameter.value
            var values = embedding.values
            for column in 0..<embedding.columns { values[200 * embedding.columns + column] = .nan }
            embedding.copy(from: values)
        })
        let engine = Engine(model)
        let healthy = EngineRequest(prompt: [1, 2, 3], maximumTokens: 24, ignoresStopTokens: true)
        let expected = try await engine.answer(healthy)
        let answers = try await engine.answers([
            healthy, EngineRequest(prompt: [4, 200, 5]), healthy,
            EngineRequest(prompt: [6, 7], constraint: Impossible()),
        ])
        for index in [0, 2] { #expect(answers[index].ids == expected.ids) }
        for index in [1, 3] {
            guard case .failed = answers[index].summary?.reason else {
                Issue.record("\(String(describing: answers[index].summary))")
                continue
            }
        }
        #expect(engine.statistics.failed == 2)
        #expect(engine.statistics.cacheTokensHeld == 0)
    }

    @Test func drainingFinishes() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(maximumSequences: 2))
        let request = EngineRequest(prompt: Fixtures.prompt(30), maximumTokens: 10, ignoresStopTokens: true)
        let turnstile = try await Turnstile(engine.model)
        let streams = try (0..<3).map { _ in try engine.submit(request) }
        try await turnstile.step()
        #expect(engine.statistics.running == 2 && engine.statistics.waiting == 1)
        async let drained: Void = result { await engine.drain() }
        turnstile.open()
        try await drained
        #expect(engine.statistics.completed == 3)
        #expect(throws: EngineError.shuttingDown) { try engine.submit(request) }
        for stream in streams { #expect(await stream.answer().summary?.reason == .length) }
    }

    @Test func shuttingDownCancels() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(maximumSequences: 1))
        let request = EngineRequest(prompt: Fixtures.prompt(30), maximumTokens: .max, ignoresStopTokens: true)
        let turnstile = try await Turnstile(engine.model)
        let active = try engine.submit(request)
        let waiting = try engine.submit(request)
        try await turnstile.step()
        async let stopped: Void = result { await engine.shutdown() }
        // What waits is told at once; what runs ends with its step.
        let unserved = await waiting.answer()
        #expect(unserved.summary?.reason == .cancelled && unserved.started == nil)
        #expect(engine.statistics.running == 1 && engine.statistics.waiting == 0)
        #expect(throws: EngineError.shuttingDown) { try engine.submit(request) }
        turnstile.open()
        try await stopped
        let answer = await active.answer()
        #expect(answer.summary?.reason == .cancelled && answer.tokens.count == 1)
        #expect(engine.statistics.running == 0 && engine.statistics.cacheTokensHeld == 0)
        #expect(engine.statistics.cancelled == 2)
        // There is nothing left to wait for.
        try await result { await engine.drain() }
    }
}
