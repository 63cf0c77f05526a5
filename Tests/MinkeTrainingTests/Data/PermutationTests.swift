import MinkeTensors
import Testing

@testable import MinkeTraining

@Suite struct PermutationTests {
    @Test(arguments: [1, 2, 3, 4, 5, 16, 17, 100, 1000]) func permutationIsABijection(count: Int) {
        let permutation = Permutation(count: count, random: CounterRandom(seed: 1, purpose: "order"))
        #expect(Set((0..<count).map { permutation[$0] }) == Set(0..<count))
    }

    @Test func permutationMixes() {
        let count = 1000
        let permutation = Permutation(count: count, random: CounterRandom(seed: 1, purpose: "order"))
        let other = Permutation(count: count, random: CounterRandom(seed: 2, purpose: "order"))
        let places = (0..<count).map { permutation[$0] }
        // A random permutation keeps one element in place and has one place in common with another, on average.
        #expect(zip(places, 0..<count).count { $0 == $1 } < 8)
        #expect((0..<count).count { permutation[$0] == other[$0] } < 8)
        // Half of all neighbours rise.
        #expect((400...600).contains(zip(places, places.dropFirst()).count { $0 < $1 }))
    }

    @Test func permutationOfTheLargestCountStaysInside() {
        let permutation = Permutation(count: .max, random: CounterRandom(seed: 1, purpose: "order"))
        #expect(permutation[0] >= 0)
        #expect(permutation[.max - 1] < .max)
    }
}
