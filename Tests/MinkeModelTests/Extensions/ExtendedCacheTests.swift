import MinkeTensors
import Testing

@testable import MinkeModel

/// Rows that are looked up by tokens of earlier passes: generation with caches gives what whole sequences give.
@Suite(.serialized) struct ExtendedCacheTests {
    private func error(_ got: [Float], _ wanted: [Float]) -> Double {
        let squares = wanted.reduce(0.0) { $0 + Double($1) * Double($1) }
        let errors = zip(got, wanted).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        return (errors / squares).squareRoot()
    }

    private func whole(_ model: LanguageModel, _ tokens: [Int32]) -> [Float] {
        let logits = model.logits(tokens, batch: SequenceBatch(sequences: 1, length: tokens.count))
        return logits.rows(tokens.count - 1..<tokens.count).values
    }

    @Test(arguments: ExtendedModels.kinds, [1, 7, 90]) func partsEqualTheWhole(kind: String, part: Int) throws {
        let model = try ExtendedModels.model(kind)
        let tokens = Array(ExtendedModels.tokens[..<(part == 1 ? 20 : 200)])
        let logits = model.logits(tokens, batch: SequenceBatch(sequences: 1, length: tokens.count))
        let cache = model.makeCache(capacity: 200)
        for first in stride(from: 0, to: tokens.count, by: part) {
            let last = min(tokens.count, first + part)
            let got = model.next(Array(tokens[first..<last]), cache: cache)
            #expect(error(got, logits.rows(last - 1..<last).values) <= 1e-5)
        }
    }

    @Test(arguments: ["all, latent", "all, multi-head"]) func whatIsForgottenLeavesNoTrace(kind: String) throws {
        let model = try ExtendedModels.model(kind)
        let cache = model.makeCache(capacity: 64)
        _ = model.next(Array(ExtendedModels.tokens[..<12]), cache: cache)
        cache.truncate(to: 9)
        let others: [Int32] = [44, 1, 2]
        let got = model.next(others, cache: cache)
        #expect(error(got, whole(model, Array(ExtendedModels.tokens[..<9]) + others)) <= 1e-5)
        cache.truncate(to: 0)
        let fresh = model.next(others, cache: cache)
        #expect(error(fresh, whole(model, others)) <= 1e-5)
    }

    @Test(arguments: ["all, latent", "all, multi-head"]) func sequencesOfABatchHaveTheirOwnPast(kind: String) throws {
        let model = try ExtendedModels.model(kind)
        let prompts: [[Int32]] = [[1, 2, 3, 4, 5], [9], [7, 7, 8]]
        let caches = prompts.map { _ in model.makeCache(capacity: 16) }
        for (prompt, cache) in zip(prompts, caches) { _ = model.next(prompt, cache: cache) }
        let next: [[Int32]] = [[20, 21], [22, 23], [24, 25]]
        let logits = model.next(next, caches: caches)
        for (index, prompt) in prompts.enumerated() {
            let got = logits.rows(index..<index + 1).values
            #expect(error(got, whole(model, prompt + next[index])) <= 1e-5)
        }
        // Together from the start: no sequence sees the end of the one before it.
        let batch = SequenceBatch(sequences: 2, length: 3)
        let both = model.logits([1, 2, 3, 4, 5, 6], batch: batch)
        #expect(error(both.rows(5..<6).values, whole(model, [4, 5, 6])) <= 1e-5)
    }

    @Test func hashesAreThoseOfTheDescription() {
        // Computed with the formula in another language.
        #expect(NgramHash.row([5, 3], order: 2, hash: 0, tableRows: 1000) == 44)
        #expect(NgramHash.row([5, 3], order: 2, hash: 1, tableRows: 1000) == 1763)
        #expect(NgramHash.row([5, -1], order: 2, hash: 0, tableRows: 1000) == 318)
        #expect(NgramHash.row([7, 5, 3], order: 3, hash: 0, tableRows: 1 << 20) == 888374)
        let context = NgramContext([3, 5, 7, 9], length: 2, histories: [[], [1, 2, 4]], preceding: 2)
        #expect(context.rows(order: 1, hashes: 1, tableRows: 0) == [3, 5, 7, 9])
        let expected = [[3, -1, -1], [5, 3, -1], [7, 4, 2], [9, 7, 4]].map {
            NgramHash.row($0.map { Int32($0) }, order: 3, hash: 0, tableRows: 977)
        }
        #expect(context.rows(order: 3, hashes: 1, tableRows: 977) == expected)
    }
}
