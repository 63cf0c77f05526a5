import CMinkeKernels

extension Tape {
    /// Rows of a table: y[t] = W[tokens[t]].
    ///
    /// Gradient: dW[tokens[t]] += dy[t]; rows that no token names get zero.
    ///
    /// - Parameter tokens: row numbers, each below `weight.rows`.
    /// - Returns: `float32`, `[tokens, columns of W]`.
    public func embedding(_ tokens: [Int32], _ weight: Parameter) -> Variable {
        let width = weight.columns
        let value = Tensor(uninitialized: tokens.count, width)
        for (row, token) in tokens.enumerated() {
            precondition(Int(token) < weight.rows && token >= 0, "token outside the vocabulary")
            weight.copyRow(Int(token), to: value.floats + row * width)
        }
        let y = Variable(value)
        record {
            guard let dy = y.gradient, weight.isTrainable else { return }
            let sums = weight.gradientOrZero()
            // Each task owns a range of columns, so that every sum is taken in the order of the tokens.
            CPU.shared.parallel(width, chunk: 64) { columns in
                for (row, token) in tokens.enumerated() {
                    CPU.shared.kernels.accumulate(
                        dy.pointer(row: row, column: columns.lowerBound), dy.type.code,
                        sums.pointer(row: Int(token), column: columns.lowerBound).assumingMemoryBound(to: Float.self),
                        Int64(columns.count))
                }
            }
            y.releaseGradient()
        }
        return y
    }
}
