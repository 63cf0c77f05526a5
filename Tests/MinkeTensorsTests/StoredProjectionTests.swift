import CMinkeKernels
import Testing

@testable import MinkeTensors

/// `kv_b_proj` in stored halves gives what the joined matrix gives.
@Suite struct StoredProjectionTests {
    private static let (heads, key, rotary, value, rank) = (3, 32, 4, 24, 64)
    private static let shape = AttentionShape(
        heads: heads, keyWidth: key, sharedWidth: rotary, valueWidth: value, scale: 0.2)

    @Test(arguments: ["F32", "BF16", "Q8_0", "Q5_1"], [false, true])
    func halvesEqualTheWhole(format: String, usesIntegers: Bool) throws {
        let (heads, key, value, rank) = (Self.heads, Self.key, Self.value, Self.rank)
        var numbers = Numbers(3)
        let format = try StoredFormat.named(format)
        let keys = try (0..<heads).map { _ in try numbers.stored(format, rank, key) }
        let values = try (0..<heads).map { _ in try numbers.stored(format, value, rank) }
        let joined = Tensor(
            (0..<heads).flatMap { head in
                Matrix(keys[head].decoded()).transposed.values.map { Float($0) } + values[head].decoded().values
            }, rows: heads * (key + value), columns: rank)
        let whole = AbsorbedProjections(Parameter("w", joined), heads: heads, keyWidth: key, valueWidth: value)
        let apart = AbsorbedProjections(
            keys: Parameter("k", stored: keys, groups: heads), values: Parameter("v", stored: values, groups: heads),
            usesIntegers: usesIntegers)
        #expect(apart.heads == heads && apart.keyWidth == key && apart.valueWidth == value && apart.rank == rank)

        let cache = LayerCache(parts: [rank, Self.rotary], capacity: 50, type: .float32)
        cache.append([numbers.tensor(50, rank), numbers.tensor(50, Self.rotary)])
        for tokens in [1, 4, 20] {
            let queries = numbers.tensor(tokens, heads * (key + Self.rotary))
            let mixed = numbers.tensor(tokens, heads * rank)
            let pairs = [
                (apart.absorb(queries), whole.absorb(queries)), (apart.expand(mixed), whole.expand(mixed)),
                (
                    apart.attendExpanded(queries, cache: cache, shape: Self.shape, type: .float32),
                    whole.attendExpanded(queries, cache: cache, shape: Self.shape, type: .float32)
                ),
            ]
            for (index, (got, wanted)) in pairs.enumerated() {
                let wanted = Matrix(wanted)
                let label = "\(format), \(tokens) tokens, part \(index)"
                if usesIntegers {
                    expectNear(got, wanted, label)
                } else {
                    expectClose(got, wanted, terms: wanted.map { _ in 16 }, .sums(storedIn: .float32), label)
                }
            }
        }
    }
}
