import MinkeFiles
import MinkeGeneration
import Testing

@Suite struct SamplerTests {
    let logits: [Float] = [1, 3, -2, 3, 2.5, 0]

    func draws(_ options: SamplingOptions, count: Int = 2000) throws -> [Int] {
        let sampler = try Sampler(options)
        var counts = [Int](repeating: 0, count: logits.count)
        for position in 0..<count { counts[Int(try sampler.next(logits, position: position))] += 1 }
        return counts
    }

    @Test func zeroTemperatureTakesTheLowerOfEqualIDs() throws {
        #expect(try Sampler(SamplingOptions()).next(logits, position: 0) == 1)
    }

    @Test(arguments: [
        SamplingOptions(temperature: 1, topK: 1), SamplingOptions(temperature: 1, topP: 1e-9),
        SamplingOptions(temperature: 1, topK: 1, topP: 0.5, minP: 0.5), SamplingOptions(temperature: 1e-9, topK: 1),
    ]) func narrowChoicesAreGreedy(options: SamplingOptions) throws {
        #expect(try draws(options, count: 50)[1] == 50)
    }

    @Test func drawsFollowTheDistribution() throws {
        let counts = try draws(SamplingOptions(temperature: 2, seed: 3), count: 20_000)
        var chi = 0.0
        // exp(logit / 2).
        let weights: [Double] = [1.6487, 4.4817, 0.3679, 4.4817, 3.4903, 1]
        let sum = weights.reduce(0, +)
        for (count, weight) in zip(counts, weights) {
            let mean = 20_000 * weight / sum
            chi += (Double(count) - mean) * (Double(count) - mean) / mean
        }
        // Five degrees of freedom: above 20.5 once in a thousand seeds.
        #expect(chi < 20.5)
    }

    @Test func filtersLeaveTheRightTokens() throws {
        func survivors(_ options: SamplingOptions) throws -> [Int] {
            try draws(options).enumerated().filter { $0.element > 0 }.map(\.offset)
        }
        #expect(try survivors(SamplingOptions(temperature: 1, topK: 2)) == [1, 3])
        #expect(try survivors(SamplingOptions(temperature: 1, topK: 3)) == [1, 3, 4])
        // Probabilities: 0.049, 0.361, 0.002, 0.361, 0.219, 0.018… so 0.7 takes two and 0.75 three.
        #expect(try survivors(SamplingOptions(temperature: 1, topP: 0.7)) == [1, 3])
        #expect(try survivors(SamplingOptions(temperature: 1, topP: 0.75)) == [1, 3, 4])
        #expect(try survivors(SamplingOptions(temperature: 1, minP: 0.5)) == [1, 3, 4])
        #expect(try survivors(SamplingOptions(temperature: 1, topK: 1_000_000)).count >= 5)
    }

    @Test func temperatureComesBeforeTopP() throws {
        // At temperature 4 the best three no longer hold 75 %, so more tokens stay.
        let hot = try draws(SamplingOptions(temperature: 4, topP: 0.75))
        #expect(hot[0] > 0)
    }

    @Test func topKOfManyTiesTakesTheLowerIDs() throws {
        let sampler = try Sampler(SamplingOptions(temperature: 1, topK: 3))
        let flat = [Float](repeating: 0.5, count: 40)
        for position in 0..<200 { #expect(try sampler.next(flat, position: position) < 3) }
    }

    @Test func repetitionPenaltyIsOnBothSigns() throws {
        let sampler = try Sampler(SamplingOptions(repetitionPenalty: 2))
        #expect(try sampler.next([4, 3], history: [0, 0], position: 0) == 1)
        #expect(try sampler.next([-1, -1.5], history: [0], position: 0) == 1)
        #expect(try sampler.next([4, 3], history: [1, 99, -5], position: 0) == 0)
    }

    @Test func valuesThatAreNotFiniteAreReported() throws {
        let sampler = try Sampler(SamplingOptions(temperature: 1))
        for bad in [Float.nan, .infinity, -.infinity] {
            #expect(throws: InputError.self) { try sampler.next([1, bad, 2], position: 0) }
        }
    }

    @Test(arguments: [
        SamplingOptions(temperature: -1), SamplingOptions(temperature: .nan), SamplingOptions(topK: -1),
        SamplingOptions(topP: 0), SamplingOptions(topP: 1.5), SamplingOptions(minP: -0.1),
        SamplingOptions(repetitionPenalty: 0),
    ]) func optionsWithoutMeaningAreRefused(options: SamplingOptions) {
        #expect(throws: InputError.self) { try Sampler(options) }
    }
}
