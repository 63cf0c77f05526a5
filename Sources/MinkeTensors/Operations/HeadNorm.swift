import CMinkeKernels

extension Tape {
    /// RMS norm of each head by itself: yₕ = w ⊙ xₕ / sqrt(mean(xₕ²) + ε), with one w for all heads (QK norm, arXiv
    /// 2302.05442).
    ///
    /// Gradient as that of ``rmsNorm(_:weight:epsilon:gradientType:)``, head by head.
    ///
    /// - Parameters:
    ///   - x: `[tokens, heads × width]` in the compute type; may be a range of columns.
    ///   - weight: `[1, width]`.
    /// - Returns: `[tokens, heads × width]` in the compute type.
    public func headNorm(_ x: Variable, weight: Parameter, epsilon: Float) -> Variable {
        let cpu = CPU.shared
        let input = x.value
        let width = weight.columns
        let heads = input.columns / width
        precondition(heads * width == input.columns)
        let value = Tensor(uninitialized: input.rows, input.columns, type: computeType)
        let inverseRMS = isRecording ? Tensor(uninitialized: input.rows, heads) : nil
        cpu.parallel(input.rows, chunk: Tensor.rowsPerTask) { rows in
            // The heads of a row are the rows of a small matrix.
            for row in rows {
                cpu.kernels.normForward(
                    input.pointer(row: row), input.type.code, Int64(width), weight.value.floats, epsilon,
                    value.pointer(row: row), value.type.code, Int64(width),
                    inverseRMS.map { $0.floats + row * heads }, Int64(heads), Int64(width))
            }
        }
        let y = Variable(value)
        record {
            guard let dy = y.gradient, let inverseRMS else { return }
            let (dx, adds) = x.gradientForAccumulation()
            let chunk = Tensor.rowsPerTask
            let shares = Tensor(zeros: (input.rows + chunk - 1) / chunk, width)
            cpu.parallel(input.rows, chunk: chunk) { rows in
                let share = shares.floats + rows.lowerBound / chunk * width
                for row in rows {
                    cpu.kernels.normBackward(
                        dy.pointer(row: row), dy.type.code, Int64(width), input.pointer(row: row), input.type.code,
                        Int64(width), weight.value.floats, inverseRMS.floats + row * heads, dx.pointer(row: row),
                        dx.type.code, Int64(width), adds, share, Int64(heads), Int64(width))
                }
            }
            if weight.isTrainable { weight.gradientOrZero().addSumOfRows(shares) }
            y.releaseGradient()
        }
        return y
    }
}
