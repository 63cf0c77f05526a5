import CMinkeKernels

/// The two halves of `kv_b_proj` as decoding needs them: per head W^UK to bring a query into the latent's space, and
/// W^UV to bring the mixed latent back (DeepSeek-V2, 2.1.2).
public final class AbsorbedProjections {
    private enum Weights {
        /// `kv_b_proj`, `[heads × (keyWidth + valueWidth), rank]`, with a master copy.
        case joined(Parameter)
        /// Stored halves, one matrix a head: W^UKᵀ `[rank, keyWidth]` and W^UV `[valueWidth, rank]`.
        case apart(keys: Parameter, values: Parameter, usesIntegers: Bool)
    }

    private let weights: Weights
    /// Whether `kv_b_proj` is read from a file's blocks.
    var isStored: Bool { if case .apart = weights { true } else { false } }
    public let heads: Int
    public let keyWidth: Int
    public let valueWidth: Int
    /// Width of a latent.
    public let rank: Int
    private var packed: (version: Int, keys: Storage, values: Storage)?

    /// - Parameter weight: `[heads × (keyWidth + valueWidth), rank]`, per head the key's rows and then the value's.
    public init(_ weight: Parameter, heads: Int, keyWidth: Int, valueWidth: Int) {
        weights = .joined(weight)
        self.heads = heads
        self.keyWidth = keyWidth
        self.valueWidth = valueWidth
        rank = weight.columns
    }

    /// - Parameters:
    ///   - keys: stored, one matrix a head: the key's rows of `kv_b_proj` transposed, `[rank, keyWidth]`.
    ///   - values: stored, one matrix a head: `[valueWidth, rank]`.
    ///   - usesIntegers: whether activations may be quantised.
    public init(keys: Parameter, values: Parameter, usesIntegers: Bool) {
        precondition(keys.isStored && values.isStored && keys.groups == values.groups && keys.rows == values.columns)
        weights = .apart(keys: keys, values: values, usesIntegers: usesIntegers)
        heads = keys.groups
        keyWidth = keys.columns
        valueWidth = values.rows
        rank = keys.rows
    }

    private var keyBytes: Int { Int(minkePanelBytes(Int64(keyWidth), Int64(rank), 0)) }
    private var valueBytes: Int { Int(minkePanelBytes(Int64(rank), Int64(valueWidth), 0)) }

    private func halves(of weight: Parameter) -> (keys: Storage, values: Storage) {
        if let packed, packed.version == weight.version { return (packed.keys, packed.values) }
        let keys = Storage(bytes: keyBytes * heads)
        let values = Storage(bytes: valueBytes * heads)
        let kernels = CPU.shared.kernels
        CPU.shared.parallel(heads) { head in
            let row = head * (keyWidth + valueWidth)
            kernels.packDirect(
                weight.value.pointer(row: row), 0, Int64(rank), nil, Int64(rank), Int64(keyWidth),
                keys.pointer + head * keyBytes, 0, 0, Int64((rank + 31) / 32))
            kernels.packTransposed(
                weight.value.pointer(row: row + keyWidth), 0, Int64(rank), Int64(valueWidth), Int64(rank),
                values.pointer + head * valueBytes, 0, 0, Int64((valueWidth + 31) / 32))
        }
        packed = (weight.version, keys, values)
        return (keys, values)
    }

    /// Queries in the latent's space: each head's own part times W^UK, then its rotary part as it is.
    ///
    /// - Parameter queries: `[tokens, heads × (keyWidth + rotary)]`, any rotary width.
    /// - Returns: `float32`, `[tokens, heads × (rank + rotary)]`.
    public func absorb(_ queries: Tensor, keepsRowsApart: Bool = false) -> Tensor {
        let q = queries.converted(to: .float32)
        let queryWidth = q.columns / heads
        let rotary = queryWidth - keyWidth
        let out = Tensor(uninitialized: q.rows, heads * (rank + rotary))
        let weight: Parameter
        switch weights {
        case .joined(let joined): weight = joined
        case .apart(let keys, _, let usesIntegers):
            let absorbed = multiplyHeads(
                q, width: keyWidth, stride: queryWidth, keys, usesIntegers: usesIntegers,
                keepsRowsApart: keepsRowsApart)
            for row in 0..<q.rows {
                for head in 0..<heads {
                    let to = out.pointer(row: row, column: head * (rank + rotary))
                    to.copyMemory(from: absorbed.pointer(row: head * q.rows + row), byteCount: rank * 4)
                    (to + rank * 4).copyMemory(
                        from: q.pointer(row: row, column: head * queryWidth + keyWidth), byteCount: rotary * 4)
                }
            }
            return out
        }
        let (keys, _) = halves(of: weight)
        CPU.shared.parallel(heads) { head in
            let own = out.columns(head * (rank + rotary)..<(head + 1) * (rank + rotary))
            var product = Product.description(
                q.columns(head * queryWidth..<head * queryWidth + keyWidth), panels: keys.pointer + head * keyBytes,
                depth: keyWidth, out: own.columns(0..<rank), .store)
            Product.run(&product, type: .float32, 0..<q.rows, 0..<(rank + 31) / 32)
            for row in 0..<q.rows {
                own.pointer(row: row, column: rank).copyMemory(
                    from: q.pointer(row: row, column: head * queryWidth + keyWidth), byteCount: rotary * 4)
            }
        }
        return out
    }

    /// Mixed latents brought back: each head's latent times W^UV.
    ///
    /// - Parameter mixed: `float32`, `[tokens, heads × rank]`.
    /// - Returns: `float32`, `[tokens, heads × valueWidth]`.
    public func expand(_ mixed: Tensor, keepsRowsApart: Bool = false) -> Tensor {
        let out = Tensor(uninitialized: mixed.rows, heads * valueWidth)
        let weight: Parameter
        switch weights {
        case .joined(let joined): weight = joined
        case .apart(_, let values, let usesIntegers):
            let expanded = multiplyHeads(
                mixed, width: rank, stride: rank, values, usesIntegers: usesIntegers, keepsRowsApart: keepsRowsApart)
            for row in 0..<mixed.rows {
                for head in 0..<heads {
                    out.pointer(row: row, column: head * valueWidth).copyMemory(
                        from: expanded.pointer(row: head * mixed.rows + row), byteCount: valueWidth * 4)
                }
            }
            return out
        }
        let (_, values) = halves(of: weight)
        CPU.shared.parallel(heads) { head in
            var product = Product.description(
                mixed.columns(head * rank..<(head + 1) * rank), panels: values.pointer + head * valueBytes,
                depth: rank, out: out.columns(head * valueWidth..<(head + 1) * valueWidth), .store)
            Product.run(&product, type: .float32, 0..<mixed.rows, 0..<(valueWidth + 31) / 32)
        }
        return out
    }

    /// Each head's slice of the rows times its own stored matrix.
    ///
    /// - Returns: `[heads × rows, rows of one matrix]`, head by head.
    private func multiplyHeads(
        _ x: Tensor, width: Int, stride: Int, _ weight: Parameter, usesIntegers: Bool, keepsRowsApart: Bool
    ) -> Tensor {
        let inputs = Tensor(uninitialized: heads * x.rows, width)
        for head in 0..<heads {
            for row in 0..<x.rows {
                inputs.pointer(row: head * x.rows + row).copyMemory(
                    from: x.pointer(row: row, column: head * stride), byteCount: width * 4)
            }
        }
        let outputs = Tensor(uninitialized: heads * x.rows, weight.rows)
        StoredProduct.multiply(
            inputs, weight.stored, offsets: (0...heads).map { $0 * x.rows }, into: outputs, usesIntegers: usesIntegers,
            keepsRowsApart: keepsRowsApart)
        return outputs
    }

    /// Rows that are turned over at a time: one cache line of the result.
    private static let turnedRows = 16

    /// `kv_b_proj` of some heads in `float32`: per head the key's rows, then the value's.
    private func joinedRows(heads: Range<Int>, keys: Parameter, values: Parameter) -> Tensor {
        let height = keyWidth + valueWidth
        let joined = Tensor(uninitialized: heads.count * height, rank)
        CPU.shared.parallel(heads.count) { index in
            let head = heads.lowerBound + index
            let first = joined.floats + index * height * rank
            // Some rows at a time, so that what is written lies together.
            let lines = Tensor(uninitialized: Self.turnedRows, keyWidth)
            for start in stride(from: 0, to: rank, by: Self.turnedRows) {
                let count = min(Self.turnedRows, rank - start)
                for row in 0..<count { keys.copyRow(head * rank + start + row, to: lines.floats + row * keyWidth) }
                for column in 0..<keyWidth {
                    let to = first + column * rank + start
                    for row in 0..<count { to[row] = lines.floats[row * keyWidth + column] }
                }
            }
            for row in 0..<valueWidth {
                values.copyRow(head * valueWidth + row, to: first + (keyWidth + row) * rank)
            }
        }
        return joined
    }

    /// Keys and values of some heads, as `kv_b_proj` makes them.
    ///
    /// - Parameter latents: `[tokens, rank]`, in the type of the result.
    /// - Returns: `[tokens, heads × (keyWidth + valueWidth)]`.
    public func keysAndValues(_ latents: Tensor, heads: Range<Int>) -> Tensor {
        let height = keyWidth + valueWidth
        let columns = heads.count * height
        let type = latents.type
        let rows =
            switch weights {
            case .joined(let weight): weight.value.rows(heads.lowerBound * height..<heads.upperBound * height)
            case .apart(let keys, let values, _): joinedRows(heads: heads, keys: keys, values: values)
            }
        let panelCount = (columns + 31) / 32
        let panels = Storage(bytes: Int(minkePanelBytes(Int64(rank), Int64(columns), type.code)))
        CPU.shared.parallel(panelCount) { panel in
            CPU.shared.kernels.packTransposed(
                rows.pointer, 0, Int64(rank), Int64(columns), Int64(rank), panels.pointer,
                type.code, Int64(panel), Int64(panel + 1))
        }
        let out = Tensor(uninitialized: LayerCache.roundedUp(latents.rows), columns, type: type)
            .rows(0..<latents.rows)
        Product.multiply(latents, panels: panels.pointer, into: out)
        return out
    }
}
