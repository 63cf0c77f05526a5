import Testing

@testable import MinkeTensors

/// Gradients of variables that several operations read, whole or in part.
@Suite struct VariableTests {
    @Test func twoReadersAddUp() {
        var numbers = Numbers(1)
        let (a, b) = (numbers.parameter(6, 4), numbers.parameter(6, 4))
        GradientCheck(inputs: [numbers.tensor(5, 4)], parameters: [a, b]) { tape, inputs in
            tape.linear(inputs[0], b, addedTo: tape.linear(inputs[0], a))
        }.run("two readers")
        let (square, norm) = (numbers.parameter(4, 4), numbers.parameter(1, 4))
        GradientCheck(inputs: [numbers.tensor(5, 4)], parameters: [square, norm]) { tape, inputs in
            // The pre-norm residual: the stream is read by the norm and by the sum.
            tape.linear(tape.rmsNorm(inputs[0], weight: norm, epsilon: 1e-2), square, addedTo: inputs[0])
        }.run("residual stream")
    }

    /// The compressed projection of MLA: one part is normalised, the other turned and shared by the heads.
    @Test func disjointViewsFillOneGradient() {
        var numbers = Numbers(2)
        let (down, norm, up) = (numbers.parameter(8, 5), numbers.parameter(1, 6), numbers.parameter(10, 6))
        let table = RotaryTable(frequencies: [0.7], positions: 7, isInterleaved: true)
        let shape = AttentionShape(heads: 2, keyWidth: 3, sharedWidth: 2, valueWidth: 2, scale: 0.7)
        GradientCheck(inputs: [numbers.tensor(7, 5), numbers.tensor(7, 10)], parameters: [down, norm, up]) {
            tape, inputs in
            let compressed = tape.linear(inputs[0], down)
            let latent = tape.rmsNorm(compressed.columns(0..<6), weight: norm, epsilon: 1e-2)
            let shared = compressed.columns(6..<8)
            tape.rotate(shared, positions: [0, 1, 2, 3, 4, 5, 6], table: table)
            return attend(
                tape, inputs[1], keysValues: tape.linear(latent, up), shared: shared, shape: shape)
        }.run("views of one projection")
    }

    @Test func overlappingAndNestedViewsAddUp() {
        var numbers = Numbers(3)
        let (whole, left, nested) = (numbers.parameter(4, 8), numbers.parameter(4, 5), numbers.parameter(4, 2))
        let (again, norm) = (numbers.parameter(4, 5), numbers.parameter(1, 4))
        let parameters = [whole, left, nested, again, norm]
        GradientCheck(inputs: [numbers.tensor(6, 8)], parameters: parameters) { tape, inputs in
            let x = inputs[0]
            let first = tape.linear(x.columns(0..<5), left)
            let second = tape.linear(x.columns(2..<7).columns(1..<3), nested, addedTo: first)
            let third = tape.linear(x, whole, addedTo: second)
            let fourth = tape.linear(x.columns(0..<5), again, addedTo: third)
            let normed = tape.rmsNorm(x.columns(3..<7), weight: norm, epsilon: 1e-2)
            return tape.concatenate(normed, fourth)
        }.run("overlapping views")
    }

    @Test func aViewMayBeAResidual() {
        var numbers = Numbers(4)
        let weight = numbers.parameter(3, 4)
        GradientCheck(inputs: [numbers.tensor(6, 8), numbers.tensor(6, 4)], parameters: [weight]) { tape, inputs in
            tape.linear(inputs[1], weight, addedTo: inputs[0].columns(2..<5))
        }.run("a view as residual")
    }

    @Test func secondGradientsIntoBfloat16StayInside() {
        let x = Variable(Tensor(zeros: 3, 5, type: .bfloat16))
        for _ in 0..<3 {
            x.receiveGradient(Tensor([Float](repeating: 1.5, count: 15), rows: 3, columns: 5, type: .bfloat16))
        }
        #expect(x.gradient?.type == .bfloat16)
        #expect(x.gradient?.values == [Float](repeating: 4.5, count: 15))
    }

    @Test func gradientsOfTwoPassesAddUpInParameters() {
        var numbers = Numbers(6)
        let parameters = [numbers.parameter(4, 4), numbers.parameter(1, 4), numbers.parameter(6, 4)]
        let batches = [numbers.tensor(3, 4), numbers.tensor(5, 4)]
        func run(_ batch: Tensor) {
            let tape = Tape(isRecording: true)
            let x = tape.linear(Variable(batch), parameters[0])
            let h = tape.rmsNorm(x, weight: parameters[1], epsilon: 1e-2)
            let targets = (0..<batch.rows).map { Int32($0) }
            _ = tape.crossEntropy(h, head: parameters[2], targets: targets)
            tape.backward()
        }
        func gradients() -> [[Float]] { parameters.map { $0.gradient?.values ?? [] } }
        var separate: [[[Float]]] = []
        for batch in batches {
            for parameter in parameters { parameter.clearGradient() }
            run(batch)
            separate.append(gradients())
        }
        for parameter in parameters {
            parameter.clearGradient()
            #expect(parameter.gradient == nil)
        }
        batches.forEach(run)
        for (index, parameter) in parameters.enumerated() {
            let sum = zip(separate[0][index], separate[1][index]).map { Double($0) + Double($1) }
            let expected = Matrix(parameter.value.rows, parameter.value.columns, sum)
            expectClose(
                parameter.gradient, expected, terms: expected.map { _ in 1 }, .sums(storedIn: .float32),
                "parameter \(index)")
        }
    }

    @Test func frozenParametersGetNoGradient() {
        var numbers = Numbers(7)
        let (weight, bias, norm) = (numbers.parameter(4, 4), numbers.parameter(1, 4), numbers.parameter(1, 4))
        for parameter in [weight, bias, norm] { parameter.isTrainable = false }
        let x = Variable(numbers.tensor(3, 4))
        let tape = Tape(isRecording: true)
        let y = tape.rmsNorm(tape.linear(x, weight, bias: bias), weight: norm, epsilon: 1e-2)
        y.receiveGradient(numbers.tensor(3, 4))
        tape.backward()
        for parameter in [weight, bias, norm] { #expect(parameter.gradient == nil) }
        #expect(x.gradient != nil)
    }

    @Test func changedParametersArePackedAnew() {
        let weight = Parameter("w", Tensor([1, 2], rows: 1, columns: 2))
        let x = Variable(Tensor([1, 1], rows: 1, columns: 2))
        #expect(Tape().linear(x, weight).value.values == [3])
        weight.value.copy(from: [5, 6])
        weight.didChange()
        #expect(Tape().linear(x, weight).value.values == [11])
    }
}
