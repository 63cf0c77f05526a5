import MinkeCheckpoints
import MinkeFiles

/// The two halves of `kv_b_proj`, which GGUF keeps apart so that attention can work on the latent.
struct KeyValueSplit: Sendable {
    let heads: Int
    /// Rows of a head that make keys.
    let keyWidth: Int
    /// Rows of a head that make values.
    let valueWidth: Int
    let latentWidth: Int

    init(_ configuration: ModelConfiguration) {
        heads = configuration.numAttentionHeads
        keyWidth = configuration.qkNopeHeadDim
        valueWidth = configuration.vHeadDim
        latentWidth = configuration.kvLoraRank
    }

    private var headWidth: Int { keyWidth + valueWidth }

    private func check(_ matrix: MatrixReader, rows: Int, columns: Int) throws {
        guard matrix.rowCount == rows, matrix.columns == columns else {
            throw InputError(
                "shape \(matrix.tensor.shape) does not fit the configuration, which needs \([rows, columns])",
                at: matrix.tensor.location)
        }
    }

    /// `attn_k_b`, `[heads, latent, key]`: of every head the transpose of its rows for keys.
    func keys(_ name: String, kind: WeightKind, of joined: MatrixReader) throws -> WeightPlan {
        try check(joined, rows: heads * headWidth, columns: latentWidth)
        return WeightPlan(
            name: name, shape: [heads, latentWidth, keyWidth], kind: kind,
            sourceBytes: joined.tensor.bytes.count / headWidth * keyWidth, unit: latentWidth
        ) { rows, target in
            for (index, head) in (rows.lowerBound / latentWidth..<rows.upperBound / latentWidth).enumerated() {
                let part = target.part(index, of: latentWidth * keyWidth)
                try readTransposed(joined, head * headWidth..<head * headWidth + keyWidth, to: part)
            }
        }
    }

    /// `attn_v_b`, `[heads, value, latent]`: of every head its rows for values.
    func values(_ name: String, kind: WeightKind, of joined: MatrixReader) throws -> WeightPlan {
        try check(joined, rows: heads * headWidth, columns: latentWidth)
        return WeightPlan(
            name: name, shape: [heads, valueWidth, latentWidth], kind: kind,
            sourceBytes: joined.tensor.bytes.count / headWidth * valueWidth, unit: valueWidth
        ) { rows, target in
            for (index, head) in (rows.lowerBound / valueWidth..<rows.upperBound / valueWidth).enumerated() {
                try joined.read(
                    head * headWidth + keyWidth..<(head + 1) * headWidth, to: target.part(index, of: valueWidth * latentWidth))
            }
        }
    }

    /// `kv_b_proj`, `[heads · (key + value), latent]`, from the two halves.
    func joined(_ name: String, kind: WeightKind, keys: MatrixReader, values: MatrixReader) throws -> WeightPlan {
        try check(keys, rows: heads * latentWidth, columns: keyWidth)
        try check(values, rows: heads * valueWidth, columns: latentWidth)
        return WeightPlan(
            name: name, shape: [heads * headWidth, latentWidth], kind: kind,
            sourceBytes: keys.tensor.bytes.count + values.tensor.bytes.count, unit: headWidth
        ) { rows, target in
            for (index, head) in (rows.lowerBound / headWidth..<rows.upperBound / headWidth).enumerated() {
                let part = target.part(index, of: headWidth * latentWidth)
                let border = keyWidth * latentWidth
                try readTransposed(
                    keys, head * latentWidth..<(head + 1) * latentWidth,
                    to: UnsafeMutableBufferPointer(rebasing: part[..<border]))
                try values.read(
                    head * valueWidth..<(head + 1) * valueWidth,
                    to: UnsafeMutableBufferPointer(rebasing: part[border...]))
            }
        }
    }

    private func readTransposed(
        _ matrix: MatrixReader, _ rows: Range<Int>, to target: UnsafeMutableBufferPointer<Float>
    ) throws {
        let scratch = UnsafeMutableBufferPointer<Float>.allocate(capacity: target.count)
        defer { scratch.deallocate() }
        try matrix.read(rows, to: scratch)
        for row in 0..<rows.count {
            for column in 0..<matrix.columns {
                target[column * rows.count + row] = scratch[row * matrix.columns + column]
            }
        }
    }
}
