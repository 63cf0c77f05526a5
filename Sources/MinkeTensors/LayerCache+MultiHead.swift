import CMinkeKernels

extension LayerCache {
    /// Multi-head attention of several sequences, each over its own cache.
    ///
    /// - Parameter queries: `[caches × new, heads × keyWidth]`, for each cache those of its newest rows.
    /// - Returns: `[caches × new, heads × valueWidth]`, in the queries' type.
    public static func attend(
        _ queries: Tensor, caches: [LayerCache], shape: AttentionShape, keepsRowsApart: Bool = false
    ) -> Tensor {
        let new = queries.rows / caches.count
        let out = Tensor(uninitialized: queries.rows, shape.heads * shape.valueWidth, type: queries.type)
        for (sequence, cache) in caches.enumerated() {
            let rows = sequence * new..<(sequence + 1) * new
            out.rows(rows).assign(cache.attend(queries.rows(rows), shape: shape, keepsRowsApart: keepsRowsApart))
        }
        return out
    }

    /// Multi-head attention of the newest rows' queries over the cache, whose rows are the keys of all heads and then
    /// their values.
    ///
    /// - Parameters:
    ///   - queries: `[new, heads × keyWidth]`; the rows' own keys and values are cached already.
    ///   - keepsRowsApart: takes the same way however many rows there are, so that their results do not depend on it.
    /// - Returns: `[new, heads × valueWidth]`, in the queries' type.
    public func attend(_ queries: Tensor, shape: AttentionShape, keepsRowsApart: Bool = false) -> Tensor {
        keepsRowsApart || queries.rows < LayerCache.blockedRows
            ? attendOneByOne(queries, shape: shape) : attendBlocked(queries, shape: shape)
    }

    /// New tokens from which blocked attention is faster.
    private static let blockedRows = 16

    private func attendBlocked(_ queries: Tensor, shape: AttentionShape) -> Tensor {
        let type = shape.hasEvenKeys ? type.computeType : .float32
        let rows = allRows(type)
        let out = Tensor(uninitialized: queries.rows, shape.heads * shape.valueWidth, type: type)
        shape.attendNewest(queries.converted(to: type), heads: 0..<shape.heads, shared: nil, into: out) { head in
            let (key, value) = (head * shape.keyWidth, shape.heads * shape.keyWidth + head * shape.valueWidth)
            return (rows.columns(key..<key + shape.keyWidth), rows.columns(value..<value + shape.valueWidth))
        }
        return out.converted(to: queries.type)
    }

    private func attendOneByOne(_ queries: Tensor, shape: AttentionShape) -> Tensor {
        let q = queries.converted(to: .float32)
        let (heads, valueWidth) = (shape.heads, shape.valueWidth)
        let chunks = (count + LayerCache.chunkRows - 1) / LayerCache.chunkRows
        let before = count - q.rows
        // Heads would widen the same rows again and again: 8-bit rows are widened once.
        let widened = type == .q8 ? allRows(.bfloat16) : nil
        let stride = widened?.stride ?? chunkStride
        let mixed = Tensor(uninitialized: q.rows * heads * LayerCache.roundedUp(chunks), valueWidth)
        let sums = Tensor(uninitialized: 2, q.rows * heads * chunks)
        let out = Tensor(uninitialized: q.rows, heads * valueWidth)
        CPU.shared.parallel(heads * chunks) { task in
            let (head, chunk) = task.quotientAndRemainder(dividingBy: chunks)
            let first = chunk * LayerCache.chunkRows
            let rows =
                widened.map { UnsafeRawPointer($0.pointer(row: first)) } ?? heldChunk(chunk)
            let keys = head * shape.keyWidth
            for row in 0..<q.rows {
                let seen = min(LayerCache.chunkRows, before + row + 1 - first)
                guard seen > 0 else { continue }
                let at = (row * heads + head) * chunks + chunk
                CPU.shared.kernels.decodeAttention(
                    q.pointer(row: row, column: keys).assumingMemoryBound(to: Float.self), Int64(shape.keyWidth),
                    rows + keys * type.computeType.byteWidth, type.computeType.code, Int64(stride), Int64(seen),
                    Int64(heads * shape.keyWidth + head * valueWidth - keys), Int64(valueWidth), shape.scale,
                    mixed.floats + at * valueWidth, sums.floats + at, sums.floats + sums.columns + at)
            }
        }
        CPU.shared.parallel(q.rows * heads) { task in
            let (row, head) = task.quotientAndRemainder(dividingBy: heads)
            let at = task * chunks
            CPU.shared.kernels.mergeChunks(
                mixed.floats + at * valueWidth, Int64(valueWidth), sums.floats + at, sums.floats + sums.columns + at, 1,
                Int64((before + row) / LayerCache.chunkRows + 1), Int64(valueWidth),
                out.pointer(row: row, column: head * valueWidth).assumingMemoryBound(to: Float.self))
        }
        return out.converted(to: queries.type)
    }
}
