import Testing

@testable import MinkeTensors

@Suite struct LinearTests {
    @Test func matchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            let cases = LinearCase.oddShapes + LinearCase.deep
            onEveryInstructionSet { type in
                for item in cases where item.type == type { item.check() }
            }
        }
    }

    @Test func operandsMayBeColumnViews() {
        var numbers = Numbers(3)
        for type in [ElementType.float32, .bfloat16] {
            // What lies beside the view may be anything.
            var values = numbers.tensor(19, 41).values
            for row in 0..<19 { for column in [0, 1, 2, 34, 35, 40] { values[row * 41 + column] = .nan } }
            let whole = Variable(Tensor(values, rows: 19, columns: 41, type: type))
            let x = whole.columns(3..<34)
            let weight = numbers.parameter(37, 31, exactIn: type)
            let tape = Tape(computeType: type, isRecording: true)
            let y = tape.linear(x, weight)
            let expected = Matrix(x.value).timesTransposed(Matrix(weight.value))
            expectClose(y.value, expected, terms: expected.map { _ in 31 }, .sums(storedIn: type), "view, \(type)")
            let dy = numbers.tensor(19, 37, type: type)
            y.receiveGradient(dy)
            tape.backward()
            var dx = Matrix(zeros: 19, 41)
            let part = Matrix(dy).timesTransposed(Matrix(weight.value).transposed)
            for row in 0..<19 { for column in 0..<31 { dx[row, column + 3] = part[row, column] } }
            expectClose(whole.gradient, dx, terms: dx.map { _ in 37 }, .sums(storedIn: type), "dx of view, \(type)")
        }
    }

    @Test func precisionAndOutputOverrideTheComputeType() {
        var numbers = Numbers(4)
        let x = Variable(numbers.tensor(9, 20, type: .bfloat16), gradientType: .float32)
        let weight = numbers.parameter(11, 20)
        let tape = Tape(computeType: .bfloat16, isRecording: true)
        let precise = tape.linear(x, weight, precision: .float32)
        let wide = tape.linear(x, weight, output: .float32)
        #expect(precise.value.type == .float32 && wide.value.type == .float32)
        let expected = Matrix(x.value).timesTransposed(Matrix(weight.value))
        expectClose(precise.value, expected, terms: expected.map { _ in 20 }, .sums(storedIn: .float32), "precise")
        let rounded = Matrix(weight.value.converted(to: .bfloat16))
        let coarse = Matrix(x.value).timesTransposed(rounded)
        expectClose(wide.value, coarse, terms: coarse.map { _ in 20 }, .sums(storedIn: .float32), "wide")
        // Both readers of x add to its gradient.
        let (d1, d2) = (numbers.tensor(9, 11), numbers.tensor(9, 11, type: .bfloat16))
        precise.receiveGradient(d1)
        wide.receiveGradient(d2.converted(to: .float32))
        tape.backward()
        let dx =
            Matrix(d1).timesTransposed(Matrix(weight.value).transposed)
            + Matrix(d2).timesTransposed(rounded.transposed)
        expectClose(x.gradient, dx, terms: dx.map { _ in 22 }, .sums(storedIn: .float32), "dx of both")
    }
}

/// A product with all its gradients, and what double precision makes of it.
private struct LinearCase {
    let type: ElementType
    let label: String
    let x: Tensor
    let weight: Parameter
    let bias: Parameter?
    let residual: Tensor?
    let dy: Tensor
    let y: (value: Matrix, terms: Matrix)
    let dx: (value: Matrix, terms: Matrix)
    let dWeight: (value: Matrix, terms: Matrix)

    init(_ m: Int, _ n: Int, _ k: Int, type: ElementType, variant: Int) {
        var numbers = Numbers(UInt64(m * 1_000_000 + n * 1000 + k))
        self.type = type
        label = "[\(m), \(k)]·[\(n), \(k)]ᵀ in \(type), variant \(variant % 3)"
        x = numbers.tensor(m, k, type: type)
        weight = numbers.parameter(n, k, exactIn: type)
        bias = variant % 3 == 1 ? numbers.parameter(1, n) : nil
        residual = variant % 3 == 2 ? numbers.tensor(m, n) : nil
        // Exact in the type of the operands, in which the gradient is multiplied.
        let dy = numbers.tensor(m, n, type: type)
        self.dy = residual == nil ? dy : dy.converted(to: .float32)
        let (a, w, d) = (Matrix(x), Matrix(weight.value), Matrix(dy))
        var added = Matrix(zeros: m, n)
        if let bias { for i in 0..<m { for j in 0..<n { added[i, j] += Double(bias.value.values[j]) } } }
        if let residual { added = added + Matrix(residual) }
        y = (a.timesTransposed(w) + added, a.absolute.timesTransposed(w.absolute) + added.absolute)
        dx = (d.timesTransposed(w.transposed), d.absolute.timesTransposed(w.absolute.transposed))
        let (dT, aT) = (d.transposed, a.transposed)
        dWeight = (dT.timesTransposed(aT), dT.absolute.timesTransposed(aT.absolute))
    }

    /// Every size meets every other, without all the triples.
    static var oddShapes: [LinearCase] {
        let sizes = [1, 7, 14, 15, 33, 64, 100, 129]
        var cases: [LinearCase] = []
        for (a, m) in sizes.enumerated() {
            for (b, n) in sizes.enumerated() {
                let k = sizes[(a * 3 + b * 5 + 1) % sizes.count]
                cases.append(LinearCase(m, n, k, type: (a + b) % 2 == 0 ? .float32 : .bfloat16, variant: a + 2 * b))
                if m * n * k < 40_000 {
                    cases.append(
                        LinearCase(m, n, k, type: (a + b) % 2 == 1 ? .float32 : .bfloat16, variant: a + 2 * b + 1))
                }
            }
        }
        return cases
    }

    /// Depths that are summed in several passes.
    static var deep: [LinearCase] {
        [(5, 35, 620), (15, 33, 801), (3, 34, 1281), (640, 20, 9)].enumerated().flatMap { index, shape in
            [ElementType.float32, .bfloat16].map {
                LinearCase(shape.0, shape.1, shape.2, type: $0, variant: index)
            }
        }
    }

    func check() {
        let tape = Tape(computeType: type, isRecording: true)
        let input = Variable(x)
        let base = residual.map { Variable($0) }
        weight.clearGradient()
        bias?.clearGradient()
        let out = tape.linear(input, weight, bias: bias, addedTo: base)
        // A bias is added to the stored result, which rounds twice.
        var tolerance = Tolerance.sums(storedIn: out.value.type)
        if bias != nil, out.value.type == .bfloat16 { tolerance.terms = 1.0 / 250 }
        expectClose(out.value, y.value, terms: y.terms, tolerance, label)
        out.receiveGradient(dy.converted(to: dy.type))
        tape.backward()
        expectClose(input.gradient, dx.value, terms: dx.terms, .sums(storedIn: type), "dx of \(label)")
        expectClose(
            weight.gradient, dWeight.value, terms: dWeight.terms, .sums(storedIn: .float32), "dW of \(label)")
        if let bias {
            let d = Matrix(dy).transposed
            let ones = Matrix(1, dy.rows, [Double](repeating: 1, count: dy.rows))
            expectClose(
                bias.gradient, ones.timesTransposed(d), terms: ones.timesTransposed(d.absolute),
                .sums(storedIn: .float32), "dbias of \(label)")
        }
        if let base { #expect(base.gradient?.values == dy.values) }
    }
}
