import CMinkeKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Times products with stored weights, and attention over a cache of latents, as running a model does them.
public struct StoredBenchmark: Sendable {
    /// Columns of a matrix: the model's width. A multiple of 256, the longest block.
    public let columns: Int
    /// Rows of a matrix: an expert's width.
    public let rows: Int
    /// Matrices that a token is multiplied with at once: the experts that it chooses.
    public let matrices: Int

    /// Matrices of a shape; by default those of DeepSeek-V2-Lite's experts. Sizes are brought to what can be measured:
    /// blocks of weights are up to 256 long, and a matrix of 64 MiB is as good as a larger one.
    public init(columns: Int = 2048, rows: Int = 1408, matrices: Int = 6) {
        self.columns = max(256, min(columns, 32_768) / 256 * 256)
        self.rows = max(32, min(rows, (64 << 20) / self.columns))
        self.matrices = max(1, min(matrices, 64))
    }

    /// Numbers of tokens that products are timed with: one sequence, several, a short and a long prompt, and on both
    /// sides of where ``StoredProduct`` goes over to panels.
    public static let tokens = [1, 2, 4, 6, 8, 12, 16, 24, 25, 48, 256]

    /// Bytes of weights in one measurement with so many tokens: some milliseconds of work.
    private static func bytes(tokens: Int) -> Int {
        switch tokens {
        case 1: 96 << 20
        case 2...8: 32 << 20
        case 9...24: 16 << 20
        default: 4 << 20
        }
    }

    /// Bytes of weights that products walk through, each going on where the last one stopped: more than the last cache
    /// of a server holds (hundreds of megabytes, which its virtual machines share), as in a model, whose weights are
    /// read from memory. A small machine has a small cache.
    private static let walk: Int = {
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        return max(bytes(tokens: 1), min(768 << 20, memory / 16))
    }()
    private static let rounds = 5

    /// Bytes of weights that all threads bring through products in a second, one figure for each of ``tokens``: the
    /// median of several measurements. nil where the format cannot be written, so that there is nothing to measure.
    ///
    /// One token is multiplied with ``matrices`` at a time, as in decoding; more of them with as many as a measurement
    /// has, each with its own tokens, as experts are in a prompt.
    ///
    /// - Parameter format: a format of minke_blocks.h.
    public func bytesPerSecond(format: Int32) -> [Double]? {
        guard let weight = weight(format: format) else { return nil }
        let there = weight.rows / rows
        let matrixBytes = weight.bytes / weight.rows * rows
        var next = 0
        return Self.tokens.map { count in
            let wanted = max(1, min(there, 256, Self.bytes(tokens: count) / matrixBytes))
            let atOnce = count == 1 ? min(matrices, wanted) : wanted
            let calls = wanted / atOnce
            let x = Self.noise(count * atOnce, columns)
            let out = Tensor(uninitialized: count * atOnce, rows)
            let offsets = (0...atOnce).map { $0 * count }
            let time = Self.seconds {
                for _ in 0..<calls {
                    let pieces = (0..<atOnce).map { piece in
                        let first = (next + piece) % there * rows
                        return weight.rows(first..<first + rows)
                    }
                    next = (next + atOnce) % there
                    StoredProduct.multiply(x, pieces, offsets: offsets, into: out, usesIntegers: true)
                }
            }
            return Double(matrixBytes * atOnce * calls) / time
        }
    }

    /// Operations a second of one token's attention over 4,096 latents in bfloat16, with sixteen heads of
    /// DeepSeek-V2's widths: 2 · heads · (2 · 512 + 64) for each latent.
    public static func latentOperationsPerSecond() -> Double {
        let (heads, rank, rotary, depth) = (16, 512, 64, 4096)
        let cache = LayerCache(width: rank + rotary, capacity: depth, type: .bfloat16)
        let part = noise(256, cache.width)
        while cache.count < depth { cache.append([part]) }
        let queries = noise(1, heads * cache.width)
        let operations = Double(2 * heads * (2 * rank + rotary) * depth)
        return operations / seconds { _ = cache.attendLatent(queries, heads: heads, rank: rank, scale: 0.05) }
    }

    /// Noise in the format: some rows encoded, then copied until no cache holds them.
    private func weight(format: Int32) -> StoredRows? {
        let elements = Int(minkeBlockElements(format))
        guard elements > 0, columns % elements == 0 else { return nil }
        let rowBytes = columns / elements * Int(minkeBlockBytes(format))
        let storage = Storage(bytes: Self.walk)
        let encoded = 256
        let values = Self.noise(encoded, columns)
        guard minkeEncodeBlocks(format, values.floats, storage.pointer, Int64(values.count)) else { return nil }
        let there = Self.walk / rowBytes
        for first in stride(from: encoded, to: there, by: encoded) {
            (storage.pointer + first * rowBytes).copyMemory(
                from: storage.pointer, byteCount: min(encoded, there - first) * rowBytes)
        }
        return StoredRows(
            format: format, bytes: UnsafeRawBufferPointer(start: storage.pointer, count: there * rowBytes), rows: there,
            columns: columns, owner: storage)
    }

    private static func noise(_ rows: Int, _ columns: Int) -> Tensor {
        var random = CounterRandom(seed: 1, purpose: "stored benchmark", step: rows, sample: columns)
        return Tensor((0..<rows * columns).map { _ in random.uniform() - 0.5 }, rows: rows, columns: columns)
    }

    /// The median of several calls, after one that warms up.
    private static func seconds(_ body: () -> Void) -> Double {
        body()
        let times = (0..<rounds).map { _ in
            let start = monotonicSeconds()
            body()
            return max(1e-9, monotonicSeconds() - start)
        }
        return times.sorted()[rounds / 2]
    }
}
