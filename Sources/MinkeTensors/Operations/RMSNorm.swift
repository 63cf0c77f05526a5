import CMinkeKernels

extension Tape {
    /// y = w ⊙ x / sqrt(mean(x²) + ε), row by row (arXiv 1910.07467).
    ///
    /// Gradient, with r = 1/rms and u = dy ⊙ w: dx = r·(u − x·r²·mean(u ⊙ x)), dw = Σ dy ⊙ x·r.
    ///
    /// - Parameters:
    ///   - x: `[tokens, width]`; may be a range of columns.
    ///   - weight: `[1, width]`.
    ///   - gradientType: the type in which the result's gradient is summed.
    /// - Returns: `[tokens, width]` in the compute type.
    public func rmsNorm(
        _ x: Variable, weight: Parameter, epsilon: Float, gradientType: ElementType? = nil
    ) -> Variable {
        let cpu = CPU.shared
        let input = x.value
        let value = Tensor(uninitialized: input.rows, input.columns, type: computeType)
        let inverseRMS = isRecording ? Tensor(uninitialized: 1, input.rows) : nil
        cpu.parallel(input.rows, chunk: Tensor.rowsPerTask) { rows in
            cpu.kernels.normForward(
                input.pointer(row: rows.lowerBound), input.type.code, Int64(input.stride), weight.value.floats,
                epsilon, value.pointer(row: rows.lowerBound), value.type.code, Int64(value.stride),
                inverseRMS.map { $0.floats + rows.lowerBound }, Int64(rows.count), Int64(input.columns))
        }
        let y = Variable(value, gradientType: gradientType)
        record {
            guard let dy = y.gradient, let inverseRMS else { return }
            let (dx, adds) = x.gradientForAccumulation()
            // Chunks sum their own share of dw; the shares are added in order.
            let chunk = Tensor.rowsPerTask
            let shares = Tensor(zeros: (input.rows + chunk - 1) / chunk, input.columns)
            cpu.parallel(input.rows, chunk: chunk) { rows in
                cpu.kernels.normBackward(
                    dy.pointer(row: rows.lowerBound), dy.type.code, Int64(dy.stride),
                    input.pointer(row: rows.lowerBound), input.type.code, Int64(input.stride), weight.value.floats,
                    inverseRMS.floats + rows.lowerBound, dx.pointer(row: rows.lowerBound), dx.type.code,
                    Int64(dx.stride), adds,
                    shares.pointer(row: rows.lowerBound / chunk).assumingMemoryBound(to: Float.self),
                    Int64(rows.count), Int64(input.columns))
            }
            if weight.isTrainable { weight.gradientOrZero().addSumOfRows(shares) }
            y.releaseGradient()
        }
        return y
    }
}
