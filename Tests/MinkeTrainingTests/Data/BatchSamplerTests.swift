import MinkeFiles
import Testing

@testable import MinkeTraining

@Suite struct BatchSamplerTests {
    private func stream(_ count: Int) -> TokenStream {
        TokenStream(tokens: (0..<Int32(count)).map { $0 }, vocabularySize: count)
    }

    @Test(arguments: [(9, 8), (17, 8), (40, 8), (1001, 8), (1000, 7), (2, 1)])
    func everyEpochVisitsEveryWindowOnce(count: Int, length: Int) throws {
        let sampler = try BatchSampler(stream: stream(count), sequenceLength: length, seed: 5)
        for epoch in 0..<3 {
            let first = epoch * sampler.windowsPerEpoch
            let starts = (first..<first + sampler.windowsPerEpoch).map(sampler.start(ofSample:)).sorted()
            #expect(Set(starts).count == sampler.windowsPerEpoch)
            #expect(zip(starts, starts.dropFirst()).allSatisfy { $1 - $0 == length })
            #expect(starts[0] >= 0)
            #expect(starts[starts.count - 1] + length + 1 <= count)
            // No more than two windows' worth is left out.
            #expect(count - 1 - sampler.windowsPerEpoch * length < 2 * length)
        }
    }

    @Test func epochsDifferInOrderAndOffset() throws {
        let sampler = try BatchSampler(stream: stream(1001), sequenceLength: 10, seed: 5)
        let epochs = (0..<8).map { epoch in
            (0..<sampler.windowsPerEpoch).map { sampler.start(ofSample: epoch * sampler.windowsPerEpoch + $0) }
        }
        #expect(Set(epochs).count == 8)
        #expect(Set(epochs.map { $0[0] % 10 }).count > 2)
    }

    @Test func targetsAreTheNextTokens() throws {
        let sampler = try BatchSampler(stream: stream(100), sequenceLength: 6, seed: 1)
        for sample in 0..<40 {
            let (tokens, targets) = try window(6) { try sampler.fill(sampleIndex: sample, tokens: $0, targets: $1) }
            let start = Int32(sampler.start(ofSample: sample))
            #expect(tokens == (0..<6).map { start + $0 })
            #expect(targets == (1..<7).map { start + $0 })
        }
    }

    @Test func aSampleDependsOnSeedAndIndexAlone() throws {
        let stream = stream(500)
        let whole = try BatchSampler(stream: stream, sequenceLength: 8, seed: 3)
        let uninterrupted = (0..<200).map(whole.start(ofSample:))
        // A resumed run asks a new sampler, two workers ask for alternate samples.
        let resumed = try BatchSampler(stream: stream, sequenceLength: 8, seed: 3)
        #expect((77..<200).map(resumed.start(ofSample:)) == Array(uninterrupted[77...]))
        let workers = try (0..<2).map { worker in
            let sampler = try BatchSampler(stream: stream, sequenceLength: 8, seed: 3)
            return stride(from: worker, to: 200, by: 2).map(sampler.start(ofSample:))
        }
        let alternating = (0..<200).map { (sample: Int) -> Int in workers[sample % 2][sample / 2] }
        #expect(alternating == uninterrupted)

        let other = try BatchSampler(stream: stream, sequenceLength: 8, seed: 4)
        #expect((0..<200).map(other.start(ofSample:)) != uninterrupted)
    }

    /// The order of an independent implementation. It must never change: runs are resumed across versions.
    @Test func orderIsStable() throws {
        let sampler = try BatchSampler(stream: stream(1001), sequenceLength: 10, seed: 1337)
        #expect([0, 1, 2, 3, 98, 99].map(sampler.start(ofSample:)) == [457, 937, 397, 477, 217, 60])
    }

    @Test func aTextShorterThanAWindowIsRefused() {
        #expect(throws: InputError.self) { try BatchSampler(stream: stream(8), sequenceLength: 8, seed: 0) }
        #expect(throws: InputError.self) { try BatchSampler(stream: stream(0), sequenceLength: 1, seed: 0) }
        #expect(throws: InputError.self) { try BatchSampler(stream: stream(8), sequenceLength: 0, seed: 0) }
        #expect(throws: InputError.self) { try BatchSampler(stream: stream(8), sequenceLength: .max, seed: 0) }
    }
}
