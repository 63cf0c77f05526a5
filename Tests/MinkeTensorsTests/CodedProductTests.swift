import Testing

@testable import MinkeTensors

@Suite struct CodedProductTests {
    /// Whole numbers whose blocks all reach the largest code lose nothing: products and gradients are then exact.
    @Test func wholeNumbersAreMultipliedExactlyOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for (m, n, k) in [(1, 1, 1), (7, 33, 130), (15, 64, 128), (130, 5, 70), (33, 131, 257)] {
                    checkWholeNumbers(m, n, k, type: type)
                }
            }
        }
    }

    @Test func errorsAreThoseOfRoundingBlocks() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for (m, n, k) in [(300, 40, 200), (9, 96, 1100), (1200, 20, 31)] {
                    checkRounding(m, n, k, type: type)
                }
            }
        }
    }

    @Test func instructionSetsAgree() async {
        await #expect(processExitsWith: .success) {
            for type in [ElementType.float32, .bfloat16] {
                var results: [[Float]] = []
                for name in CPU.supportedInstructionSets {
                    #expect(CPU.shared.use(instructionSet: name))
                    let step = LinearStep(150, 70, 300, type: type)
                    results.append(step.y.values + step.dx.values + step.dWeight.values)
                }
                for result in results {
                    // Equal codes and equal sums of blocks: what is left is the rounding of the sum over blocks.
                    let error = relativeError(result, results[0].map { Double($0) })
                    #expect(error < (type == .float32 ? 1e-6 : 1e-4))
                }
            }
        }
    }

    @Test func groupsHaveTheirOwnGradients() {
        // Empty groups, a group of one, and one of more rows than a task packs alone.
        for sizes in [[0, 1, 5, 0, 140, 0], [2100, 3]] {
            var numbers = Numbers(UInt64(sizes.count))
            let offsets = sizes.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
            let weight = numbers.parameter(sizes.count * 20, 24, groups: sizes.count)
            let x = Variable(numbers.tensor(offsets[sizes.count], 24, type: .bfloat16))
            let dy = numbers.tensor(offsets[sizes.count], 20, type: .bfloat16)
            let tape = Tape(computeType: .bfloat16, isRecording: true, usesCodes: true)
            let y = tape.groupedLinear(x, weight, offsets: offsets)
            y.receiveGradient(dy.converted(to: .bfloat16))
            tape.backward()
            for (group, size) in sizes.enumerated() where size > 0 {
                let rows = offsets[group]..<offsets[group + 1]
                let own = group * 20..<(group + 1) * 20
                let (a, d, w) = (Matrix(x.value.rows(rows)), Matrix(dy.rows(rows)), Matrix(weight.value.rows(own)))
                expectNear(y.value.rows(rows), a.timesTransposed(w), 0.03, "y of group \(group)")
                expectNear(x.gradient?.rows(rows), d.timesTransposed(w.transposed), 0.03, "dx of group \(group)")
                expectNear(
                    weight.gradient?.rows(own), d.transposed.timesTransposed(a.transposed), 0.03,
                    "dW of group \(group)")
            }
            for (group, size) in sizes.enumerated() where size == 0 {
                #expect(weight.gradient?.rows(group * 20..<(group + 1) * 20).values.allSatisfy { $0 == 0 } == true)
            }
        }
    }

    @Test func gradientsAddUp() {
        var numbers = Numbers(5)
        let weight = numbers.parameter(40, 30)
        func gradient(_ passes: Int) -> [Float] {
            weight.clearGradient()
            var numbers = Numbers(6)
            let (x, dy) = (numbers.tensor(200, 30), numbers.tensor(200, 40))
            for _ in 0..<passes {
                let tape = Tape(isRecording: true, usesCodes: true)
                tape.linear(Variable(x), weight).receiveGradient(dy)
                tape.backward()
            }
            return weight.gradient?.values ?? []
        }
        #expect(gradient(2) == gradient(1).map { $0 * 2 })
    }

    /// A step with such a number is skipped, so it must be seen.
    @Test(arguments: [Float.infinity, .nan]) func whatIsNotFiniteStaysSo(value: Float) {
        var numbers = Numbers(7)
        var values = numbers.tensor(3, 200).values
        values[250] = value
        let weight = numbers.parameter(10, 200)
        for type in [ElementType.float32, .bfloat16] {
            let x = Tensor(values, rows: 3, columns: 200, type: type)
            let y = Tape(computeType: type, usesCodes: true).linear(Variable(x), weight)
            #expect(y.value.rows(0..<1).isFinite && !y.value.rows(1..<2).isFinite && y.value.rows(2..<3).isFinite)
        }
    }

    @Test func zerosAndTinyNumbersStayFinite() {
        var numbers = Numbers(8)
        let weight = numbers.parameter(10, 130)
        for value in [Float(0), 0x1p-133, -1e-37] {
            let x = Tensor([Float](repeating: value, count: 260), rows: 2, columns: 130)
            let y = Tape(usesCodes: true).linear(Variable(x), weight)
            #expect(y.value.values.allSatisfy { abs($0) < 1e-30 })
        }
    }

    /// The head's codes have 13 bits: finer than bfloat16.
    @Test func theHeadIsFinerThanBFloat16() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                var numbers = Numbers(9)
                let x = numbers.tensor(530, 96, type: type)
                let head = numbers.parameter(75, 96)
                let targets = (0..<530).map { Int32($0 * 7 % 75) }
                func run(_ tape: Tape) -> (losses: [Float], dx: Tensor?, dHead: Matrix?) {
                    head.clearGradient()
                    let input = Variable(x.converted(to: tape.computeType), gradientType: .float32)
                    let losses = tape.crossEntropy(input, head: head, targets: targets)
                    tape.backward()
                    return (losses, input.gradient, head.gradient.map { Matrix($0) })
                }
                let exact = run(Tape(isRecording: true))
                let coded = run(Tape(computeType: type, isRecording: true, usesCodes: true))
                let errors = zip(coded.losses, exact.losses).map { abs($0 - $1) }
                // In bfloat16 losses are off by 0.02, gradients by 2e-3.
                #expect((errors.max() ?? 1) < 5e-3)
                if let dx = exact.dx, let dHead = exact.dHead, let coded = coded.dHead {
                    expectNear(
                        run(Tape(computeType: type, isRecording: true, usesCodes: true)).dx, Matrix(dx), 1e-3, "dx")
                    expectNear(Tensor(coded), dHead, 1e-3, "dW of the head")
                } else {
                    Issue.record("there are no gradients")
                }
            }
        }
    }
}

extension Tensor {
    fileprivate init(_ matrix: Matrix) {
        self.init(matrix.values.map { Float($0) }, rows: matrix.rows, columns: matrix.columns)
    }
}

/// One product in 8 bits with both of its gradients.
private struct LinearStep {
    let x: Tensor
    let dy: Tensor
    let weight: Parameter
    let y: Tensor
    let dx: Tensor
    let dWeight: Tensor

    init(_ x: Tensor, _ weight: Parameter, _ dy: Tensor) {
        let tape = Tape(computeType: x.type, isRecording: true, usesCodes: true)
        let input = Variable(x, gradientType: .float32)
        let out = tape.linear(input, weight, output: .float32)
        out.receiveGradient(dy.converted(to: dy.type))
        tape.backward()
        (self.x, self.weight, self.dy, y) = (x, weight, dy, out.value)
        dx = input.gradient ?? Tensor(zeros: 0, 0)
        dWeight = weight.gradient ?? Tensor(zeros: 0, 0)
    }

    init(_ m: Int, _ n: Int, _ k: Int, type: ElementType) {
        var numbers = Numbers(UInt64(m * 1_000_000 + n * 1000 + k))
        self.init(numbers.tensor(m, k, type: type), numbers.parameter(n, k), numbers.tensor(m, n, scale: 1e-4))
    }
}

private func checkWholeNumbers(_ m: Int, _ n: Int, _ k: Int, type: ElementType) {
    var numbers = Numbers(UInt64(m + n + k))
    /// Numbers from −127 to 127; every 128 × 128 block's first row and first column are ±127, so that every block of a
    /// row and of a column has that scale.
    func tensor(_ rows: Int, _ columns: Int, type: ElementType) -> Tensor {
        let values = (0..<rows * columns).map { index in
            let (row, column) = index.quotientAndRemainder(dividingBy: columns)
            let value = Float(numbers.below(255) - 127)
            return row % 128 == 0 || column % 128 == 0 ? (value < 0 ? -127 : 127) : value
        }
        return Tensor(values, rows: rows, columns: columns, type: type)
    }
    let weight = Parameter("w", tensor(n, k, type: .float32))
    let step = LinearStep(tensor(m, k, type: type), weight, tensor(m, n, type: .float32))
    let (a, w, d) = (Matrix(step.x), Matrix(weight.value), Matrix(step.dy))
    #expect(Matrix(step.y).values == a.timesTransposed(w).values)
    #expect(Matrix(step.dx).values == d.timesTransposed(w.transposed).values)
    #expect(Matrix(step.dWeight).values == d.transposed.timesTransposed(a.transposed).values)
}

private func checkRounding(_ m: Int, _ n: Int, _ k: Int, type: ElementType) {
    let step = LinearStep(m, n, k, type: type)
    let (a, w, d) = (Matrix(step.x), Matrix(step.weight.value), Matrix(step.dy))
    let label = "[\(m), \(k)]·[\(n), \(k)]ᵀ, \(type)"
    expectNear(step.y, a.timesTransposed(w), 0.015, label)
    expectNear(step.dx, d.timesTransposed(w.transposed), 0.015, "dx of \(label)")
    expectNear(step.dWeight, d.transposed.timesTransposed(a.transposed), 0.015, "dW of \(label)")
}

/// Records an issue if the error's norm is more than `tolerance` of the expected matrix's.
private func expectNear(
    _ got: Tensor?, _ want: Matrix, _ tolerance: Double, _ label: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard let got, got.rows == want.rows, got.columns == want.columns else {
        Issue.record("\(label): no result of this shape", sourceLocation: sourceLocation)
        return
    }
    let relative = relativeError(got.values, want.values)
    if !(relative <= tolerance) {
        Issue.record(
            "\(label) on \(CPU.shared.instructionSet): off by \(relative) of its norm", sourceLocation: sourceLocation)
    }
}

/// The norm of the difference by the norm of what is wanted.
private func relativeError(_ got: [Float], _ want: [Double]) -> Double {
    var (error, size) = (0.0, 0.0)
    for (a, b) in zip(got, want) {
        error += (Double(a) - b) * (Double(a) - b)
        size += b * b
    }
    return (error / size).squareRoot()
}
