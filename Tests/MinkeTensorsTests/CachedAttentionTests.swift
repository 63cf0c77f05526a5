import Testing

@testable import MinkeTensors

/// Chunks of a prompt give what the whole prompt gives, absorbed or expanded.
@Suite struct CachedAttentionTests {
    @Test func chunksEqualTheWholeOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for first in [1, 60, 270] { checkChunk(from: first, tokens: 330, type: type) }
            }
        }
    }

    @Test func expansionIsChosenByCost() {
        let weight = Parameter("w", Tensor(zeros: 256, 512))
        let absorbed = AbsorbedProjections(weight, heads: 1, keyWidth: 128, valueWidth: 128)
        let shape = AttentionShape(heads: 1, keyWidth: 128, sharedWidth: 64, valueWidth: 128, scale: 1)
        #expect(!absorbed.isExpansionCheaper(new: 1, cached: 16384, shape: shape))
        #expect(!absorbed.isExpansionCheaper(new: 165, cached: 16384, shape: shape))
        #expect(absorbed.isExpansionCheaper(new: 175, cached: 16384, shape: shape))
    }

    @Test func sequencesTakeTheirOwnWay() {
        var numbers = Numbers(5)
        let absorbed = AbsorbedProjections(numbers.parameter(2 * 12, 8), heads: 2, keyWidth: 6, valueWidth: 6)
        let shape = AttentionShape(heads: 2, keyWidth: 6, sharedWidth: 2, valueWidth: 6, scale: 0.5)
        let caches = [9, 400].map { rows in
            let cache = LayerCache(parts: [8, 2], capacity: rows, type: .q8)
            cache.append([numbers.tensor(rows, 8), numbers.tensor(rows, 2)])
            return cache
        }
        let queries = numbers.tensor(2 * 9, 2 * 8)
        let together = absorbed.attend(queries, caches: caches, shape: shape)
        for (index, cache) in caches.enumerated() {
            let rows = index * 9..<(index + 1) * 9
            let alone = absorbed.attend(queries.rows(rows), caches: [cache], shape: shape)
            #expect(together.rows(rows).values == alone.values)
        }
    }
}

/// The queries from `first` on, over a cache of all rows, against attention over the whole sequence.
private func checkChunk(from first: Int, tokens: Int, type: ElementType) {
    let (heads, key, rotary, value, rank) = (3, 6, 4, 10, 22)
    var numbers = Numbers(UInt64(first))
    let weight = numbers.parameter(heads * (key + value), rank, exactIn: type)
    let shape = AttentionShape(heads: heads, keyWidth: key, sharedWidth: rotary, valueWidth: value, scale: 0.4)
    let queries = numbers.tensor(tokens, heads * (key + rotary), type: type)
    let latents = numbers.tensor(tokens, rank, type: type)
    let rotaryKeys = numbers.tensor(tokens, rotary, type: type)
    let tape = Tape(computeType: type)
    let whole = attend(
        tape, Variable(queries), keysValues: tape.linear(Variable(latents), weight), shared: Variable(rotaryKeys),
        shape: shape
    ).value
    let cache = LayerCache(parts: [rank, rotary], capacity: tokens, type: type == .float32 ? .float32 : .bfloat16)
    cache.append([latents, rotaryKeys])
    let absorbed = AbsorbedProjections(weight, heads: heads, keyWidth: key, valueWidth: value)
    let chunk = queries.rows(first..<tokens)
    let expected = Matrix(whole.rows(first..<tokens))
    let ones = expected.map { _ in 1 }
    let tolerance =
        type == .float32 ? Tolerance(terms: 1e-5, value: 1e-5) : Tolerance(terms: 1.0 / 50, value: 1.0 / 50)
    expectClose(
        absorbed.attendExpanded(chunk, cache: cache, shape: shape, type: type), expected, terms: ones, tolerance,
        "expanded from \(first), \(type)")
    expectClose(
        absorbed.attendAbsorbed(chunk, caches: [cache], shape: shape), expected, terms: ones, tolerance,
        "absorbed from \(first), \(type)")
}
