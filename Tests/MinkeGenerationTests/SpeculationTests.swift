import MinkeModel
import MinkeTensors
import Testing

@testable import MinkeGeneration

/// Speculative decoding must not change what is generated.
@Suite(.serialized) struct SpeculationTests {
    @Test func theFixtureIsGeneratedAlike() throws {
        guard let folder = Fixtures.folder("f_v3_mtp") else { return }
        let model = try TextModel(contentsOf: folder)
        let reference = try Fixtures.json(folder, "generation.json")
        let prompt = try #require(reference["prompt_ids"]?.ids)
        let expected = try #require(reference["new_ids"]?.ids)
        for speculation in Speculation.allCases {
            let options = GenerationOptions(
                maximumTokens: expected.count, ignoresStopTokens: true, speculation: speculation)
            let generation = try model.generate(ids: prompt, options: options)
            #expect(generation.ids == expected)
            #expect((generation.draftedTokens > 0) == (speculation != .off))
            #expect(generation.acceptedTokens <= generation.draftedTokens)
        }
    }

    @Test(arguments: [CacheType.bfloat16, .q8]) func fastArithmeticIsAlike(cacheType: CacheType) throws {
        guard let folder = Fixtures.folder("f_v3_mtp") else { return }
        let model = try TextModel(
            contentsOf: folder, options: LoadOptions(precision: .fast, cacheType: cacheType))
        for seed in 0..<4 as Range<UInt64> {
            var options = GenerationOptions(
                maximumTokens: 60, sampling: SamplingOptions(temperature: 0.8, seed: seed), ignoresStopTokens: true,
                speculation: .off)
            let plain = try model.generate(ids: [3, 1, 4, 1, 5], options: options)
            options.speculation = .on
            #expect(try model.generate(ids: [3, 1, 4, 1, 5], options: options).ids == plain.ids)
        }
    }

    /// A model whose module has something to say: with small weights the model mostly repeats the newest token, and the
    /// module is made to pass that token's embedding on.
    private func model(deviation: Double, context: Int = 96, stopTokens: Set<Int32> = []) throws -> TextModel {
        var configuration = try Fixtures.randomModel(context: context).configuration
        configuration.numNextnPredictLayers = 1
        configuration.tieWordEmbeddings = true
        let weights = WeightSource.random(
            seed: 3, Initialization(deviation: deviation, embeddingDeviation: 0.3))
        let model = try LanguageModel(configuration, weights: weights)
        let projection = try #require(model.weights.first { $0.name.hasSuffix("eh_proj.weight") }).parameter
        let width = configuration.hiddenSize
        projection.value.copy(from: (0..<width * 2 * width).map { $0 / (2 * width) == $0 % (2 * width) ? 1 : 0 })
        projection.didChange()
        return TextModel(model, tokenizer: nil, stopTokens: stopTokens)
    }

    @Test(arguments: [0.02, 0.1, 0.3]) func samplingIsAlike(deviation: Double) throws {
        let model = try model(deviation: deviation)
        var accepted = 0
        for (temperature, penalty) in [(0.0, 1.0), (0.7, 1), (1.2, 1.3)] {
            for maximum in [1, 2, 3, 40, 500] {
                var options = GenerationOptions(
                    maximumTokens: maximum,
                    sampling: SamplingOptions(
                        temperature: temperature, topK: 30, repetitionPenalty: penalty, seed: UInt64(maximum)),
                    ignoresStopTokens: true, speculation: .off)
                let plain = try model.generate(ids: [5, 9, 200, 5], options: options)
                options.speculation = .on
                let speculative = try model.generate(ids: [5, 9, 200, 5], options: options)
                #expect(speculative.ids == plain.ids)
                #expect(speculative.stopReason == plain.stopReason)
                accepted += speculative.acceptedTokens
            }
        }
        if deviation < 0.05 { #expect(accepted > 0) }
    }

    /// States that gathered while no proposals were wanted, and a prompt in parts, reach the module in order.
    @Test func theModuleCatchesUp() throws {
        try model(deviation: 0.1).withModel { model in
            let ids: [Int32] = [4, 8, 15, 16, 23, 42, 7]
            let logits = try [[6], [1, 1, 1, 1, 1, 1], [3, 2, 1]].map { parts in
                let speculator = Speculator(cache: try #require(model.makeDraftCache(capacity: 8)), mode: .on)
                let cache = model.makeCache(capacity: 8)
                for part in parts {
                    speculator.receive(
                        model.extend([Array(ids[cache.count..<cache.count + part])], caches: [cache]))
                }
                let last = speculator.catchUp(ids, model)
                #expect(speculator.cache.count == 6)
                return model.logits(of: try #require(last)).values
            }
            for other in logits.dropFirst() {
                #expect(zip(logits[0], other).allSatisfy { abs($0 - $1) < 1e-4 })
            }
        }
    }

    @Test func endTokensStopAtTheSamePlace() throws {
        let sampling = SamplingOptions(temperature: 1, seed: 4)
        let free = try model(deviation: 0.1).generate(
            ids: [1, 2], options: GenerationOptions(maximumTokens: 30, sampling: sampling, speculation: .off))
        for end in Set(free.ids) {
            let model = try model(deviation: 0.1, stopTokens: [end])
            let generation = try model.generate(
                ids: [1, 2], options: GenerationOptions(maximumTokens: 30, sampling: sampling, speculation: .on))
            let place = try #require(free.ids.firstIndex(of: end))
            #expect(generation.ids == Array(free.ids[...place]))
            #expect(generation.stopReason == .stopToken)
        }
    }

    @Test func aChatContinuesAlike() throws {
        let model = try model(deviation: 0.1)
        let (plain, speculating) = (TextGenerator(model), TextGenerator(model))
        var text: [Int32] = [7, 8, 9]
        for turn in 0..<6 {
            var options = GenerationOptions(
                maximumTokens: 8, sampling: SamplingOptions(temperature: 0.9, seed: 2), ignoresStopTokens: true,
                speculation: .off)
            let expected = try plain.generate(text, options: options)
            options.speculation = turn == 4 ? .off : turn == 5 ? .auto : .on
            let generation = try speculating.generate(text, options: options)
            #expect(generation.ids == expected.ids)
            if turn == 3 { #expect(generation.reusedTokens > 0) }
            text += generation.ids + [10, 11]
        }
        // Another text that begins alike.
        let options = GenerationOptions(maximumTokens: 8, ignoresStopTokens: true, speculation: .on)
        let other = Array(text.prefix(9)) + [3]
        #expect(
            try speculating.generate(other, options: options).ids == model.generate(ids: other, options: options).ids)
    }

    @Test func aTrialIsDecidedByTheClock() {
        for (drafting, plain, accepted, isWorthwhile) in [
            (1.5, 1.0, 8, true), (1.5, 1.0, 1, false), (0.9, 1, 0, false),
        ] {
            var trial = SpeculationTrial()
            var rest = accepted
            while trial.isWorthwhile == nil {
                trial.record(seconds: trial.isDrafting ? drafting : plain)
                guard trial.isDrafting, rest > 0 else { continue }
                trial.accept()
                rest -= 1
            }
            #expect(trial.isWorthwhile == isWorthwhile)
            #expect(trial.isDrafting == isWorthwhile)
        }
    }
}
