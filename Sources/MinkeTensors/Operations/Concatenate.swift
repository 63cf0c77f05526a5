import CMinkeKernels

extension Tape {
    /// Rows [a | b].
    ///
    /// Gradient: each operand gets its columns.
    public func concatenate(_ a: Variable, _ b: Variable) -> Variable {
        precondition(a.value.rows == b.value.rows && a.value.type == b.value.type)
        let split = a.value.columns
        let value = Tensor(uninitialized: a.value.rows, split + b.value.columns, type: a.value.type)
        value.columns(0..<split).assign(a.value)
        value.columns(split..<value.columns).assign(b.value)
        let y = Variable(value)
        record {
            guard let dy = y.gradient else { return }
            for (operand, columns) in [(a, 0..<split), (b, split..<dy.columns)] {
                let (gradient, adds) = operand.gradientForAccumulation()
                precondition(!adds, "concatenated variables have one reader")
                gradient.assign(dy.columns(columns))
            }
            y.releaseGradient()
        }
        return y
    }

    /// Rows `rows` of `x`, in order.
    ///
    /// Gradient: dx[rows[i]] += dy[i], zero for rows not named.
    ///
    /// - Parameter x: `float32` gradient and contiguous value.
    public func gatherRows(_ x: Variable, _ rows: [Int]) -> Variable {
        let value = Tensor(uninitialized: rows.count, x.value.columns, type: x.value.type)
        let bytes = value.columns * value.type.byteWidth
        for (to, from) in rows.enumerated() {
            value.pointer(row: to).copyMemory(from: x.value.pointer(row: from), byteCount: bytes)
        }
        let y = Variable(value, gradientType: x.gradientType)
        record {
            guard let dy = y.gradient else { return }
            let (dx, adds) = x.gradientForAccumulation()
            precondition(dx.type == .float32, "rows are gathered from float32 gradients")
            if !adds { dx.clear() }
            for (from, to) in rows.enumerated() {
                CPU.shared.kernels.accumulate(
                    dy.pointer(row: from), dy.type.code, dx.pointer(row: to).assumingMemoryBound(to: Float.self),
                    Int64(dx.columns))
            }
            y.releaseGradient()
        }
        return y
    }
}
