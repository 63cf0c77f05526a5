import Foundation
import Testing

@testable import MinkeTensors

/// Attention of absorbed queries over cached rows against plain loops in double precision.
@Suite struct LatentDecodingTests {
    @Test func matchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            for item in DecodingCase.all {
                let cache = item.cache()
                let (expected, terms) = item.reference(cache)
                onEveryInstructionSet { type in
                    guard type == .float32 else { return }
                    let out = cache.attendLatent(
                        item.queries(), heads: item.heads, rank: item.rank, scale: DecodingCase.scale)
                    expectClose(out, expected, terms: terms, item.tolerance, "\(item)")
                }
            }
        }
    }

    @Test func resultsDoNotDependOnThreadsOrNeighbours() async {
        await #expect(processExitsWith: .success) {
            for type in [CacheType.float32, .bfloat16, .q8] {
                let items = [3, 40].map {
                    DecodingCase(cached: 1200 + $0, new: 2, heads: 5, rank: 32, rotary: 8, type: type)
                }
                let caches = items.map { $0.cache() }
                let all = Tensor(items.flatMap { $0.queries().values }, rows: 4, columns: 5 * 40)
                let alone = zip(caches, items).flatMap { cache, item in
                    cache.attendLatent(item.queries(), heads: 5, rank: 32, scale: 1).values
                }
                for threads in [1, 2, 3, 4] {
                    CPU.shared.threadCount = threads
                    let together = LayerCache.attendLatent(all, caches: caches, heads: 5, rank: 32, scale: 1).values
                    #expect(together.map(\.bitPattern) == alone.map(\.bitPattern), "\(type), \(threads) threads")
                }
            }
        }
    }

    /// Scores whose exponentials alone would overflow, in another chunk than the first.
    @Test func survivesLargeScores() {
        let rows = Tensor((0..<700).map { Float($0) }, rows: 700, columns: 1)
        let cache = LayerCache(width: 1, capacity: 700)
        cache.append([rows])
        let out = cache.attendLatent(Tensor([30, -30], rows: 1, columns: 2), heads: 2, rank: 1, scale: 1).values
        #expect(abs(out[0] - 699) < 1e-3 && abs(out[1]) < 1e-3)
    }
}

/// Lengths around the sizes of tiles (8, 16, 24 and 64 rows) and of chunks (256), widths of whole tiles and others.
private struct DecodingCase {
    let cached: Int
    let new: Int
    let heads: Int
    let rank: Int
    let rotary: Int
    let type: CacheType

    static let scale: Float = 0.3

    static let all: [DecodingCase] = [CacheType.float32, .bfloat16, .q8].flatMap { type in
        [
            DecodingCase(cached: 1, new: 1, heads: 16, rank: 64, rotary: 32, type: type),
            DecodingCase(cached: 85, new: 3, heads: 16, rank: 96, rotary: 32, type: type),
            DecodingCase(cached: 321, new: 1, heads: 7, rank: 32, rotary: 32, type: type),
            DecodingCase(cached: 400, new: 1, heads: 20, rank: 512, rotary: 64, type: type),
            DecodingCase(cached: 25, new: 25, heads: 3, rank: 11, rotary: 4, type: type),
            DecodingCase(cached: 257, new: 2, heads: 20, rank: 40, rotary: 2, type: type),
            DecodingCase(cached: 513, new: 3, heads: 8, rank: 33, rotary: 6, type: type),
            DecodingCase(cached: 1100, new: 1, heads: 1, rank: 130, rotary: 64, type: type),
        ]
    }

    var tolerance: Tolerance {
        // With narrower caches the queries and the weights are rounded to 8 bits as well.
        type == .float32 ? Tolerance(terms: 4e-6, value: 2e-6) : Tolerance(terms: 1.0 / 100, value: 1.0 / 200)
    }

    func cache() -> LayerCache {
        var numbers = Numbers(UInt64(cached))
        let cache = LayerCache(parts: [rank, rotary], capacity: cached, type: type)
        cache.append([numbers.tensor(cached - new, rank), numbers.tensor(cached - new, rotary)])
        cache.append([numbers.tensor(new, rank), numbers.tensor(new, rotary)])
        return cache
    }

    func queries() -> Tensor {
        var numbers = Numbers(7)
        return numbers.tensor(new, heads * (rank + rotary))
    }

    /// Over the rows as the cache holds them.
    func reference(_ cache: LayerCache) -> (out: Matrix, terms: Matrix) {
        let (rows, q, width) = (cache.allRows(.float32).values, queries().values, rank + rotary)
        var out = Matrix(zeros: new, heads * rank)
        var terms = out
        for token in 0..<new {
            for head in 0..<heads {
                let query = (token * heads + head) * width
                let weights = (0...cached - new + token).map { row in
                    exp(
                        Double(Self.scale)
                            * (0..<width).reduce(0.0) {
                                $0 + Double(q[query + $1]) * Double(rows[row * width + $1])
                            })
                }
                let total = weights.reduce(0, +)
                for (row, weight) in weights.enumerated() {
                    for c in 0..<rank {
                        let term = weight / total * Double(rows[row * width + c])
                        out[token, head * rank + c] += term
                        terms[token, head * rank + c] += abs(term)
                    }
                }
            }
        }
        return (out, terms)
    }
}
