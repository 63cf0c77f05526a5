import CMinkeKernels

extension Tape {
    /// y = max(0, x)² (arXiv 2109.08668).
    ///
    /// Gradient: dx = 2·dy·max(0, x).
    ///
    /// - Parameter x: `[rows, width]`.
    /// - Returns: `[rows, width]` in the same type.
    public func squaredReLU(_ x: Variable) -> Variable {
        let cpu = CPU.shared
        let input = x.value
        let value = Tensor(uninitialized: input.rows, input.columns, type: input.type)
        cpu.parallel(input.rows, chunk: Tensor.rowsPerTask) { rows in
            cpu.kernels.squaredReLUForward(
                input.pointer(row: rows.lowerBound), input.type.code, Int64(input.stride),
                value.pointer(row: rows.lowerBound), Int64(value.stride), Int64(rows.count), Int64(input.columns))
        }
        let y = Variable(value)
        record {
            guard let dy = y.gradient else { return }
            let (dx, adds) = x.gradientForAccumulation()
            precondition(!adds && dx.type == input.type, "the argument has one reader")
            cpu.parallel(input.rows, chunk: Tensor.rowsPerTask) { rows in
                cpu.kernels.squaredReLUBackward(
                    input.pointer(row: rows.lowerBound), input.type.code, Int64(input.stride),
                    dy.pointer(row: rows.lowerBound), Int64(dy.stride), dx.pointer(row: rows.lowerBound),
                    Int64(dx.stride), Int64(rows.count), Int64(input.columns))
            }
            y.releaseGradient()
        }
        return y
    }
}
