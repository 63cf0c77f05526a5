import Foundation
import Testing

@testable import MinkeTensors

/// Decoding against a cache gives what attention over whole sequences gives.
@Suite struct LayerCacheTests {
    @Test func absorbedDecodingEqualsExpandedAttentionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                if type == .float32 { for chunk in [1, 3, 9] { checkLatent(tokens: 19, chunk: chunk) } }
            }
        }
    }

    @Test func multiHeadDecodingEqualsWholeAttentionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in if type == .float32 { checkMultiHead(tokens: 23) } }
        }
    }

    @Test func absorbedProjectionsFollowTheWeight() {
        var numbers = Numbers(1)
        let weight = numbers.parameter(2 * (4 + 6), 8)
        let absorbed = AbsorbedProjections(weight, heads: 2, keyWidth: 4, valueWidth: 6)
        let shape = AttentionShape(heads: 2, keyWidth: 4, sharedWidth: 2, valueWidth: 6, scale: 1)
        let cache = LayerCache(parts: [8, 2], capacity: 3)
        cache.append([numbers.tensor(1, 8), numbers.tensor(1, 2)])
        let queries = numbers.tensor(1, 12)
        let before = absorbed.attend(queries, caches: [cache], shape: shape).values
        weight.value.copy(from: weight.value.values.map { 2 * $0 })
        weight.didChange()
        let after = absorbed.attend(queries, caches: [cache], shape: shape).values
        // One cached token: the value is its projection, which doubled.
        #expect(zip(before, after).allSatisfy { abs(2 * $0 - $1) < 1e-5 })
    }

    @Test func cachesForgetAndRefill() {
        var numbers = Numbers(2)
        let cache = LayerCache(parts: [2, 2], capacity: 5, type: .bfloat16)
        cache.append([numbers.tensor(3, 2), numbers.tensor(3, 2)])
        cache.truncate(to: 1)
        cache.append([numbers.tensor(4, 2), numbers.tensor(4, 2)])
        #expect(cache.count == 5 && cache.bytesPerToken == 8)
    }

    @Test func memoryGrowsWithUse() {
        let cache = LayerCache(parts: [512, 64], capacity: 163_840, type: .q8)
        #expect(cache.reservedBytes == 0 && cache.bytesPerToken == 512 + 64 + 9 * 4)
        cache.append([Tensor(zeros: 1025, 512), Tensor(zeros: 1025, 64)])
        #expect(cache.reservedBytes < 2100 * cache.bytesPerToken)
        cache.truncate(to: 1024)
        #expect(cache.reservedBytes < 1100 * cache.bytesPerToken)
        cache.truncate(to: 0)
        #expect(cache.reservedBytes == 0)
    }

    @Test func rowsComeBackAsExactlyAsTheirTypeAllows() async {
        await #expect(processExitsWith: .success) {
            var numbers = Numbers(3)
            let parts = [numbers.tensor(70, 81, scale: 5), numbers.tensor(70, 10, scale: 0.01)]
            onEveryInstructionSet { _ in
                for (type, bound) in [(CacheType.float32, Float(0)), (.bfloat16, 1 / 256), (.q8, 1 / 253)] {
                    let cache = LayerCache(parts: [81, 10], capacity: 70, type: type)
                    cache.append(parts)
                    let rows = cache.allRows(.float32)
                    for (columns, part) in zip([0..<81, 81..<91], parts) {
                        let largest = part.values.reduce(0) { max($0, abs($1)) }
                        let errors = zip(rows.columns(columns).values, part.values).map { abs($0 - $1) }
                        #expect(errors.allSatisfy { $0 <= bound * largest }, "\(type)")
                    }
                }
            }
        }
    }

    /// Caches that begin alike share memory until one of them writes, and neither sees what the other adds.
    @Test(arguments: [CacheType.float32, .bfloat16, .q8]) func forksShareUntilTheyDiffer(type: CacheType) {
        var numbers = Numbers(3)
        let beginning = numbers.tensor(300, 24)
        let (left, right) = (numbers.tensor(10, 24), numbers.tensor(10, 24))
        let cache = LayerCache(width: 24, capacity: 600, type: type)
        cache.append([beginning])
        #expect(cache.rowsPerBlock == 256)
        let fork = cache.fork(count: 290)
        let whole = cache.fork(count: 256)
        #expect(fork.count == 290 && fork.reservedBytes == cache.reservedBytes)
        cache.append([left])
        fork.append([right])
        whole.append([right])
        func fresh(_ parts: [Tensor]) -> [Float] {
            let cache = LayerCache(width: 24, capacity: 600, type: type)
            for part in parts { cache.append([part]) }
            return cache.allRows(.float32).values
        }
        #expect(cache.allRows(.float32).values == fresh([beginning, left]))
        #expect(fork.allRows(.float32).values == fresh([beginning.rows(0..<290), right]))
        #expect(whole.allRows(.float32).values == fresh([beginning.rows(0..<256), right]))
    }

    /// Narrow rows are read as they are held: what a wide cache of the same values gives.
    @Test func narrowCachesServeMultiHeadAttention() {
        for type in [CacheType.bfloat16, .q8] {
            checkMultiHead(tokens: 23, type: type, tolerance: 0.03)
            var numbers = Numbers(9)
            let shape = AttentionShape(heads: 3, keyWidth: 30, valueWidth: 26, scale: 0.5)
            let cache = LayerCache(parts: [90, 78], capacity: 600, type: type)
            cache.append([numbers.tensor(600, 90), numbers.tensor(600, 78)])
            let held = cache.allRows(.bfloat16)
            let wide = LayerCache(parts: [168], capacity: 600)
            wide.append([held])
            let queries = numbers.tensor(15, 90)
            let expected = Matrix(wide.attend(queries, shape: shape))
            expectClose(
                cache.attend(queries, shape: shape), expected, terms: expected.map { _ in 1 },
                Tolerance(terms: 1e-5, value: 1e-5), "\(type)")
        }
    }
}

private func checkLatent(tokens: Int, chunk: Int) {
    let (heads, key, shared, value, rank) = (3, 5, 4, 7, 11)
    var numbers = Numbers(UInt64(chunk))
    let weight = numbers.parameter(heads * (key + value), rank)
    let queries = numbers.tensor(tokens, heads * (key + shared))
    let latents = numbers.tensor(tokens, rank)
    let rotary = numbers.tensor(tokens, shared)
    let shape = AttentionShape(heads: heads, keyWidth: key, sharedWidth: shared, valueWidth: value, scale: 0.4)
    let tape = Tape()
    let expanded = tape.linear(Variable(latents), weight)
    let whole = attend(tape, Variable(queries), keysValues: expanded, shared: Variable(rotary), shape: shape).value
    let cache = LayerCache(parts: [rank, shared], capacity: tokens)
    let absorbed = AbsorbedProjections(weight, heads: heads, keyWidth: key, valueWidth: value)
    var first = 0
    while first < tokens {
        let rows = first..<min(tokens, first + chunk)
        cache.append([latents.rows(rows), rotary.rows(rows)])
        let out = absorbed.attend(queries.rows(rows), caches: [cache], shape: shape)
        expectClose(out, Matrix(whole.rows(rows)), Tolerance(terms: 1e-4, value: 1e-4), "decode from \(first)")
        first = rows.upperBound
    }
}

private func checkMultiHead(tokens: Int, type: CacheType = .float32, tolerance: Double = 1e-4) {
    let (heads, width) = (3, 6)
    var numbers = Numbers(4)
    let parts = (0..<3).map { _ in numbers.tensor(tokens, heads * width) }
    let shape = AttentionShape(heads: heads, keyWidth: width, valueWidth: width, scale: 0.5)
    let whole = Tape().attention(
        Variable(parts[0]), keys: HeadColumns(Variable(parts[1]), stride: width),
        values: HeadColumns(Variable(parts[2]), stride: width), shared: nil, shape: shape, sequences: 1
    ).value
    let cache = LayerCache(parts: [heads * width, heads * width], capacity: tokens, type: type)
    let ones = Matrix(tokens, heads * width, [Double](repeating: 1, count: tokens * heads * width))
    let tolerance = Tolerance(terms: tolerance, value: tolerance)
    for token in 0..<tokens {
        let row = token..<token + 1
        cache.append([parts[1].rows(row), parts[2].rows(row)])
        let out = cache.attend(parts[0].rows(row), shape: shape)
        expectClose(out, Matrix(whole.rows(row)), terms: ones.rows(row), tolerance, "token \(token), \(type)")
    }
    let many = 3..<tokens
    expectClose(
        cache.attend(parts[0].rows(many), shape: shape), Matrix(whole.rows(many)), terms: ones.rows(many), tolerance,
        "many tokens, \(type)")
}
