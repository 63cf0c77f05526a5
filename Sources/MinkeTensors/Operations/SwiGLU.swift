import CMinkeKernels

extension Tape {
    /// y = silu(gate) ⊙ up for rows [gate | up] (arXiv 2002.05202).
    ///
    /// Gradient: dgate = dy·up·σ(gate)·(1 + gate·(1 − σ(gate))), dup = dy·silu(gate).
    ///
    /// - Parameter gateUp: `[rows, 2 × width]` in the compute type.
    /// - Returns: `[rows, width]`.
    public func swiGLU(_ gateUp: Variable) -> Variable {
        let cpu = CPU.shared
        let input = gateUp.value
        let width = input.columns / 2
        let value = Tensor(uninitialized: input.rows, width, type: input.type)
        cpu.parallel(input.rows, chunk: Tensor.rowsPerTask) { rows in
            cpu.kernels.swigluForward(
                input.pointer(row: rows.lowerBound), input.type.code, Int64(input.stride),
                value.pointer(row: rows.lowerBound), Int64(value.stride), Int64(rows.count), Int64(width))
        }
        let y = Variable(value)
        record {
            guard let dy = y.gradient else { return }
            let (dx, adds) = gateUp.gradientForAccumulation()
            precondition(!adds, "gate and up have one reader")
            cpu.parallel(input.rows, chunk: Tensor.rowsPerTask) { rows in
                cpu.kernels.swigluBackward(
                    input.pointer(row: rows.lowerBound), input.type.code, Int64(input.stride),
                    dy.pointer(row: rows.lowerBound), Int64(dy.stride), dx.pointer(row: rows.lowerBound),
                    Int64(dx.stride), Int64(rows.count), Int64(width))
            }
            y.releaseGradient()
        }
        return y
    }
}
