import CMinkeKernels

/// AdamW for tables: only the rows that a step read are updated, and only their state is touched.
///
/// Each row is an Adam of its own whose steps are the steps in which it was read: its moments are means over those, and
/// the bias corrections count them. Decay is that of all steps (``RowDecay``).
public final class RowAdam {
    public let table: Parameter
    public let mean: Tensor
    public let square: Tensor
    /// Updates of each row so far, `[1, rows]`; whole numbers.
    public let updates: Tensor
    /// 1 − β₁ⁿ and 1 − β₂ⁿ for n = 0, 1, …
    private var corrections: [(Float, Float)] = []

    /// - Parameter decays: whether rows decay; if not, no decay is kept.
    public init(_ table: Parameter, decays: Bool) {
        precondition(table.hasRowGradients)
        self.table = table
        mean = Tensor(zeros: table.value.rows, table.columns)
        square = Tensor(zeros: table.value.rows, table.columns)
        updates = Tensor(zeros: 1, table.value.rows)
        table.rowDecay = decays ? RowDecay(rows: table.value.rows) : nil
    }

    /// One step: updates the rows that have a gradient.
    ///
    /// - Parameters:
    ///   - adam: rate, means and decay.
    ///   - gradientScale: factor on the gradient (clipping).
    public func update(_ adam: AdamW, gradientScale: Float) {
        if let decay = table.rowDecay { decay.add(Double(adam.rate) * Double(adam.decay)) }
        guard let gradient = table.rowGradient else { return }
        let most = gradient.rows.reduce(0) { max($0, Int(updates.floats[Int($1)])) } + 1
        while corrections.count <= most {
            let n = corrections.count
            corrections.append((Float(1 - power(Double(adam.beta1), n)), Float(1 - power(Double(adam.beta2), n))))
        }
        let width = table.columns
        let kernels = CPU.shared.kernels
        CPU.shared.parallel(gradient.rows.count, chunk: 256) { range in
            for index in range {
                let row = Int(gradient.rows[index])
                let value = table.value.floats + row * width
                if let decay = table.rowDecay {
                    kernels.scale(value, decay.factor(row: row), Int64(width))
                    decay.settle(row: row)
                }
                updates.floats[row] += 1
                let correction = corrections[Int(updates.floats[row])]
                var arguments = MinkeAdamW(
                    rate: adam.rate, beta1: adam.beta1, beta2: adam.beta2, epsilon: adam.epsilon, decay: 0,
                    correction1: correction.0, correction2: correction.1, gradientScale: gradientScale)
                kernels.adamW(
                    value, gradient.values.floats + index * width, mean.floats + row * width,
                    square.floats + row * width, ElementType.float32.code, &arguments, Int64(width))
            }
        }
    }

    /// Tensors that a resumed run needs.
    public var state: [(name: String, tensor: Tensor)] {
        var state = [("mean", mean), ("square", square), ("updates", updates)]
        if let decay = table.rowDecay { state += [("decay", decay.total), ("settled", decay.settled)] }
        return state.map { (name: "\($0.0).\(table.name)", tensor: $0.1) }
    }
}
