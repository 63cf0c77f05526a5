import CMinkeKernels

/// How the values of a cache are kept.
public enum CacheType: Sendable, Hashable {
    case float32
    case bfloat16
    /// 8-bit integers with one `float32` scale for every 64 values of a part.
    case q8

    /// The type in which attention reads the rows.
    public var computeType: ElementType { self == .float32 ? .float32 : .bfloat16 }
}

/// What attention remembers of the tokens before: one row per token.
///
/// With latent attention a row is the normalised latent and the turned rotary key (`kv_lora_rank + qk_rope_head_dim`
/// values, shared by all heads); with multi-head attention it is the keys of all heads and then their values. Memory
/// grows with the rows, a block at a time, and sequences that begin alike may share blocks (``fork(count:)``).
public final class LayerCache {
    /// Widths of the parts of one row. Parts do not share scales.
    public let parts: [Int]
    /// Values of one row.
    public let width: Int
    /// Rows that fit.
    public let capacity: Int
    /// Rows filled.
    public private(set) var count = 0
    public let type: CacheType
    /// Bytes of one row.
    public let bytesPerToken: Int

    /// Rows that a block of memory holds.
    public let rowsPerBlock: Int
    private var blocks: [Storage] = []

    /// - Parameters:
    ///   - parts: widths of the tensors that ``append(_:)`` gets.
    ///   - capacity: the most rows that will be kept; no memory is taken for them yet.
    public init(parts: [Int], capacity: Int, type: CacheType = .float32) {
        self.parts = parts
        self.capacity = capacity
        self.type = type
        width = parts.reduce(0, +)
        switch type {
        case .float32: bytesPerToken = width * 4
        case .bfloat16: bytesPerToken = LayerCache.evenWidth(width) * 2
        case .q8: bytesPerToken = (width + 3) / 4 * 4 + parts.reduce(0) { $0 + LayerCache.groups($1) } * 4
        }
        let step = Int(MinkeCacheRowStep)
        rowsPerBlock = min(LayerCache.chunkRows, (max(1, capacity) + step - 1) / step * step)
    }

    /// A cache of rows of a single part.
    public convenience init(width: Int, capacity: Int, type: CacheType = .float32) {
        self.init(parts: [width], capacity: capacity, type: type)
    }

    /// Rows that attention takes in one piece, and that a block of memory holds at most.
    static let chunkRows = Int(MinkeCacheChunk)
    /// The next power of two: scratch memory that grows with the rows takes few different sizes and is used again.
    static func roundedUp(_ count: Int) -> Int {
        count <= 1 ? 1 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
    }
    /// Columns of a row in `bfloat16`, which is read in pairs.
    static func evenWidth(_ width: Int) -> Int { (width + 1) / 2 * 2 }
    private static func groups(_ width: Int) -> Int { (width + Int(MinkeCacheGroup) - 1) / Int(MinkeCacheGroup) }

    /// Bytes of memory taken for rows so far.
    public var reservedBytes: Int { blocks.count * blockBytes }

    /// Bytes of one block.
    public var blockBytes: Int { rowsPerBlock * bytesPerToken + Int(MinkeCacheSlack) * 4 }

    private func pointer(row: Int) -> UnsafeMutableRawPointer {
        let (block, inside) = row.quotientAndRemainder(dividingBy: rowsPerBlock)
        return blocks[block].pointer + inside * bytesPerToken
    }

    private func newBlock() -> Storage { Storage(bytes: blockBytes, isExact: true) }

    /// Adds one row per row of the parts, side by side.
    public func append(_ tensors: [Tensor]) {
        guard let added = tensors.first?.rows else { return }
        precondition(added <= capacity - count, "the cache is full")
        precondition(tensors.map(\.columns) == parts, "the parts of a row have fixed widths")
        ownLastBlock()
        while blocks.count * rowsPerBlock < count + added { blocks.append(newBlock()) }
        CPU.shared.parallel(added, chunk: Tensor.rowsPerTask) { rows in
            for row in rows { write(tensors, row: row, to: pointer(row: count + row)) }
        }
        count += added
    }

    /// The first `count` rows as a cache of their own. Nothing is copied: whoever adds rows to a block that others see
    /// too copies it first.
    public func fork(count: Int) -> LayerCache {
        let copy = LayerCache(parts: parts, capacity: capacity, type: type)
        copy.blocks = blocks
        copy.count = self.count
        copy.truncate(to: count)
        return copy
    }

    /// Copies the block to which the next row goes, if it has rows and others see it too.
    private func ownLastBlock() {
        let used = count % rowsPerBlock
        guard used > 0, !isKnownUniquelyReferenced(&blocks[count / rowsPerBlock]) else { return }
        let own = newBlock()
        own.pointer.copyMemory(from: blocks[count / rowsPerBlock].pointer, byteCount: used * bytesPerToken)
        blocks[count / rowsPerBlock] = own
    }

    private func write(_ tensors: [Tensor], row: Int, to: UnsafeMutableRawPointer) {
        let kernels = CPU.shared.kernels
        guard type == .q8 else {
            let element = type.computeType
            var at = to
            for tensor in tensors {
                kernels.convert(tensor.pointer(row: row), tensor.type.code, at, element.code, Int64(tensor.columns))
                at += tensor.columns * element.byteWidth
            }
            // The partner of an odd row's last value.
            if type == .bfloat16 && width % 2 != 0 { at.storeBytes(of: 0, as: UInt16.self) }
            return
        }
        forEachPart(of: to) { part, _, values, scales in
            let tensor = tensors[part]
            kernels.quantizeRow(tensor.pointer(row: row), tensor.type.code, Int64(tensor.columns), values, scales)
        }
    }

    /// The bytes and the scales of each part of an 8-bit row, with the part's number and first column.
    private func forEachPart(
        of row: UnsafeMutableRawPointer,
        _ body: (Int, Int, UnsafeMutablePointer<Int8>, UnsafeMutablePointer<Float>) -> Void
    ) {
        var column = 0
        var scales = (row + (width + 3) / 4 * 4).assumingMemoryBound(to: Float.self)
        for (part, partWidth) in parts.enumerated() {
            body(part, column, (row + column).assumingMemoryBound(to: Int8.self), scales)
            column += partWidth
            scales += LayerCache.groups(partWidth)
        }
    }

    /// Forgets all rows from `count` on.
    public func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count)
        self.count = count
        blocks.removeLast(blocks.count - (count + rowsPerBlock - 1) / rowsPerBlock)
    }

    /// Elements from one row to the next of what ``chunk(_:scratch:)`` gives.
    var chunkStride: Int { type == .float32 ? width : LayerCache.evenWidth(width) }

    /// Bytes of scratch memory that reading a chunk needs.
    var chunkScratchBytes: Int {
        type == .q8 ? LayerCache.chunkRows * chunkStride * 2 + Int(MinkeCacheSlack) * 4 : 0
    }

    /// The rows of one chunk as they are held.
    func heldChunk(_ index: Int) -> UnsafeRawPointer { UnsafeRawPointer(pointer(row: index * LayerCache.chunkRows)) }

    /// The rows of one chunk in the type in which attention reads them; 8-bit rows are widened into `scratch`.
    func chunk(_ index: Int, scratch: UnsafeMutableRawPointer) -> UnsafeRawPointer {
        guard type == .q8 else { return heldChunk(index) }
        let first = index * LayerCache.chunkRows
        let kernels = CPU.shared.kernels
        for row in 0..<min(LayerCache.chunkRows, count - first) {
            widen(row: first + row, to: scratch + row * chunkStride * 2, .bfloat16, kernels)
        }
        return UnsafeRawPointer(scratch)
    }

    private func widen(row: Int, to: UnsafeMutableRawPointer, _ type: ElementType, _ kernels: MinkeKernels) {
        forEachPart(of: pointer(row: row)) { part, column, values, scales in
            kernels.dequantizeRow(values, scales, Int64(parts[part]), to + column * type.byteWidth, type.code)
        }
        if type == .bfloat16 && width % 2 != 0 { (to + width * 2).storeBytes(of: 0, as: UInt16.self) }
    }

    /// All rows in one tensor, `[count, width]`.
    func allRows(_ type: ElementType) -> Tensor {
        // An even distance, so that rows may be read in pairs.
        let rows = Tensor(uninitialized: LayerCache.roundedUp(count), LayerCache.evenWidth(width), type: type)
        let kernels = CPU.shared.kernels
        CPU.shared.parallel(count, chunk: Tensor.rowsPerTask) { range in
            for row in range {
                if self.type == .q8 {
                    widen(row: row, to: rows.pointer(row: row), type, kernels)
                } else {
                    kernels.convert(
                        pointer(row: row), self.type.computeType.code, rows.pointer(row: row), type.code, Int64(width))
                }
            }
        }
        return rows.rows(0..<count).columns(0..<width)
    }
}
