import CMinkeKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Times products with stored weights, and attention over a cache of latents, as running a model does them.
public enum StoredBenchmark {
    /// Rows of activations that products are timed with: one sequence, several, a short and a long prompt.
    public static let rows = [1, 4, 8, 16, 32, 256]

    /// Bytes of weights in one product, for each of ``rows``.
    private static let bytes = [96 << 20, 32 << 20, 32 << 20, 16 << 20, 4 << 20, 4 << 20]
    /// Bytes of weights that products walk through, each going on where the last one stopped: more than the last cache
    /// of a server holds (hundreds of megabytes, which its virtual machines share), as in a model, whose weights are
    /// read from memory. A small machine has a small cache.
    private static let walk: Int = {
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        return max(bytes[0], min(768 << 20, memory / 16))
    }()
    private static let columns = 2048
    private static let rounds = 5

    /// Bytes of weights that all threads bring through a product in a second, one figure for each of ``rows``: the
    /// median of several products. nil where the format cannot be written, so that there is nothing to measure.
    ///
    /// - Parameter format: a format of minke_blocks.h.
    public static func bytesPerSecond(format: Int32) -> [Double]? {
        guard let weight = weight(format: format) else { return nil }
        var next = 0
        return zip(rows, bytes).map { count, bytes in
            let height = weight.rows * bytes / walk
            let x = noise(count, columns)
            let out = Tensor(uninitialized: count, height)
            return Double(weight.bytes) * Double(height) / Double(weight.rows)
                / seconds {
                    if next + height > weight.rows { next = 0 }
                    StoredProduct.multiply(
                        x, [weight.rows(next..<next + height)], offsets: [0, count], into: out, usesIntegers: true)
                    next += height
                }
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
    private static func weight(format: Int32) -> StoredRows? {
        let elements = Int(minkeBlockElements(format))
        guard elements > 0, columns % elements == 0 else { return nil }
        let rowBytes = columns / elements * Int(minkeBlockBytes(format))
        let storage = Storage(bytes: walk)
        let encoded = 256
        let values = noise(encoded, columns)
        guard minkeEncodeBlocks(format, values.floats, storage.pointer, Int64(values.count)) else { return nil }
        let rows = walk / rowBytes
        for first in stride(from: encoded, to: rows, by: encoded) {
            (storage.pointer + first * rowBytes).copyMemory(
                from: storage.pointer, byteCount: min(encoded, rows - first) * rowBytes)
        }
        return StoredRows(
            format: format, bytes: UnsafeRawBufferPointer(start: storage.pointer, count: rows * rowBytes), rows: rows,
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
