import MinkeGeneration
import MinkeTokenization
import Testing

@testable import MinkeEngine

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

@Suite(.patient) struct ChoosingTests {
    private func chooser(_ change: (inout EngineRequest) -> Void) throws -> TokenChooser {
        var request = EngineRequest(prompt: [0])
        change(&request)
        return try TokenChooser(request, vocabulary: 5)
    }

    @Test func logprobsAreTheModelsOwn() throws {
        let logits: [Float] = [1, 3, 2, 3, -1]
        var chooser = try chooser {
            $0.logprobs = 3
            $0.logitBias = [4: 100]
            $0.sampling.temperature = 0
        }
        let choice = try chooser.choose(logits, after: [0]) { _ in false }
        // The bias chose; what is told is the model's.
        #expect(choice.id == 4)
        let total = log(logits.reduce(0) { $0 + exp($1) })
        #expect(abs((choice.logprob ?? 0) - (-1 - total)) < 1e-5)
        #expect(choice.top.map(\.id) == [1, 3, 2])
        for alternative in choice.top {
            #expect(abs(alternative.logprob - (logits[Int(alternative.id)] - total)) < 1e-5)
        }
        #expect(TokenChooser.logprobs(of: 0, logits, alternatives: 5).top.map(\.id) == [1, 3, 2, 0, 4])
    }

    @Test func penaltiesCountWhatWasGenerated() throws {
        let logits: [Float] = [0, 1, 0.9, 0.7, 0]
        var presence = try chooser { $0.presencePenalty = 0.2 }
        var frequency = try chooser { $0.frequencyPenalty = 0.15 }
        func draw(_ chooser: inout TokenChooser) throws -> [Int32] {
            // Token 1 is in the prompt, which does not count.
            try (0..<6).map { _ in try chooser.choose(logits, after: [1, 1, 1]) { _ in false }.id }
        }
        // 1 falls to 0.8, then 2 to 0.7; from then on nothing falls further.
        #expect(try draw(&presence) == [1, 2, 1, 1, 1, 1])
        // 1, .85 | .9, .75 | .85, .7 | .75 …
        #expect(try draw(&frequency) == [1, 2, 1, 2, 1, 3])
    }

    /// Digits, three of them.
    struct Digits: TokenConstraint {
        var left = 3
        var isComplete: Bool { left == 0 }
        var mustStop: Bool { left == 0 }
        func mask(_ logits: inout [Float]) {
            for id in logits.indices where !(48..<58).contains(id) { logits[id] = -.infinity }
        }
        mutating func advance(_ token: Int32) { left -= 1 }
    }

    @Test func constraintsHoldForEachSequenceAlone() async throws {
        let engine = Engine(try Fixtures.model())
        let requests = (0..<4).map { seed in
            EngineRequest(
                prompt: [1, 2], maximumTokens: 20,
                sampling: SamplingOptions(temperature: seed == 0 ? 0 : 2, topP: 0.9, seed: UInt64(seed)),
                constraint: seed < 3 ? Digits() : nil)
        }
        let answers = try await engine.answers(requests)
        for answer in answers.prefix(3) {
            #expect(answer.text.count == 3 && answer.text.allSatisfy(\.isNumber))
            #expect(answer.summary?.reason == .stop)
            #expect(answer.ids.count == 3)
        }
        #expect(answers[3].ids.count > 3)
    }

    @Test func promptsAreToldWithTheirLogprobs() async throws {
        let model = try Fixtures.model()
        let engine = Engine(model, options: EngineOptions(prefillChunk: 32))
        let prompt = Fixtures.prompt(300)
        let request = EngineRequest(prompt: prompt, maximumTokens: 0, logprobs: 1, promptLogprobs: true)
        let first = try await engine.answer(request)
        #expect(first.prompt.map(\.id) == prompt)
        #expect(first.prompt[0].logprob == nil)
        // The sum is the text's loss.
        let loss = model.withModel { language in
            let cache = language.makeCache(capacity: 400)
            let states = language.extend([Array(prompt.dropLast())], caches: [cache])
            return language.losses(of: states, targets: Array(prompt.dropFirst())).reduce(0, +)
        }
        let told = first.prompt.dropFirst().reduce(Float(0)) { $0 - ($1.logprob ?? .nan) }
        #expect(abs(told - loss) < 0.05)
        // With a beginning in the cache the whole prompt is told too.
        let again = try await engine.answer(request)
        #expect(again.prompt == first.prompt)
        #expect(again.cachedTokens == 0)
    }

    @Test func embeddingsAreMeansOfStates() async throws {
        let model = try Fixtures.model()
        let engine = Engine(model, options: EngineOptions(prefillChunk: 32))
        let texts = [[5], Fixtures.prompt(100), Fixtures.prompt(300, 1)]
        async let company = engine.answer(
            EngineRequest(prompt: [1, 2, 3], maximumTokens: 100, ignoresStopTokens: true))
        let vectors = try await engine.embeddings(of: texts)
        for (text, vector) in zip(texts, vectors) {
            let expected = model.withModel { language in
                let states = language.extend([text], caches: [language.makeCache(capacity: 400)])
                return (0..<states.columns).map { column in
                    (0..<text.count).reduce(Float(0)) { $0 + states.values[$1 * states.columns + column] }
                        / Float(text.count)
                }
            }
            #expect(vector.count == expected.count)
            #expect(zip(vector, expected).allSatisfy { abs($0 - $1) < 1e-3 })
        }
        #expect(try await company.ids.count == 100)
        #expect(engine.statistics.cacheTokensHeld == 0)
    }

    @Test func controlTokensAreShownOnRequest() async throws {
        let engine = Engine(try Fixtures.model())
        var request = EngineRequest(
            prompt: [1], maximumTokens: 2, logitBias: [257: 1e6], ignoresStopTokens: true)
        let hidden = try await engine.answer(request)
        #expect(hidden.ids == [257, 257] && hidden.text == "")
        request.showsSpecialTokens = true
        let end = "<｜end▁of▁sentence｜>"
        let shown = try await engine.answer(request)
        #expect(shown.text == end + end)
        #expect(hidden.tokens[0].bytes == Array(end.utf8))
    }
}
