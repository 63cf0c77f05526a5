import Testing

@testable import MinkeTensors

/// Compares the gradients of a computation with central finite differences in `float32`.
///
/// The loss is Σ out ⊙ c for fixed random c, summed in double precision.
struct GradientCheck {
    /// Values of the inputs; a run gets copies of them, since rotations work in place.
    var inputs: [Tensor]
    var parameters: [Parameter] = []
    var step: Float = 1.0 / 128
    /// Relative to the largest gradient of the same input.
    var tolerance = 4e-3
    /// How many elements of each input are varied, spread over it.
    var samples = 40
    var computation: (Tape, [Variable]) -> Variable

    private func output(_ inputs: [Tensor], recordingOn tape: Tape) -> (out: Variable, inputs: [Variable]) {
        let variables = inputs.map { Variable(Tensor($0.values, rows: $0.rows, columns: $0.columns)) }
        return (computation(tape, variables), variables)
    }

    func run(_ label: String, sourceLocation: SourceLocation = #_sourceLocation) {
        for parameter in parameters { parameter.clearGradient() }
        let tape = Tape(isRecording: true)
        let (out, variables) = output(inputs, recordingOn: tape)
        var numbers = Numbers(99)
        let coefficients = numbers.tensor(out.value.rows, out.value.columns)
        let c = Matrix(coefficients).values
        out.receiveGradient(coefficients)
        tape.backward()

        func loss() -> Double {
            zip(output(inputs, recordingOn: Tape()).out.value.values, c).reduce(0) { $0 + Double($1.0) * $1.1 }
        }
        for (index, variable) in variables.enumerated() {
            compare(
                variable.gradient, varying: inputs[index], "input \(index) of \(label)", loss,
                sourceLocation: sourceLocation)
        }
        for (index, parameter) in parameters.enumerated() {
            compare(
                parameter.gradient, varying: parameter.value, "parameter \(index) of \(label)",
                {
                    parameter.didChange()
                    return loss()
                }, sourceLocation: sourceLocation)
            parameter.didChange()
        }
    }

    private func compare(
        _ gradient: Tensor?, varying tensor: Tensor, _ label: String, _ loss: () -> Double,
        sourceLocation: SourceLocation
    ) {
        guard let gradient = gradient?.values else {
            Issue.record("\(label): there is no gradient", sourceLocation: sourceLocation)
            return
        }
        let original = tensor.values
        let largest = gradient.reduce(0) { max($0, abs($1)) }
        for sample in 0..<min(samples, original.count) {
            let index = sample * 7919 % original.count
            func lossMoved(by offset: Float) -> Double {
                var values = original
                values[index] += offset
                tensor.copy(from: values)
                return loss()
            }
            let difference = (lossMoved(by: step) - lossMoved(by: -step)) / Double(2 * step)
            tensor.copy(from: original)
            let allowed = tolerance * Double(largest) + 2e-4
            if !(abs(difference - Double(gradient[index])) <= allowed) {
                Issue.record(
                    "\(label): gradient \(gradient[index]) at \(index), but finite differences give \(difference)",
                    sourceLocation: sourceLocation)
                return
            }
        }
    }
}
