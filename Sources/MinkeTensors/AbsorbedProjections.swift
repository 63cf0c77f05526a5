import CMinkeKernels

/// The two halves of `kv_b_proj` as decoding needs them: per head W^UK to bring a query into the latent's space, and
/// W^UV to bring the mixed latent back (DeepSeek-V2, 2.1.2).
public final class AbsorbedProjections {
    private let weight: Parameter
    public let heads: Int
    public let keyWidth: Int
    public let valueWidth: Int
    private var packed: (version: Int, keys: Storage, values: Storage)?

    /// - Parameter weight: `[heads × (keyWidth + valueWidth), rank]`, per head the key's rows and then the value's.
    public init(_ weight: Parameter, heads: Int, keyWidth: Int, valueWidth: Int) {
        self.weight = weight
        self.heads = heads
        self.keyWidth = keyWidth
        self.valueWidth = valueWidth
    }

    /// Width of a latent.
    public var rank: Int { weight.columns }
    private var keyBytes: Int { Int(minkePanelBytes(Int64(keyWidth), Int64(rank), 0)) }
    private var valueBytes: Int { Int(minkePanelBytes(Int64(rank), Int64(valueWidth), 0)) }

    private func halves() -> (keys: Storage, values: Storage) {
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
    public func absorb(_ queries: Tensor) -> Tensor {
        let q = queries.converted(to: .float32)
        let queryWidth = q.columns / heads
        let rotary = queryWidth - keyWidth
        let out = Tensor(uninitialized: q.rows, heads * (rank + rotary))
        let (keys, _) = halves()
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
    public func expand(_ mixed: Tensor) -> Tensor {
        let out = Tensor(uninitialized: mixed.rows, heads * valueWidth)
        let (_, values) = halves()
        CPU.shared.parallel(heads) { head in
            var product = Product.description(
                mixed.columns(head * rank..<(head + 1) * rank), panels: values.pointer + head * valueBytes,
                depth: rank, out: out.columns(head * valueWidth..<(head + 1) * valueWidth), .store)
            Product.run(&product, type: .float32, 0..<mixed.rows, 0..<(valueWidth + 31) / 32)
        }
        return out
    }

    /// Keys and values of some heads, as `kv_b_proj` makes them.
    ///
    /// - Parameter latents: `[tokens, rank]`, in the type of the result.
    /// - Returns: `[tokens, heads × (keyWidth + valueWidth)]`.
    func keysAndValues(_ latents: Tensor, heads: Range<Int>) -> Tensor {
        let height = keyWidth + valueWidth
        let columns = heads.count * height
        let type = latents.type
        let panelCount = (columns + 31) / 32
        let panels = Storage(bytes: Int(minkePanelBytes(Int64(rank), Int64(columns), type.code)))
        CPU.shared.parallel(panelCount) { panel in
            CPU.shared.kernels.packTransposed(
                weight.value.pointer(row: heads.lowerBound * height), 0, Int64(rank), Int64(columns), Int64(rank),
                panels.pointer, type.code, Int64(panel), Int64(panel + 1))
        }
        let out = Tensor(uninitialized: LayerCache.roundedUp(latents.rows), columns, type: type)
            .rows(0..<latents.rows)
        Product.multiply(latents, panels: panels.pointer, into: out)
        return out
    }
}
