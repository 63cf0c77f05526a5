import CMinkeKernels

/// A matrix of `rows × columns` elements in the memory of a device; a vector is one row.
///
/// Rows are contiguous and `stride` elements apart, so a range of columns is a view that shares the memory. Tensors are
/// references: copies of the value see the same elements. Nothing is synchronised; one thread at a time works with a
/// tensor, and operations split their own work.
public struct Tensor: Sendable {
    public let rows: Int
    public let columns: Int
    public let type: ElementType
    /// Elements from one row to the next.
    let stride: Int
    private let offset: Int
    private let storage: Storage

    /// A tensor whose elements are whatever the memory held.
    public init(uninitialized rows: Int, _ columns: Int, type: ElementType = .float32) {
        precondition(rows >= 0 && columns >= 0)
        self.rows = rows
        self.columns = columns
        self.type = type
        stride = columns
        offset = 0
        storage = Storage(bytes: rows * columns * type.byteWidth)
    }

    /// A tensor of zeros.
    public init(zeros rows: Int, _ columns: Int, type: ElementType = .float32) {
        self.init(uninitialized: rows, columns, type: type)
        // Large ones on all threads, which would otherwise wait for it.
        CPU.shared.parallel(rows * columns * type.byteWidth, chunk: 256 << 10) { bytes in
            (pointer + bytes.lowerBound).initializeMemory(as: UInt8.self, repeating: 0, count: bytes.count)
        }
    }

    /// A tensor of the given values, row by row.
    public init(_ values: [Float], rows: Int, columns: Int, type: ElementType = .float32) {
        precondition(values.count == rows * columns)
        self.init(uninitialized: rows, columns, type: type)
        copy(from: values)
    }

    private init(view storage: Storage, offset: Int, rows: Int, columns: Int, stride: Int, type: ElementType) {
        self.storage = storage
        self.offset = offset
        self.rows = rows
        self.columns = columns
        self.stride = stride
        self.type = type
    }

    /// Keeps the memory alive.
    var owner: AnyObject { storage }

    /// The memory of element (0, 0).
    var pointer: UnsafeMutableRawPointer { storage.pointer + offset * type.byteWidth }

    /// The memory of element (0, 0) of a `float32` tensor.
    var floats: UnsafeMutablePointer<Float> {
        precondition(type == .float32)
        return pointer.assumingMemoryBound(to: Float.self)
    }

    func pointer(row: Int, column: Int = 0) -> UnsafeMutableRawPointer {
        pointer + (row * stride + column) * type.byteWidth
    }

    public var count: Int { rows * columns }
    var isContiguous: Bool { stride == columns || rows <= 1 }

    /// Columns `range` of every row, sharing memory.
    public func columns(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= columns)
        return Tensor(
            view: storage, offset: offset + range.lowerBound, rows: rows, columns: range.count, stride: stride,
            type: type)
    }

    /// Rows `range`, sharing memory.
    public func rows(_ range: Range<Int>) -> Tensor {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows)
        return Tensor(
            view: storage, offset: offset + range.lowerBound * stride, rows: range.count, columns: columns,
            stride: stride, type: type)
    }

    /// The elements in another shape of the same count; the tensor must be contiguous.
    public func reshaped(_ rows: Int, _ columns: Int) -> Tensor {
        precondition(isContiguous && rows * columns == count)
        return Tensor(view: storage, offset: offset, rows: rows, columns: columns, stride: columns, type: type)
    }

    /// The elements as floats, row by row.
    public var values: [Float] {
        [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let base = buffer.baseAddress {
                for row in 0..<rows {
                    CPU.shared.kernels.convert(
                        pointer(row: row), type.code, base + row * columns, ElementType.float32.code, Int64(columns))
                }
            }
            initialized = count
        }
    }

    /// Replaces the elements, row by row, rounding if the tensor is narrower.
    public func copy(from values: [Float]) {
        precondition(values.count == count)
        values.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for row in 0..<rows {
                CPU.shared.kernels.convert(
                    base + row * columns, ElementType.float32.code, pointer(row: row), type.code, Int64(columns))
            }
        }
    }

    /// Calls `body` with the bytes of a contiguous tensor.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        precondition(isContiguous)
        return try body(UnsafeRawBufferPointer(start: pointer, count: count * type.byteWidth))
    }

    /// Calls `body` with the bytes of a contiguous tensor, which it may change.
    public func withUnsafeMutableBytes<Result>(
        _ body: (UnsafeMutableRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        precondition(isContiguous)
        return try body(UnsafeMutableRawBufferPointer(start: pointer, count: count * type.byteWidth))
    }

    /// The matrix turned over, in another type if asked for.
    public func transposed(type: ElementType) -> Tensor {
        let source = converted(to: .float32)
        let result = Tensor(uninitialized: columns, rows)
        CPU.shared.parallel(columns, chunk: Tensor.rowsPerTask) { range in
            for column in range {
                let to = result.floats + column * rows
                for row in 0..<rows { to[row] = source.floats[row * source.stride + column] }
            }
        }
        return result.converted(to: type)
    }

    /// Sets every element of a contiguous tensor to zero.
    public func clear() {
        withUnsafeMutableBytes { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
    }
}
