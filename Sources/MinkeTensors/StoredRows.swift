import CMinkeKernels

/// Rows of a weight as they lie in a file: plain elements or blocks, read where they are.
public struct StoredRows: @unchecked Sendable {  // The bytes are never written and live as long as `owner`.
    /// One of the formats of minke_blocks.h; up to 999 they are GGML's own numbers.
    let format: Int32
    let data: UnsafeRawPointer
    public let rows: Int
    public let columns: Int
    /// Bytes of one row.
    let rowBytes: Int
    /// Factors of blocks of 128 × 128 (FP8 checkpoints of DeepSeek-V3), `[⌈rows/128⌉, ⌈columns/128⌉]`.
    private let scales: Tensor?
    /// The number of the first row within the matrix that `scales` belong to.
    private let firstRow: Int
    private let owner: AnyObject

    /// - Parameters:
    ///   - format: a format of minke_blocks.h whose blocks divide `columns`.
    ///   - bytes: at least as many as the rows take.
    ///   - owner: keeps `bytes` valid.
    public init?(
        format: Int32, bytes: UnsafeRawBufferPointer, rows: Int, columns: Int, scales: Tensor? = nil, owner: AnyObject
    ) {
        let elements = Int(minkeBlockElements(format))
        guard elements > 0, columns % elements == 0, let data = bytes.baseAddress else { return nil }
        rowBytes = columns / elements * Int(minkeBlockBytes(format))
        guard bytes.count >= rows * rowBytes else { return nil }
        self.format = format
        self.data = data
        self.rows = rows
        self.columns = columns
        self.scales = scales
        firstRow = 0
        self.owner = owner
    }

    private init(_ whole: StoredRows, data: UnsafeRawPointer, rows: Int, firstRow: Int, owner: AnyObject) {
        format = whole.format
        self.data = data
        self.rows = rows
        columns = whole.columns
        rowBytes = whole.rowBytes
        scales = whole.scales
        self.firstRow = firstRow
        self.owner = owner
    }

    /// The same rows as they lie elsewhere: a copy of the bytes.
    ///
    /// - Parameters:
    ///   - bytes: as many as ``bytes``.
    ///   - owner: keeps them valid.
    public func relocated(to bytes: UnsafeRawPointer, owner: AnyObject) -> StoredRows {
        StoredRows(self, data: bytes, rows: rows, firstRow: firstRow, owner: owner)
    }

    /// Rows of a tensor's own memory.
    public init(_ tensor: Tensor) {
        precondition(tensor.isContiguous)
        format = Int32(tensor.type == .bfloat16 ? MinkeStoredBF16 : MinkeStoredF32)
        data = UnsafeRawPointer(tensor.pointer)
        rows = tensor.rows
        columns = tensor.columns
        rowBytes = tensor.columns * tensor.type.byteWidth
        scales = nil
        firstRow = 0
        owner = tensor.owner
    }

    /// Some of the rows, sharing the bytes.
    public func rows(_ range: Range<Int>) -> StoredRows {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows)
        return StoredRows(
            self, data: data + range.lowerBound * rowBytes, rows: range.count, firstRow: firstRow + range.lowerBound,
            owner: owner)
    }

    public var bytes: Int { rows * rowBytes }

    /// Blocks of few bits, which integer products can work on.
    var isBlocked: Bool { minkeBlockElements(format) > 1 }

    /// Calls `body` with the kernels' view of the rows.
    func withKernelView<Result>(_ body: (UnsafePointer<MinkeStored>) throws -> Result) rethrows -> Result {
        var stored = MinkeStored(
            format: format, data: data, rowBytes: Int64(rowBytes), depth: Int64(columns),
            scales: scales.map { UnsafePointer($0.floats) }, scaleStride: Int64(scales?.columns ?? 0),
            firstRow: Int64(firstRow))
        return try withExtendedLifetime(self) { try body(&stored) }
    }

    /// Writes row `row` as floats.
    func decode(row: Int, to target: UnsafeMutablePointer<Float>) {
        minkeDecodeBlocks(format, data + row * rowBytes, target, Int64(columns))
        guard let scales else { return }
        let factors = scales.floats + (firstRow + row) / 128 * scales.columns
        for column in 0..<columns { target[column] *= factors[column / 128] }
    }

    /// All rows as floats.
    public func decoded() -> Tensor {
        let result = Tensor(uninitialized: rows, columns)
        CPU.shared.parallel(rows, chunk: Tensor.rowsPerTask) { range in
            for row in range { decode(row: row, to: result.floats + row * columns) }
        }
        return result
    }
}
