/// A value in a computation, with room for its gradient.
public final class Variable {
    public let value: Tensor
    /// The element type in which the gradient is summed.
    let gradientType: ElementType
    private(set) var gradient: Tensor?
    /// Set for a range of columns of another variable: its gradient is that range of the other's gradient.
    private let parent: (variable: Variable, columns: Range<Int>)?
    private var holdsGradient = false

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

    /// Memory for the gradient, and whether it already holds a sum.
    func gradientForAccumulation() -> (Tensor, holdsSum: Bool) {
        if gradient == nil {
            if let parent {
                gradient = parent.variable.wholeGradient().columns(parent.columns)
            } else {
                gradient = Tensor(uninitialized: value.rows, value.columns, type: gradientType)
            }
        }
        defer { holdsGradient = true }
        return (gradient!, holdsGradient)
    }

    /// The gradient as zeros that views may then fill.
    private func wholeGradient() -> Tensor {
        if let gradient { return gradient }
        let zeros = Tensor(zeros: value.rows, value.columns, type: gradientType)
        gradient = zeros
        holdsGradient = true
        return zeros
    }

    /// Takes over a gradient that nobody else will use; only when there is none yet.
    func adoptGradient(_ tensor: Tensor) {
        gradient = tensor
        holdsGradient = true
    }

    var hasGradient: Bool { holdsGradient }

    /// The gradient summed so far; for a range of columns, that range of the whole's.
    var currentGradient: Tensor? { gradient ?? parent.flatMap { $0.variable.gradient?.columns($0.columns) } }

    /// Drops the gradient's memory once the operation that made the variable has used it.
    func releaseGradient() {
        gradient = nil
        holdsGradient = false
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
    private var steps: [() -> Void] = []

    public init(computeType: ElementType = .float32, isRecording: Bool = false) {
        self.computeType = computeType
        self.isRecording = isRecording
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
