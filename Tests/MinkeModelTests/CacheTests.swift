import MinkeModel
import MinkeTensors
import Testing

/// Generation with caches gives what whole sequences give.
@Suite(.serialized) struct CacheTests {
    static func model(latent: Bool) throws -> LanguageModel {
        var c = ModelConfiguration(
            family: latent ? .deepseekV3 : .llama, vocabSize: 50, hiddenSize: 24, numHiddenLayers: 2,
            numAttentionHeads: 3, intermediateSize: 32)
        c.kvLoraRank = 16
        c.qkNopeHeadDim = 6
        c.qkRopeHeadDim = latent ? 4 : 8
        c.vHeadDim = 8
        c.maxPositionEmbeddings = 256
        return try LanguageModel(c, weights: .random(seed: 3, Initialization(deviation: 0.3)))
    }

    static let tokens = (0..<200).map { Int32($0 * 37 % 50) }

    /// Parts of every size: absorbed and expanded continuations.
    @Test(arguments: [true, false], [1, 7, 90]) func partsEqualTheWhole(latent: Bool, part: Int) throws {
        let model = try Self.model(latent: latent)
        let count = part == 1 ? 40 : 200
        let batch = SequenceBatch(sequences: 1, length: count)
        let whole = model.logits(Array(Self.tokens[..<count]), batch: batch)
        // Narrow types round keys and values: single logits of a random model may move far, all together may not.
        for (type, tolerance) in [(CacheType.float32, 1e-5), (.bfloat16, 0.05), (.q8, 0.05)] {
            let cache = model.makeCache(capacity: 200, type: type)
            var (errors, squares) = (0.0, 0.0)
            for first in stride(from: 0, to: count, by: part) {
                let last = min(count, first + part)
                let logits = model.next(Array(Self.tokens[first..<last]), cache: cache)
                for (got, wanted) in zip(logits, whole.rows(last - 1..<last).values) {
                    errors += Double(got - wanted) * Double(got - wanted)
                    squares += Double(wanted) * Double(wanted)
                }
            }
            let error = (errors / squares).squareRoot()
            #expect(error <= tolerance, "\(type): \(error)")
        }
    }
}
