import CMinkeKernels

extension Tape {
    /// yₑ = xₑ·Wₑᵀ for ragged groups of rows: the same projection of every expert over the tokens routed to it.
    ///
    /// Nothing is padded and no token is dropped. Gradient: dxₑ = dyₑ·Wₑ, dWₑ = dyₑᵀ·xₑ (zero where no token came).
    ///
    /// - Parameters:
    ///   - x: `[slots, columns of W]`, the rows of one group next to each other.
    ///   - weight: stacked matrices, one a group.
    ///   - offsets: `groups + 1` row numbers; group e has rows `offsets[e]..<offsets[e + 1]`.
    /// - Returns: `[slots, rows of one W]`.
    public func groupedLinear(_ x: Variable, _ weight: Parameter, offsets: [Int]) -> Variable {
        precondition(x.value.type == computeType && offsets.count == weight.groups + 1)
        if weight.isStored {
            precondition(!isRecording, "stored weights are not trained through")
            return groupedLinear(x, stored: weight.stored, offsets: offsets)
        }
        let value = Tensor(uninitialized: x.value.rows, weight.rows, type: computeType)
        Tape.multiplyGroups(x.value, weight, transposed: true, into: value, offsets: offsets, inCodes: usesCodes)
        let y = Variable(value)
        record { [usesCodes] in
            guard let dy = y.gradient else { return }
            if weight.isTrainable {
                let (gradient, adds) = weight.gradientForAccumulation()
                for group in 0..<weight.groups where !adds && offsets[group] == offsets[group + 1] {
                    gradient.rows(group * weight.rows..<(group + 1) * weight.rows).clear()
                }
                let products = (0..<weight.groups).map { group in
                    Product.Outer(
                        rows: offsets[group]..<offsets[group + 1],
                        out: gradient.rows(group * weight.rows..<(group + 1) * weight.rows), adds: adds)
                }
                if usesCodes { CodedProduct.outer(dy, x.value, products) } else { Product.outer(dy, x.value, products) }
            }
            let (dx, adds) = x.gradientForAccumulation()
            precondition(!adds, "expert inputs have one reader")
            Tape.multiplyGroups(dy, weight, transposed: false, into: dx, offsets: offsets, inCodes: usesCodes)
            y.releaseGradient()
        }
        return y
    }

    /// The same with weights that no parameter holds, such as those that are in memory only now. Not recorded.
    ///
    /// - Parameter stored: the pieces of the groups' matrices, one below the other; as many for every group.
    public func groupedLinear(_ x: Variable, stored: [StoredRows], offsets: [Int]) -> Variable {
        let groups = offsets.count - 1
        precondition(!isRecording && groups > 0 && stored.count % groups == 0)
        let width = stored.prefix(stored.count / groups).reduce(0) { $0 + $1.rows }
        let value = Tensor(uninitialized: x.value.rows, width)
        StoredProduct.multiply(
            x.value, stored, offsets: offsets, into: value, usesIntegers: computeType == .bfloat16,
            keepsRowsApart: keepsRowsApart)
        return Variable(value.converted(to: computeType))
    }

    /// out = x·Wₑᵀ (`transposed`) or x·Wₑ for the rows of every group.
    private static func multiplyGroups(
        _ x: Tensor, _ weight: Parameter, transposed: Bool, into out: Tensor, offsets: [Int], inCodes: Bool
    ) {
        // Blocks of rows of one group each, in order, nearly equal and of whole blocks of the kernels.
        var blocks: [(group: Int, rows: Range<Int>)] = []
        let (rowsPerTask, step) = (Product.rowsPerTask, 2 * Int(CPU.shared.kernels.stripHeight))
        for group in 0..<offsets.count - 1 {
            let (first, end) = (offsets[group], offsets[group + 1])
            let parts = max(1, (end - first + rowsPerTask - 1) / rowsPerTask)
            let each = ((end - first + parts - 1) / parts + step - 1) / step * step
            for row in stride(from: first, to: end, by: max(each, 1)) {
                blocks.append((group, row..<min(end, row + each)))
            }
        }
        let panelCount = (out.columns + 31) / 32
        if inCodes {
            let (rows, panels) = (CodedRows(x), weight.coded(.bits8, transposed: transposed))
            CPU.shared.parallel(blocks.count) { task in
                var product = CodedProduct.description(
                    rows, panels: panels.pointer(group: blocks[task].group), out: out, .store)
                CodedProduct.run(&product, blocks[task].rows, 0..<panelCount)
            }
            return
        }
        let panels = weight.packed(x.type, transposed: transposed)
        CPU.shared.parallel(blocks.count) { task in
            let block = blocks[task]
            var product = Product.description(
                x, panels: panels.pointer(group: block.group), depth: x.columns, out: out, .store)
            Product.run(&product, type: x.type, block.rows, 0..<panelCount)
        }
    }
}
