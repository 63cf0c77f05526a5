import CMinkeKernels

extension Tape {
    /// y = x·Wᵀ (+ bias) (+ residual).
    ///
    /// Gradient: dx = dy·W, dW = dyᵀ·x, dbias = Σ dy, dresidual = dy.
    ///
    /// - Parameters:
    ///   - x: `[tokens, columns of W]`.
    ///   - bias: one row, as wide as the result.
    ///   - residual: `float32`, `[tokens, rows of W]`; the result is then `float32` too.
    ///   - precision: the type of both operands; the compute type by default.
    ///   - output: the type of the result; that of the operands by default.
    /// - Returns: `[tokens, rows of W]`.
    public func linear(
        _ x: Variable, _ weight: Parameter, bias: Parameter? = nil, addedTo residual: Variable? = nil,
        precision: ElementType? = nil, output: ElementType? = nil
    ) -> Variable {
        let type = precision ?? computeType
        if weight.isStored { return storedLinear(x, weight, bias: bias, addedTo: residual, type: type, output: output) }
        let operand = x.value.converted(to: type)
        let outputType = residual == nil ? output ?? type : .float32
        let value = Tensor(uninitialized: operand.rows, weight.value.rows, type: outputType)
        let panels = weight.packed(type, transposed: true)
        Product.multiply(
            operand, panels: panels.pointer(group: 0), into: value,
            residual.map { .add(base: $0.value) } ?? .store)
        if let bias {
            CPU.shared.parallel(value.rows, chunk: Tensor.rowsPerTask) { rows in
                CPU.shared.kernels.addBias(
                    value.pointer(row: rows.lowerBound), value.type.code, Int64(value.stride), bias.value.floats,
                    Int64(rows.count), Int64(value.columns))
            }
        }
        let y = Variable(value)
        record {
            guard let received = y.gradient else { return }
            let dy = received.converted(to: type)
            if weight.isTrainable {
                let (gradient, adds) = weight.gradientForAccumulation()
                Product.outer(dy, operand, [.init(rows: 0..<dy.rows, out: gradient, adds: adds)])
            }
            if let bias, bias.isTrainable { bias.gradientOrZero().addSumOfRows(dy) }
            Tape.propagate(dy, through: weight, to: x)
            residual?.receiveGradient(received)
            y.releaseGradient()
        }
        return y
    }

    /// The same with a stored weight, which has no gradient to pass on.
    private func storedLinear(
        _ x: Variable, _ weight: Parameter, bias: Parameter?, addedTo residual: Variable?, type: ElementType,
        output: ElementType?
    ) -> Variable {
        precondition(!isRecording, "stored weights are not trained through")
        let value = Tensor(uninitialized: x.value.rows, weight.rows)
        StoredProduct.multiply(
            x.value, weight.stored, offsets: [0, x.value.rows], into: value, base: residual?.value,
            usesIntegers: type == .bfloat16, keepsRowsApart: keepsRowsApart)
        if let bias {
            CPU.shared.kernels.addBias(
                value.pointer, value.type.code, Int64(value.stride), bias.value.floats, Int64(value.rows),
                Int64(value.columns))
        }
        return Variable(residual == nil ? value.converted(to: output ?? type) : value)
    }

    /// dx (+)= dy·W.
    private static func propagate(_ dy: Tensor, through weight: Parameter, to x: Variable) {
        let (dx, adds) = x.gradientForAccumulation()
        let panels = weight.packed(dy.type, transposed: false).pointer(group: 0)
        if adds && dx.type == .float32 {
            Product.multiply(dy, panels: panels, into: dx, .add(base: dx))
        } else if !adds && (dx.type == .float32 || dy.type == .bfloat16) {
            Product.multiply(dy, panels: panels, into: dx)
        } else {
            let sum = adds ? dx.converted(to: .float32) : Tensor(zeros: dx.rows, dx.columns)
            Product.multiply(dy, panels: panels, into: sum, .add(base: sum))
            dx.assign(sum)
        }
    }
}

extension Tensor {
    /// Adds the sum of the rows of `other` to the single row of this `float32` tensor, in a fixed order.
    func addSumOfRows(_ other: Tensor) {
        CPU.shared.kernels.sumRows(
            other.pointer, other.type.code, Int64(other.stride), floats, Int64(other.rows), Int64(other.columns))
    }

    /// Copies the elements of a tensor of the same shape, rounding if this one is narrower.
    func assign(_ other: Tensor) {
        CPU.shared.parallel(rows, chunk: Tensor.rowsPerTask) { range in
            for row in range {
                CPU.shared.kernels.convert(
                    other.pointer(row: row), other.type.code, pointer(row: row), type.code, Int64(columns))
            }
        }
    }
}
