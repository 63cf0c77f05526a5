import MinkeGeneration
import MinkeModel
import MinkeTensors
import Testing

@testable import MinkeEngine

/// What a request gets depends neither on other requests nor on the cache: to the last bit, which the log-probabilities
/// show.
@Suite(.serialized, .patient) struct ReproducibilityTests {
    /// Prompts that end within, at and beyond the places where prompts are cut, some with a common beginning.
    static func requests(_ lengths: [Int], tokens: Int, temperature: Double, limit: Int32 = 256) -> [EngineRequest] {
        lengths.enumerated().map { index, length in
            EngineRequest(
                prompt: Fixtures.prompt(length, index % 2).map { $0 % limit }, maximumTokens: tokens + index,
                sampling: SamplingOptions(temperature: temperature, topP: 0.95, seed: UInt64(index)),
                ignoresStopTokens: true, logprobs: 2)
        }
    }

    /// Each request alone on a fresh engine, and then together with others, with and without hits, and with so little
    /// cache that some must give theirs up.
    static func check(
        _ model: TextModel, lengths: [Int], tokens: Int, chunk: Int, temperature: Double, limit: Int32 = 256
    ) async throws {
        let requests = requests(lengths, tokens: tokens, temperature: temperature, limit: limit)
        func engine(places: Int = 8, cacheTokens: Int = 1 << 16) -> Engine {
            Engine(
                model,
                options: EngineOptions(
                    maximumSequences: places, cacheBytes: Fixtures.cacheBytes(model, tokens: cacheTokens),
                    prefillChunk: chunk))
        }
        var alone: [Answer] = []
        for request in requests { alone.append(try await engine().answer(request)) }
        #expect(alone.allSatisfy { $0.cachedTokens == 0 })
        let common = engine()
        let longest = try #require(lengths.max())
        let cases: [(String, Engine)] = [
            ("together", common), ("with hits", common), ("three at a time", engine(places: 3)),
            ("with little memory", engine(cacheTokens: longest + tokens + lengths.count)),
        ]
        for (name, engine) in cases {
            let answers = try await engine.answers(requests)
            for (index, answer) in answers.enumerated() {
                #expect(answer.tokens == alone[index].tokens, "\(name), request \(index)")
                #expect(answer.summary?.reason == .length)
            }
            if name == "with hits", longest > 256 { #expect(answers.contains { $0.cachedTokens > 0 }) }
            if name == "with little memory" { #expect(engine.statistics.preemptions > 0) }
            #expect(engine.statistics.cacheTokensHeld == 0)
        }
    }

    static let lengths = [1, 7, 250, 270, 33, 520, 12, 257]

    @Test(arguments: zip([ModelConfiguration.Family.deepseekV3, .deepseekV3, .llama], [0, 0.9, 0]))
    func exactModels(family: ModelConfiguration.Family, temperature: Double) async throws {
        let model = try Fixtures.model(family)
        try await Self.check(model, lengths: Self.lengths, tokens: 16, chunk: 64, temperature: temperature)
    }

    @Test(arguments: [CacheType.bfloat16, .q8]) func narrowCaches(type: CacheType) async throws {
        let model = try Fixtures.model(cacheType: type)
        try await Self.check(model, lengths: Self.lengths, tokens: 16, chunk: 256, temperature: 0)
    }

    /// Weights that are multiplied otherwise with few rows than with many.
    @Test(arguments: ["gguf_v3_kquants/mixed.gguf", "gguf_v2_lite/q8_0.gguf", "gguf_v2_lite/mxfp4.gguf", "d_v3_bf16"])
    func storedModels(name: String) async throws {
        guard let path = Fixtures.path(name) else { return }
        for precision in name.hasSuffix("mixed.gguf") ? [Precision.fast, .float32] : [.fast] {
            let model = try TextModel(contentsOf: path, options: LoadOptions(precision: precision))
            let context = model.configuration.maxPositionEmbeddings
            let lengths = Self.lengths.map { min($0, context - 40) }
            try await Self.check(
                model, lengths: lengths, tokens: 16, chunk: 32, temperature: 0,
                limit: Int32(min(256, model.configuration.vocabSize)))
            try await Self.checkWidePasses(model)
        }
    }

    /// So many sequences in a pass that products would take another way if they might.
    private static func checkWidePasses(_ model: TextModel) async throws {
        let requests = requests((1...16).map { $0 }, tokens: 24, temperature: 0)
        let options = EngineOptions(maximumSequences: 16)
        var alone: [Answer] = []
        for request in requests { alone.append(try await Engine(model, options: options).answer(request)) }
        let engine = Engine(model, options: options)
        for (index, answer) in try await engine.answers(requests).enumerated() {
            #expect(answer.tokens == alone[index].tokens, "request \(index)")
        }
        #expect(engine.statistics.batchSizes.count > 12)
    }
}
