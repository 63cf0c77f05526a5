import CMinkeKernels

extension Tape {
    /// x += bias, in place, for a range of columns of a product's result.
    ///
    /// Gradient: dbias = Σ over rows of dx; dx passes through.
    ///
    /// - Parameter bias: `[1, columns of x]`.
    public func addBias(_ x: Variable, _ bias: Parameter) {
        let value = x.value
        CPU.shared.parallel(value.rows, chunk: Tensor.rowsPerTask) { rows in
            CPU.shared.kernels.addBias(
                value.pointer(row: rows.lowerBound), value.type.code, Int64(value.stride), bias.value.floats,
                Int64(rows.count), Int64(value.columns))
        }
        record {
            guard bias.isTrainable, let dx = x.gradient else { return }
            bias.gradientOrZero().addSumOfRows(dx)
        }
    }
}
