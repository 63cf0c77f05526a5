import MinkeGeneration
import Testing

@testable import MinkeEngine

@Suite(.patient) struct SharingTests {
    private func request(_ prompt: [Int32], scope: String = "a") -> EngineRequest {
        EngineRequest(prompt: prompt, maximumTokens: 3, ignoresStopTokens: true, scope: scope)
    }

    @Test func beginningsAreSharedWithinAScopeOnly() async throws {
        let model = try Fixtures.model()
        let engine = Engine(model)
        let beginning = Fixtures.prompt(600)
        let first = try await engine.answer(request(beginning + [1, 2, 3]))
        #expect(first.cachedTokens == 0)
        // Whole pieces of 256 tokens.
        let second = try await engine.answer(request(beginning + [4, 5]))
        #expect(second.cachedTokens == 512 && second.started?.cached == 512)
        var other = beginning
        other[300] = (other[300] + 1) % 256
        #expect(try await engine.answer(request(other)).cachedTokens == 256)
        #expect(try await engine.answer(request(beginning, scope: "b")).cachedTokens == 0)
        // The last token always runs.
        #expect(try await engine.answer(request(Array(beginning[..<512]))).cachedTokens == 256)
        #expect(engine.statistics.prefixHits == 512 + 256 + 256)
        #expect(engine.statistics.prefixQueries == 603 + 602 + 600 + 600 + 512)

        let open = Engine(model, options: EngineOptions(sharesPrefixesAcrossScopes: true))
        _ = try await open.answer(request(beginning))
        #expect(try await open.answer(request(beginning, scope: "b")).cachedTokens == 512)
    }

    @Test func sequencesShareWhatOneOfThemComputes() async throws {
        let engine = Engine(try Fixtures.model(), options: EngineOptions(prefillChunk: 64))
        let prompts = (0..<4).map { Fixtures.prompt(1000) + [Int32($0)] }
        let answers = try await engine.answers(prompts.map { request($0) })
        // Each piece of the beginning is computed once, whoever does it.
        #expect(answers.map(\.cachedTokens).reduce(0, +) == 3 * 768)
        #expect(engine.statistics.cacheTokensUsed == 768)
    }

    @Test func unusedBeginningsGoFirst() async throws {
        let model = try Fixtures.model()
        let engine = Engine(
            model, options: EngineOptions(cacheBytes: Fixtures.cacheBytes(model, tokens: 1024)))
        #expect(engine.statistics.cacheTokensCapacity == 1024)
        _ = try await engine.answer(request(Fixtures.prompt(600, 1)))
        _ = try await engine.answer(request(Fixtures.prompt(300, 2)))
        #expect(engine.statistics.cacheTokensUsed == 768)
        // Used again: the other one is the oldest now.
        #expect(try await engine.answer(request(Fixtures.prompt(600, 1))).cachedTokens == 512)
        _ = try await engine.answer(request(Fixtures.prompt(500, 3)))
        #expect(try await engine.answer(request(Fixtures.prompt(600, 1))).cachedTokens == 512)
        #expect(try await engine.answer(request(Fixtures.prompt(300, 2))).cachedTokens == 0)
        #expect(engine.statistics.preemptions == 0)
        #expect(engine.statistics.cacheTokensHeld == 0)
        #expect(engine.statistics.cacheTokensUsed <= 1024)
    }

    @Test func theIndexForgetsLeavesFirst() throws {
        let model = try Fixtures.model(context: 512)
        let cache = model.withModel { $0.makeCache(capacity: 512) }
        var index = PrefixIndex(pieceTokens: 2)
        let text: [Int32] = [1, 2, 3, 4]
        let first = index.insert(cache.fork(count: 0), after: index.begin(scope: ""), piece: text[0..<2])
        let second = index.insert(cache.fork(count: 0), after: first, piece: text[2..<4])
        #expect(index.unused == 0 && index.count == 2)
        #expect(forget(&index) == 0)
        index.release(second)
        #expect(index.unused == 2)
        let root = index.begin(scope: "")
        let again = index.advance(root, piece: text[0..<2])
        #expect(again === first && index.unused == 1)
        #expect(forget(&index) == 1)
        index.release(first)
        #expect(forget(&index) == 1)
        #expect(index.count == 0 && index.unused == 0)
        // A scope that nobody uses leaves nothing behind.
        let next = index.begin(scope: "")
        #expect(next !== root)
        index.release(next)
        let last = index.begin(scope: "")
        #expect(last !== next)
    }

    /// Forgets all that may be forgotten. Returns how many pieces that were.
    private func forget(_ index: inout PrefixIndex) -> Int {
        var count = 0
        while index.forgetOldest() { count += 1 }
        return count
    }
}
