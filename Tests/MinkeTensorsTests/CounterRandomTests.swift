import Testing

@testable import MinkeTensors

@Suite struct CounterRandomTests {
    /// Values of an independent implementation. They must never change: runs are resumed across versions.
    @Test func bitsAreStable() {
        var weights = CounterRandom(seed: 0, purpose: "weights")
        #expect(weights.next() == 0x370e_cf83_42f5_1d09)
        #expect(weights.next() == 0x51e9_f3b7_bf62_78b2)
        #expect(weights.next() == 0xf26d_9666_b002_b58e)
        var order = CounterRandom(seed: 1337, purpose: "window order", step: 3, sample: -1)
        #expect(order.next() == 0x76a1_61bc_5afc_393a)
        #expect(order.next() == 0x48bd_e838_102b_189b)
    }

    @Test func distributionsAreStable() {
        var uniform = CounterRandom(seed: 42, purpose: "uniform")
        #expect((0..<3).map { _ in uniform.uniform() } == [0.5509178638458252, 0.6971714496612549, 0.6125312447547913])
        var normal = CounterRandom(seed: 42, purpose: "normal")
        for expected in [-0.07846438536915538, 1.4360059851935034, 0.87430480076063] {
            #expect(abs(Double(normal.normal()) - expected) < 1e-6)
        }
    }

    @Test func momentsAreThoseOfTheDistributions() {
        var random = CounterRandom(seed: 7, purpose: "moments")
        let count = 4000
        let uniform = (0..<count).map { _ in Double(random.uniform()) }
        let normal = (0..<count).map { _ in Double(random.normal()) }
        #expect(uniform.allSatisfy { $0 >= 0 && $0 < 1 })
        #expect(abs(uniform.reduce(0, +) / Double(count) - 0.5) < 0.03)
        #expect(abs(normal.reduce(0, +) / Double(count)) < 0.08)
        #expect(abs(normal.reduce(0) { $0 + $1 * $1 } / Double(count) - 1) < 0.12)
    }

    @Test func integersCoverTheirRangeEvenly() {
        var random = CounterRandom(seed: 7, purpose: "integers")
        var counts = [Int](repeating: 0, count: 6)
        for _ in 0..<3000 { counts[random.integer(below: 6)] += 1 }
        #expect(counts.allSatisfy { (400...600).contains($0) })
        #expect(random.integer(below: 1) == 0)
    }

    @Test func everyPartOfTheKeyMatters() {
        var first: Set<UInt64> = []
        for seed in 0..<3 as Range<UInt64> {
            for purpose in ["a", "b"] {
                for step in 0..<3 {
                    for sample in 0..<3 {
                        var random = CounterRandom(seed: seed, purpose: purpose, step: step, sample: sample)
                        first.insert(random.next())
                    }
                }
            }
        }
        #expect(first.count == 3 * 2 * 3 * 3)
    }
}
