import CMinkeKernels

/// The rows of a tensor in 8 bits, as left operands of products: symmetric codes with a scale for every 128 columns.
final class ByteRows: Sendable {
    let rows: Int
    let columns: Int
    /// Bytes from one row of codes to the next: whole words.
    let stride: Int
    let codes: Storage
    /// `minkeByteBlocks(columns)` a row.
    let scales: Storage

    init(_ tensor: Tensor) {
        rows = tensor.rows
        columns = tensor.columns
        stride = (tensor.columns + 3) / 4 * 4
        codes = Storage(bytes: tensor.rows * stride)
        scales = Storage(bytes: tensor.rows * Int(minkeByteBlocks(Int64(tensor.columns))) * MemoryLayout<Float>.size)
        let cpu = CPU.shared
        cpu.parallel(rows, chunk: Tensor.rowsPerTask) { range in
            cpu.kernels.quantizeByteRows(
                tensor.pointer, tensor.type.code, Int64(tensor.stride), Int64(columns),
                codes.pointer.assumingMemoryBound(to: UInt8.self), Int64(stride),
                scales.pointer.assumingMemoryBound(to: Float.self), Int64(range.lowerBound), Int64(range.upperBound))
        }
    }
}
