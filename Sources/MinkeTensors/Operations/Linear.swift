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
    ///   - overwrites: the result takes the residual's memory. Nobody else may read that afterwards.
    ///   - precision: the type of both operands; the compute type by default.
    ///   - output: the type of the result; that of the operands by default.
    /// - Returns: `[tokens, rows of W]`.
    public func linear(
        _ x: Variable, _ weight: Parameter, bias: Parameter? = nil, addedTo residual: Variable? = nil,
        overwrites: Bool = false, precision: ElementType? = nil, output: ElementType? = nil
    ) -> Variable {
        let type = precision ?? computeType
        if weight.isStored { return storedLinear(x, weight, bias: bias, addedTo: residual, type: type, output: output) }
        let inCodes = usesCodes && precision == nil
        // Codes are made of whatever there is.
        let operand = inCodes ? x.value : x.value.converted(to: type)
        let outputType = residual == nil ? output ?? type : .float32
        let reused = overwrites ? residual?.value : nil
        let value = reused ?? Tensor(uninitialized: operand.rows, weight.value.rows, type: outputType)
        let destination = residual.map { Product.Destination.add(base: $0.value) } ?? .store
        if inCodes {
            CodedProduct.multiply(
                CodedRows(operand), panels: weight.coded(.bits8, transposed: true).pointer(group: 0), into: value,
                destination)
        } else {
            Product.multiply(
                operand, panels: weight.packed(type, transposed: true).pointer(group: 0), into: value, destination)
        }
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
            let dy = inCodes ? received : received.converted(to: type)
            if weight.isTrainable {
                let (gradient, adds) = weight.gradientForAccumulation()
                let products = [Product.Outer(rows: 0..<dy.rows, out: gradient, adds: adds)]
                if inCodes { CodedProduct.outer(dy, operand, products) } else { Product.outer(dy, operand, products) }
            }
            if let bias, bias.isTrainable { bias.gradientOrZero().addSumOfRows(dy) }
            if inCodes {
                let (rows, panels) = (CodedRows(dy), weight.coded(.bits8, transposed: false).pointer(group: 0))
                Tape.propagate(to: x, storesRounded: true) {
                    CodedProduct.multiply(rows, panels: panels, into: $0, $1)
                }
            } else {
                let panels = weight.packed(type, transposed: false).pointer(group: 0)
                Tape.propagate(to: x, storesRounded: type == .bfloat16) {
                    Product.multiply(dy, panels: panels, into: $0, $1)
                }
            }
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

    /// Adds what `product` makes, dy·W, to the gradient of `x`.
    ///
    /// - Parameter storesRounded: whether the product can store a type narrower than `float32`.
    private static func propagate(
        to x: Variable, storesRounded: Bool, product: (Tensor, Product.Destination) -> Void
    ) {
        let (dx, adds) = x.gradientForAccumulation()
        if adds && dx.type == .float32 {
            product(dx, .add(base: dx))
        } else if !adds && (dx.type == .float32 || storesRounded) {
            product(dx, .store)
        } else {
            let sum = adds ? dx.converted(to: .float32) : Tensor(zeros: dx.rows, dx.columns)
            product(sum, .add(base: sum))
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
