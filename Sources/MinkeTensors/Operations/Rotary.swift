import CMinkeKernels

/// Cosines and sines of the rotary position embedding (arXiv 2104.09864), by position and pair.
public struct RotaryTable: Sendable {
    /// Values that one rotation turns.
    public let width: Int
    /// Pairs are neighbours (2i, 2i+1) if true, else halves (i, i + width/2).
    public let isInterleaved: Bool
    public let positions: Int
    let cosines: Tensor
    let sines: Tensor

    /// - Parameters:
    ///   - frequencies: `width / 2` angles per position.
    ///   - magnitude: factor on cosines and sines (1 but for some YaRN configurations).
    public init(frequencies: [Double], positions: Int, magnitude: Double = 1, isInterleaved: Bool) {
        width = frequencies.count * 2
        self.positions = positions
        self.isInterleaved = isInterleaved
        var cosines: [Float] = []
        var sines: [Float] = []
        cosines.reserveCapacity(positions * frequencies.count)
        sines.reserveCapacity(positions * frequencies.count)
        for position in 0..<positions {
            for frequency in frequencies {
                let (sine, cosine) = sineAndCosine(Double(position) * frequency)
                cosines.append(Float(cosine * magnitude))
                sines.append(Float(sine * magnitude))
            }
        }
        self.cosines = Tensor(cosines, rows: positions, columns: frequencies.count)
        self.sines = Tensor(sines, rows: positions, columns: frequencies.count)
    }
}

extension Tape {
    /// Turns slices of each row by the angles of the row's position, in place.
    ///
    /// The value of `x` is overwritten (nothing before it needs the unturned one); the gradient is turned back, in place
    /// as well. Rotations keep no state.
    ///
    /// - Parameters:
    ///   - x: `[tokens, …]`, in the compute type.
    ///   - heads: number of slices a row.
    ///   - headStride: columns from one slice to the next.
    ///   - offset: column of the first slice.
    ///   - positions: position of each row.
    public func rotate(
        _ x: Variable, heads: Int = 1, headStride: Int = 0, offset: Int = 0, positions: [Int32], table: RotaryTable
    ) {
        let turn = { (tensor: Tensor, direction: Float) in
            CPU.shared.parallel(tensor.rows, chunk: Tensor.rowsPerTask) { rows in
                positions.withUnsafeBufferPointer { positions in
                    guard let first = positions.baseAddress else { return }
                    CPU.shared.kernels.rotate(
                        tensor.pointer(row: rows.lowerBound, column: offset), tensor.type.code, Int64(tensor.stride),
                        first + rows.lowerBound, table.cosines.floats, table.sines.floats, Int64(heads),
                        Int64(headStride), Int64(table.width), table.isInterleaved, direction, Int64(rows.count))
                }
            }
        }
        precondition(positions.count == x.value.rows && positions.allSatisfy { $0 >= 0 && $0 < table.positions })
        turn(x.value, 1)
        record {
            if let gradient = x.gradient { turn(gradient, -1) }
        }
    }
}
