import MinkeTensors
import Testing

@testable import MinkeModel

/// Several sequences in one pass against each by itself.
@Suite struct BatchedDecodingTests {
    private func model(_ family: ModelConfiguration.Family) throws -> LanguageModel {
        var configuration = ModelConfiguration(
            family: family, vocabSize: 61, hiddenSize: 32, numHiddenLayers: 2, numAttentionHeads: 2,
            intermediateSize: 48)
        configuration.qkRopeHeadDim = 8
        configuration.vHeadDim = 8
        configuration.maxPositionEmbeddings = 64
        if family.isLatent {
            configuration.kvLoraRank = 16
            configuration.qkNopeHeadDim = 8
            configuration.nRoutedExperts = 4
            configuration.numExpertsPerTok = 2
            configuration.moeIntermediateSize = 16
        } else {
            configuration.qkRopeHeadDim = 16
            configuration.vHeadDim = 16
            configuration.ropeInterleave = false
        }
        return try LanguageModel(configuration, weights: .random(seed: 2, Initialization(deviation: 0.3)))
    }

    @Test(arguments: [ModelConfiguration.Family.deepseekV3, .llama])
    func sequencesOfDifferentLengthsShareAPass(family: ModelConfiguration.Family) throws {
        let model = try model(family)
        let prompts: [[Int32]] = [[1, 2, 3, 4, 5], [9], [], [7, 7, 8]]
        let together = prompts.map { _ in model.makeCache(capacity: 16) }
        let alone = prompts.map { _ in model.makeCache(capacity: 16) }
        for (index, prompt) in prompts.enumerated() where !prompt.isEmpty {
            _ = model.next(prompt, cache: together[index])
            _ = model.next(prompt, cache: alone[index])
        }
        for tokens in [[[10], [11], [12], [13]], [[20, 21], [22, 23], [24, 25], [26, 27]]] as [[[Int32]]] {
            let logits = model.next(tokens, caches: together)
            #expect(logits.rows == prompts.count)
            for index in prompts.indices {
                let expected = model.next(tokens[index], cache: alone[index])
                let got = logits.rows(index..<index + 1).values
                #expect(zip(got, expected).allSatisfy { abs($0 - $1) <= 1e-4 })
            }
        }
        #expect(together.map(\.count) == prompts.map { $0.count + 3 })
    }

    @Test func promptsOfEqualLengthStartTogether() throws {
        let model = try model(.deepseekV3)
        let prompts: [[Int32]] = [[1, 2, 3], [4, 5, 6]]
        let caches = prompts.map { _ in model.makeCache(capacity: 4) }
        let logits = model.next(prompts, caches: caches)
        for (index, prompt) in prompts.enumerated() {
            let expected = model.next(prompt, cache: model.makeCache(capacity: 4))
            #expect(zip(logits.rows(index..<index + 1).values, expected).allSatisfy { abs($0 - $1) <= 1e-4 })
        }
    }

    @Test func aFilledCacheIsLikeAnyOther() throws {
        let model = try model(.deepseekV3)
        let cache = model.makeCache(capacity: 64)
        cache.fill(count: 50, seed: 1)
        #expect(cache.count == 50)
        #expect(model.next([3], cache: cache).allSatisfy { $0.isFinite })
        cache.fill(count: 0, seed: 1)
        #expect(cache.count == 0)
    }

    @Test func bytesPerTokenCountWhatIsRead() throws {
        let model = try model(.deepseekV3)
        let expert = 3 * 32 * 16
        let unread = 2 * 2 * expert + 61 * 32 - 32
        #expect(model.weightBytes(perPassOver: 1) == model.weightBytes - 4 * unread)
    }
}
