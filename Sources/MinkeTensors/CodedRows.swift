import CMinkeKernels

/// Whole numbers that operands of products are quantised to, with a scale for every 128 that are summed.
enum CodeWidth: Int32, Sendable {
    /// −127 to 127 in a byte: a rounding error of about 0.7 % of what is typical of a block.
    case bits8 = 1
    /// −4095 to 4095 in two bytes: several times finer than bfloat16.
    case bits13 = 2
}

/// The rows of a tensor as codes: a left operand of products.
final class CodedRows: Sendable {
    let rows: Int
    let columns: Int
    let width: CodeWidth
    /// Bytes from one row of codes to the next.
    let stride: Int
    let codes: Storage
    /// `minkeCodeBlocks(columns)` a row.
    let scales: Storage

    init(_ tensor: Tensor, _ width: CodeWidth = .bits8) {
        rows = tensor.rows
        columns = tensor.columns
        self.width = width
        stride = Int(minkeCodeRowBytes(Int64(tensor.columns), width.rawValue))
        codes = Storage(bytes: tensor.rows * stride)
        scales = Storage(bytes: tensor.rows * Int(minkeCodeBlocks(Int64(tensor.columns))) * MemoryLayout<Float>.size)
        let cpu = CPU.shared
        cpu.parallel(rows, chunk: Tensor.rowsPerTask) { range in
            cpu.kernels.quantizeCodeRows(
                tensor.pointer, tensor.type.code, Int64(tensor.stride), Int64(columns), width.rawValue, codes.pointer,
                Int64(stride), scales.pointer.assumingMemoryBound(to: Float.self), Int64(range.lowerBound),
                Int64(range.upperBound))
        }
    }
}
