/// A value in a computation, with room for its gradient.
public final class Variable {
    public let value: Tensor
    /// The element type in which the gradient is summed.
    let gradientType: ElementType
    /// Set for a range of columns of another variable: its gradient is that range of the other's gradient.
    private let parent: (variable: Variable, columns: Range<Int>)?
    private var ownGradient: Tensor?
    /// Columns of `ownGradient` that hold sums. Where there are any, the other columns are zero.
    private var summed: [Range<Int>] = []

    /// - Parameter gradientType: `float32` where several operations add to the gradient; by default the value's type.
    public init(_ value: Tensor, gradientType: ElementType? = nil) {
        self.value = value
        self.gradientType = gradientType ?? value.type
        parent = nil
    }

    private init(parent: Variable, columns: Range<Int>) {
        value = parent.value.columns(columns)
        gradientType = parent.gradientType
        self.parent = (parent, columns)
    }

    /// The variable made of columns `range`. Its gradient lies in this one's gradient.
    public func columns(_ range: Range<Int>) -> Variable { Variable(parent: self, columns: range) }

    /// The sum of the gradients that operations have stored so far; `nil` when there is none.
    var gradient: Tensor? {
        guard let parent else { return ownGradient }
        return parent.variable.gradient?.columns(parent.columns)
    }

    /// Memory for the gradient, and whether it already holds a sum (else it must be stored to).
    func gradientForAccumulation() -> (Tensor, holdsSum: Bool) { gradientForAccumulation(of: 0..<value.columns) }

    private func gradientForAccumulation(of columns: Range<Int>) -> (Tensor, holdsSum: Bool) {
        if let parent {
            let first = parent.columns.lowerBound
            return parent.variable.gradientForAccumulation(
                of: first + columns.lowerBound..<first + columns.upperBound)
        }
        let whole =
            ownGradient
            ?? (columns.count == value.columns
                ? Tensor(uninitialized: value.rows, value.columns, type: gradientType)
                : Tensor(zeros: value.rows, value.columns, type: gradientType))
        ownGradient = whole
        let holdsSum = summed.contains { $0.overlaps(columns) }
        if !summed.contains(where: { columns.clamped(to: $0) == columns }) { summed.append(columns) }
        return (whole.columns(columns), holdsSum)
    }

    /// Adds a gradient that nobody else will use: its memory is taken over if it is the first.
    func receiveGradient(_ tensor: Tensor) {
        if parent == nil, ownGradient == nil {
            ownGradient = tensor
            summed = [0..<value.columns]
            return
        }
        let (sum, holdsSum) = gradientForAccumulation()
        if holdsSum { sum.add(tensor) } else { sum.assign(tensor) }
    }

    /// Drops the gradient's memory once the operation that made the variable has used it.
    func releaseGradient() {
        ownGradient = nil
        summed = []
    }
}

/// Runs operations and, when recording, remembers how to take their gradients.
///
/// ```swift
/// let tape = Tape(computeType: .bfloat16, isRecording: true)
/// let hidden = tape.rmsNorm(x, weight: norm, epsilon: 1e-6)
/// let loss = tape.crossEntropy(hidden, head: head, targets: targets)
/// tape.backward()   // parameters now hold gradients
/// ```
///
/// Operations are coarse: each stands in a file of `Operations/` with its formula, its forward pass and its gradient.
public final class Tape {
    /// The type of activations and of the operands of matrix products. Residual streams and sums are `float32`.
    public let computeType: ElementType
    public let isRecording: Bool
    /// Whether a row's results depend on nothing else in the pass, to the last bit: products then take the same way
    /// through the weights however many rows there are. Slower for many rows.
    public let keepsRowsApart: Bool
    /// Whether products with weights, and their gradients, work on block-scaled codes of 8 bits, and those of the output
    /// head on codes of 13. Products that ask for a precision have that.
    public let usesCodes: Bool
    /// What operations with dropout drop; nil: nothing.
    let dropout: Dropout?
    /// Operations with dropout so far.
    var drops = 0
    private var steps: [() -> Void] = []

    public init(
        computeType: ElementType = .float32, isRecording: Bool = false, keepsRowsApart: Bool = false,
        usesCodes: Bool = false, dropout: Dropout? = nil
    ) {
        self.computeType = computeType
        self.isRecording = isRecording
        self.keepsRowsApart = keepsRowsApart
        self.usesCodes = usesCodes
        self.dropout = dropout
    }

    /// Remembers the gradient of an operation; the last recorded runs first.
    func record(_ gradient: @escaping () -> Void) {
        if isRecording { steps.append(gradient) }
    }

    /// Runs the recorded gradients from last to first, dropping each and what it kept as soon as it has run.
    public func backward() {
        while let step = steps.popLast() { step() }
    }
}
