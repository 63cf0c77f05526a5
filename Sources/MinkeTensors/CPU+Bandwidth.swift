extension CPU {
    /// How fast all threads together read memory that no cache holds, in bytes a second: the best of several passes over
    /// a buffer of 256 MB.
    public func measuredReadBandwidth() -> Double {
        let chunk = 1 << 18
        let buffer = Tensor(uninitialized: 256, chunk)
        // Every page is written once: untouched ones would all be the same page of zeros.
        parallel(buffer.rows) { row in
            buffer.pointer(row: row).initializeMemory(as: Float.self, repeating: 1, count: chunk)
        }
        var best = 0.0
        let sums = Tensor(zeros: 1, buffer.rows)
        for _ in 0..<12 {
            let start = monotonicSeconds()
            parallel(buffer.rows) { row in
                sums.floats[row] = Float(kernels.sumOfSquares(buffer.floats + row * chunk, Int64(chunk)))
            }
            best = max(best, Double(buffer.count * 4) / (monotonicSeconds() - start))
        }
        return best
    }
}
