import Testing

@testable import MinkeTensors

/// Operations of extended models against finite differences and plain formulas.
@Suite struct ExtensionGradientTests {
    @Test func squaredReLU() {
        var numbers = Numbers(1)
        GradientCheck(inputs: [numbers.tensor(5, 8, scale: 3)]) { $0.squaredReLU($1[0]) }.run("squared ReLU")
        let x = Variable(Tensor([-2, 0, 3, -0.5], rows: 2, columns: 2))
        #expect(Tape().squaredReLU(x).value.values == [0, 0, 9, 0])
    }

    @Test func headNorm() {
        var numbers = Numbers(2)
        let (weight, gain) = (numbers.parameter(11, 3), numbers.parameter(1, 4))
        GradientCheck(inputs: [numbers.tensor(5, 3)], parameters: [weight, gain]) { tape, inputs in
            tape.headNorm(tape.linear(inputs[0], weight).columns(2..<10), weight: gain, epsilon: 1e-2)
        }.run("norm of heads")
        let x = numbers.tensor(3, 8)
        let heads = (0..<2).map { Variable(x).columns($0 * 4..<$0 * 4 + 4) }
        let got = Tape().headNorm(Variable(x), weight: gain, epsilon: 1e-6).value
        for (head, part) in heads.enumerated() {
            let wanted = Tape().rmsNorm(part, weight: gain, epsilon: 1e-6).value.values
            #expect(zip(got.columns(head * 4..<head * 4 + 4).values, wanted).allSatisfy { abs($0 - $1) < 1e-6 })
        }
    }

    @Test func softcap() {
        let z = Tensor([0, 1, -3, 30, -1000, 2.5], rows: 1, columns: 6)
        let wanted = z.values.map { 5 * hyperbolicTangent(Double($0) / 5) }
        z.softcap(5)
        for (got, wanted) in zip(z.values, wanted) { #expect(abs(Double(got) - wanted) < 1e-5) }
    }

    private func hyperbolicTangent(_ x: Double) -> Double {
        // e^2x by the series of a halved argument; beyond 20 it is 1.
        guard abs(x) < 20 else { return x < 0 ? -1 : 1 }
        var (power, term) = (1.0, 1.0)
        for n in 1..<40 {
            term *= 2 * x / 64 / Double(n)
            power += term
        }
        for _ in 0..<6 { power *= power }
        return (power - 1) / (power + 1)
    }

    /// What an element was multiplied with, its gradient is multiplied with.
    @Test func dropout() {
        var numbers = Numbers(9)
        let (values, given) = (numbers.tensor(6, 7), numbers.tensor(6, 7))
        let x = Variable(Tensor(values.values, rows: 6, columns: 7))
        let tape = Tape(isRecording: true, dropout: Dropout(probability: 0.375, seed: 3, step: 5, pass: 0))
        tape.dropout(x)
        let factors = zip(values.values, x.value.values).map { $1 == 0 ? Float(0) : 1.6 }
        #expect(Set(factors) == [0, 1.6])
        #expect(zip(values.values, factors).map { $0 * $1 } == x.value.values)
        x.receiveGradient(Tensor(given.values, rows: 6, columns: 7))
        tape.backward()
        #expect(x.gradient?.values == zip(given.values, factors).map { $0 * $1 })
    }

    @Test(arguments: [ElementType.float32, .bfloat16]) func dropoutKeepsTheMean(type: ElementType) {
        let ones = Variable(Tensor([Float](repeating: 1, count: 64 * 250), rows: 64, columns: 250, type: type))
        let tape = Tape(isRecording: true, dropout: Dropout(probability: 0.2, seed: 1, step: 0, pass: 0))
        tape.dropout(ones)
        let values = ones.value.values
        #expect(Set(values) == [0, 1.25])
        // 16,000 draws: five standard deviations.
        #expect(abs(Double(values.count { $0 == 0 }) / 16_000 - 0.2) < 0.016)
    }

    /// Every step, pass and operation has its own; without recording nothing is dropped.
    @Test func dropoutIsDrawnAnew() {
        func mask(step: Int, pass: Int, records: Bool = true, operations: Int = 1) -> [Float] {
            let tape = Tape(
                isRecording: records, dropout: Dropout(probability: 0.5, seed: 1, step: step, pass: pass))
            return (0..<operations).map { _ in
                let x = Variable(Tensor([Float](repeating: 1, count: 64), rows: 2, columns: 32))
                tape.dropout(x)
                return x.value.values
            }.last ?? []
        }
        let masks =
            [mask(step: 0, pass: 0), mask(step: 1, pass: 0), mask(step: 0, pass: 1)]
            + [mask(step: 0, pass: 0, operations: 2), mask(step: 0, pass: 0, records: false)]
        #expect(Set(masks).count == 5)
        #expect(mask(step: 0, pass: 0) == masks[0] && masks[4].allSatisfy { $0 == 1 })
    }

    @Test func cappedCrossEntropy() {
        var numbers = Numbers(7)
        let (x, head) = (numbers.tensor(6, 5, scale: 2), numbers.parameter(7, 5))
        let targets: [Int32] = [3, -1, 0, 6, -1, 2]
        let input = Variable(x)
        let tape = Tape(isRecording: true)
        _ = tape.crossEntropy(input, head: head, targets: targets, softcap: 1.5)
        tape.backward()
        func meanLoss() -> Double {
            Tape().crossEntropy(Variable(x), head: head, targets: targets, softcap: 1.5)
                .reduce(0) { $0 + Double($1) } / 4
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
                gradient, differences, terms: differences.map { _ in 1 }, .init(terms: 2e-4, value: 2e-3),
                "capped cross-entropy")
        }
    }
}

extension ExtensionGradientTests {
    @Test func everyInstructionSetAgreesWithTheFormulas() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for width in [1, 7, 33, 64] { checkExtendedKernels(width: width, type: type) }
            }
        }
    }
}

private func checkExtendedKernels(width: Int, type: ElementType) {
    var numbers = Numbers(UInt64(width))
    let x = Variable(numbers.tensor(3, width, type: type, scale: 3))
    let dy = numbers.tensor(3, width, type: type)
    let before = Matrix(x.value)
    let tape = Tape(computeType: type, isRecording: true)
    let y = tape.squaredReLU(x)
    y.receiveGradient(dy.converted(to: type))
    tape.backward()
    let positive = before.map { max(0, $0) }
    let tolerance = Tolerance.sums(storedIn: type)
    expectClose(y.value, positive.map { $0 * $0 }, tolerance, "squared ReLU of \(width), \(type)")
    var wanted = positive
    for index in wanted.values.indices { wanted.values[index] *= 2 * Matrix(dy).values[index] }
    expectClose(x.gradient, wanted, tolerance, "gradient of squared ReLU of \(width), \(type)")

    let table = Parameter("table", numbers.tensor(5, width), hasRowGradients: true)
    let target = numbers.tensor(3, width, type: type)
    var sums = Matrix(target)
    Tape(computeType: type).addRows(to: Variable(target), of: table, rows: [4, 0, 4])
    for (row, read) in [4, 0, 4].enumerated() {
        for column in 0..<width { sums[row, column] += Matrix(table.value)[read, column] }
    }
    expectClose(target, sums, terms: sums.map { _ in 4 }, tolerance, "rows of \(width), \(type)")
}
