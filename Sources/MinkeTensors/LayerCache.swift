import CMinkeKernels

/// What attention remembers of the tokens before: one row per token.
///
/// With latent attention a row is the normalised latent and the turned rotary key (`kv_lora_rank + qk_rope_head_dim`
/// values, shared by all heads); with multi-head attention it is the keys of all heads and then their values.
public final class LayerCache {
    /// Values of one row.
    public let width: Int
    /// Rows that fit.
    public let capacity: Int
    /// Rows filled.
    public private(set) var count = 0
    public let type: ElementType
    private let rows: Tensor

    public init(width: Int, capacity: Int, type: ElementType = .float32) {
        self.width = width
        self.capacity = capacity
        self.type = type
        rows = Tensor(uninitialized: capacity, width, type: type)
    }

    /// Bytes of one row.
    public var bytesPerToken: Int { width * type.byteWidth }

    /// Adds one row per row of the parts, side by side.
    public func append(_ parts: [Tensor]) {
        guard let added = parts.first?.rows else { return }
        precondition(count + added <= capacity, "the cache is full")
        var column = 0
        for part in parts {
            rows.rows(count..<count + added).columns(column..<column + part.columns).assign(part)
            column += part.columns
        }
        precondition(column == width)
        count += added
    }

    /// Forgets all rows from `count` on.
    public func truncate(to count: Int) {
        precondition(count <= self.count)
        self.count = count
    }

    /// One query token's `heads` queries over the first `cached` rows. Keys start at `keyOffset` of a row and values at
    /// `valueOffset`.
    func attend(
        _ queries: UnsafePointer<Float>, heads: Int, keyWidth: Int, keyOffset: Int, valueOffset: Int, valueWidth: Int,
        cached: Int, scale: Float, into out: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        CPU.shared.kernels.decodeAttention(
            queries, Int64(heads), Int64(keyWidth), rows.pointer(row: 0, column: keyOffset), type.code, Int64(width),
            Int64(cached), Int64(valueOffset - keyOffset), Int64(valueWidth), scale, out, scratch)
    }

    /// Multi-head attention of the newest rows' queries over the cache.
    ///
    /// - Parameter queries: `[new, heads × keyWidth]`; the rows' own keys and values are cached already.
    /// - Returns: `[new, heads × valueWidth]`, in the queries' type.
    public func attend(_ queries: Tensor, shape: AttentionShape) -> Tensor {
        let q = queries.converted(to: .float32)
        let out = Tensor(uninitialized: q.rows, shape.heads * shape.valueWidth)
        let scratch = Tensor(uninitialized: q.rows * shape.heads, count)
        let before = count - q.rows
        CPU.shared.parallel(q.rows * shape.heads) { task in
            let (row, head) = task.quotientAndRemainder(dividingBy: shape.heads)
            attend(
                q.pointer(row: row, column: head * shape.keyWidth).assumingMemoryBound(to: Float.self), heads: 1,
                keyWidth: shape.keyWidth, keyOffset: head * shape.keyWidth,
                valueOffset: shape.heads * shape.keyWidth + head * shape.valueWidth, valueWidth: shape.valueWidth,
                cached: before + row + 1, scale: shape.scale,
                into: out.pointer(row: row, column: head * shape.valueWidth).assumingMemoryBound(to: Float.self),
                scratch: scratch.floats + task * count)
        }
        return out.converted(to: queries.type)
    }
}

/// The two halves of `kv_b_proj` as decoding needs them: per head W^UK to bring a query into the latent's space, and
/// W^UV to bring the mixed latent back (DeepSeek-V2, 2.1.2).
public final class AbsorbedProjections {
    private let weight: Parameter
    private let heads: Int
    private let keyWidth: Int
    private let valueWidth: Int
    private var packed: (version: Int, keys: Storage, values: Storage)?

    /// - Parameter weight: `[heads × (keyWidth + valueWidth), rank]`, per head the key's rows and then the value's.
    public init(_ weight: Parameter, heads: Int, keyWidth: Int, valueWidth: Int) {
        self.weight = weight
        self.heads = heads
        self.keyWidth = keyWidth
        self.valueWidth = valueWidth
    }

    private var rank: Int { weight.columns }
    private var keyBytes: Int { Int(minkePanelBytes(Int64(keyWidth), Int64(rank), 0)) }
    private var valueBytes: Int { Int(minkePanelBytes(Int64(rank), Int64(valueWidth), 0)) }

    private func halves() -> (keys: Storage, values: Storage) {
        if let packed, packed.version == weight.version { return (packed.keys, packed.values) }
        let keys = Storage(bytes: keyBytes * heads)
        let values = Storage(bytes: valueBytes * heads)
        let kernels = CPU.shared.kernels
        for head in 0..<heads {
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

    /// Attention of the newest rows' queries over cached latents and rotary keys.
    ///
    /// - Parameter queries: `[new, heads × (keyWidth + sharedWidth)]`; the rows' own latents are cached already.
    /// - Returns: `[new, heads × valueWidth]`, in the queries' type.
    public func attend(_ queries: Tensor, cache: LayerCache, shape: AttentionShape) -> Tensor {
        let q = queries.converted(to: .float32)
        let (keys, values) = halves()
        let tokens = q.rows
        let width = rank + shape.sharedWidth
        let absorbed = Tensor(uninitialized: heads * tokens, width)
        let mixed = Tensor(uninitialized: heads * tokens, rank)
        let scratch = Tensor(uninitialized: heads, cache.count)
        let out = Tensor(uninitialized: tokens, heads * valueWidth)
        let before = cache.count - tokens
        CPU.shared.parallel(heads) { head in
            let column = head * (keyWidth + shape.sharedWidth)
            let own = absorbed.rows(head * tokens..<(head + 1) * tokens)
            var product = Product.description(
                q.columns(column..<column + keyWidth), panels: keys.pointer + head * keyBytes, depth: keyWidth,
                out: own.columns(0..<rank), .store)
            Product.run(&product, type: .float32, 0..<tokens, 0..<(rank + 31) / 32)
            for token in 0..<tokens {
                own.pointer(row: token, column: rank).copyMemory(
                    from: q.pointer(row: token, column: column + keyWidth), byteCount: shape.sharedWidth * 4)
                cache.attend(
                    own.pointer(row: token).assumingMemoryBound(to: Float.self), heads: 1, keyWidth: width,
                    keyOffset: 0, valueOffset: 0, valueWidth: rank, cached: before + token + 1, scale: shape.scale,
                    into: mixed.pointer(row: head * tokens + token).assumingMemoryBound(to: Float.self),
                    scratch: scratch.pointer(row: head).assumingMemoryBound(to: Float.self))
            }
            var back = Product.description(
                mixed.rows(head * tokens..<(head + 1) * tokens), panels: values.pointer + head * valueBytes,
                depth: rank, out: out.columns(head * valueWidth..<(head + 1) * valueWidth), .store)
            Product.run(&back, type: .float32, 0..<tokens, 0..<(valueWidth + 31) / 32)
        }
        return out.converted(to: queries.type)
    }
}
