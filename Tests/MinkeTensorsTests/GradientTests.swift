import Testing

@testable import MinkeTensors

/// Every operation, every input and every parameter against finite differences.
@Suite struct GradientTests {
    @Test func linear() {
        var numbers = Numbers(1)
        let (weight, bias) = (numbers.parameter(9, 7), numbers.parameter(1, 9))
        let inputs = [numbers.tensor(5, 7), numbers.tensor(5, 9)]
        GradientCheck(inputs: inputs, parameters: [weight, bias]) {
            $0.linear($1[0], weight, bias: bias, addedTo: $1[1])
        }.run("linear")
    }

    @Test func groupedLinear() {
        var numbers = Numbers(2)
        let weight = numbers.parameter(4 * 6, 5, groups: 4)
        GradientCheck(inputs: [numbers.tensor(9, 5)], parameters: [weight], samples: 120) {
            $0.groupedLinear($1[0], weight, offsets: [0, 1, 1, 8, 9])
        }.run("grouped linear")
    }

    @Test func rmsNormAndSwiGLU() {
        var numbers = Numbers(3)
        let weight = numbers.parameter(1, 8)
        GradientCheck(inputs: [numbers.tensor(5, 8)], parameters: [weight]) {
            $0.rmsNorm($1[0], weight: weight, epsilon: 1e-2)
        }.run("rmsNorm")
        GradientCheck(inputs: [numbers.tensor(5, 8, scale: 3)]) { $0.swiGLU($1[0]) }.run("swiGLU")
    }

    @Test func rotationAndRows() {
        var numbers = Numbers(4)
        for isInterleaved in [true, false] {
            let table = RotaryTable(frequencies: [1, 0.1], positions: 9, isInterleaved: isInterleaved)
            let weight = numbers.parameter(6, 3)
            GradientCheck(inputs: [numbers.tensor(4, 3)], parameters: [weight]) { tape, inputs in
                let x = tape.linear(inputs[0], weight)
                tape.rotate(x, offset: 1, positions: [0, 3, 8, 1], table: table)
                return tape.gatherRows(x, [3, 3, 0])
            }.run("rotation, gathered rows")
        }
        let table = numbers.parameter(6, 3)
        GradientCheck(inputs: [numbers.tensor(3, 2)], parameters: [table]) { tape, inputs in
            tape.concatenate(inputs[0], tape.embedding([5, 1, 5], table))
        }.run("concatenated embeddings")
    }

    @Test func attention() {
        var numbers = Numbers(5)
        let shape = AttentionShape(heads: 2, keyWidth: 3, sharedWidth: 2, valueWidth: 4, scale: 0.8)
        let inputs = [numbers.tensor(14, 10), numbers.tensor(14, 14), numbers.tensor(14, 2)]
        GradientCheck(inputs: inputs) {
            attend($0, $1[0], keysValues: $1[1], shared: $1[2], shape: shape, sequences: 2)
        }.run("attention")
        let plain = AttentionShape(heads: 2, keyWidth: 5, valueWidth: 2, scale: 0.8)
        GradientCheck(inputs: Array(inputs.prefix(2))) {
            attend($0, $1[0], keysValues: $1[1], shared: nil, shape: plain)
        }.run("attention without a shared key")
    }

    @Test(arguments: [true, false], [true, false]) func experts(usesSigmoid: Bool, normalizes: Bool) {
        var numbers = Numbers(6)
        let rule = RoutingRule(
            experts: 6, topK: 2, groups: 3, topGroups: 2, usesSigmoid: usesSigmoid, ranksGroupsByTopTwo: true,
            normalizes: normalizes, scale: 1.5)
        let up = numbers.parameter(6 * 8, 5, groups: 6)
        let down = numbers.parameter(6 * 5, 4, groups: 6)
        // Well apart, so that the choice stays the same; expert 3 is never chosen.
        let values = (0..<42).map { (index: Int) -> Float in
            index % 6 == 3 ? -5 : Float((index * 5 + index / 6) % 7) / 3
        }
        let logits = Tensor(values, rows: 7, columns: 6)
        let inputs = [logits, numbers.tensor(7, 5), numbers.tensor(7, 5)]
        GradientCheck(inputs: inputs, parameters: [up, down], samples: 120) { tape, inputs in
            let routing = tape.route(inputs[0], bias: nil, rule: rule)
            let sent = tape.dispatch(inputs[1], routing)
            let hidden = tape.swiGLU(tape.groupedLinear(sent, up, offsets: routing.offsets))
            let back = tape.groupedLinear(hidden, down, offsets: routing.offsets)
            return tape.combine(back, routing, addedTo: inputs[2])
        }.run("experts")
        #expect(up.gradient?.rows(24..<32).values.allSatisfy { $0 == 0 } == true)
    }

    @Test func crossEntropy() {
        var numbers = Numbers(7)
        let (x, head) = (numbers.tensor(6, 5), numbers.parameter(7, 5))
        let targets: [Int32] = [3, -1, 0, 6, -1, 2]
        let input = Variable(x)
        let tape = Tape(isRecording: true)
        _ = tape.crossEntropy(input, head: head, targets: targets)
        tape.backward()
        func meanLoss() -> Double {
            Tape().crossEntropy(Variable(x), head: head, targets: targets).reduce(0) { $0 + Double($1) } / 4
        }
        for (tensor, gradient) in [(x, input.gradient), (head.value, head.gradient)] {
            let original = tensor.values
            var differences = Matrix(zeros: tensor.rows, tensor.columns)
            for index in original.indices {
                var values = original
                let losses = [Float(1), -1].map { sign in
                    values[index] = original[index] + sign / 64
                    tensor.copy(from: values)
                    head.didChange()
                    return meanLoss()
                }
                differences.values[index] = (losses[0] - losses[1]) * 32
            }
            tensor.copy(from: original)
            head.didChange()
            expectClose(
                gradient, differences, terms: differences.map { _ in 1 }, .init(terms: 1e-4, value: 1e-3),
                "cross-entropy")
        }
    }
}
