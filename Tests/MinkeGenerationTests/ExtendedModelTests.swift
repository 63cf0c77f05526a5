import MinkeModel
import MinkeTensors
import Testing

@testable import MinkeGeneration

/// Models whose rows are looked up by earlier tokens, in everything that generates.
@Suite(.serialized) struct ExtendedModelTests {
    /// A model whose module has something to say, as in ``SpeculationTests``; the n-grams change what it says.
    private func model(deviation: Double) throws -> TextModel {
        var c = try Fixtures.randomModel(context: 96).configuration
        c.numNextnPredictLayers = 1
        c.tieWordEmbeddings = true
        c.extensions.ngramMaxOrder = 3
        c.extensions.ngramTableRows = 211
        c.extensions.ngramHashes = 2
        c.extensions.valueEmbeddingOrder = 2
        c.extensions.normalizesQueries = true
        c.extensions.logitSoftcap = 6
        c.extensions.activation = .squaredReLU
        let model = try LanguageModel(
            c, weights: .random(seed: 3, Initialization(deviation: deviation, embeddingDeviation: 0.3)))
        for weight in model.weights where weight.role == .table {
            var random = CounterRandom(seed: 2, purpose: weight.name)
            weight.value.copy(from: (0..<weight.count).map { _ in random.normal() * 0.1 })
        }
        let projection = try #require(model.weights.first { $0.name.hasSuffix("eh_proj.weight") }).parameter
        let width = c.hiddenSize
        projection.value.copy(from: (0..<width * 2 * width).map { $0 / (2 * width) == $0 % (2 * width) ? 1 : 0 })
        projection.didChange()
        return TextModel(model, tokenizer: nil)
    }

    @Test(arguments: [0.02, 0.1]) func proposalsChangeNothing(deviation: Double) throws {
        let model = try model(deviation: deviation)
        var (accepted, drafted) = (0, 0)
        for temperature in [0.0, 0.9] {
            var options = GenerationOptions(
                maximumTokens: 40, sampling: SamplingOptions(temperature: temperature, seed: 5),
                ignoresStopTokens: true, speculation: .off)
            let plain = try model.generate(ids: [5, 9, 200, 5], options: options)
            options.speculation = .on
            let speculative = try model.generate(ids: [5, 9, 200, 5], options: options)
            #expect(speculative.ids == plain.ids)
            accepted += speculative.acceptedTokens
            drafted += speculative.draftedTokens
        }
        // Some are rejected, so that tokens leave the cache again.
        #expect(drafted > accepted)
    }

    @Test func aChatContinuesAsIfItHadBegunThere() throws {
        let model = try model(deviation: 0.1)
        let generator = TextGenerator(model)
        var text: [Int32] = [7, 8, 9]
        for turn in 0..<4 {
            let options = GenerationOptions(
                maximumTokens: 6, ignoresStopTokens: true, speculation: turn % 2 == 0 ? .off : .on)
            let generation = try generator.generate(text, options: options)
            #expect(try generation.ids == model.generate(ids: text, options: options).ids)
            text += generation.ids + [10, 11]
        }
        let other = Array(text.prefix(9)) + [3]
        let options = GenerationOptions(maximumTokens: 6, ignoresStopTokens: true, speculation: .off)
        #expect(try generator.generate(other, options: options).ids == model.generate(ids: other, options: options).ids)
    }
}
