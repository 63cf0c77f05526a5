import Foundation
import Testing

@testable import MinkeTensors

/// Optimiser updates and biases on every instruction set.
@Suite struct UpdateTests {
    @Test func adamWMatchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in checkAdamW(count: 20_011, moments: type) }
        }
    }

    @Test func muonMatchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for (rows, columns) in [(5, 7), (16, 16), (33, 20), (14, 65)] {
                    checkMuon(rows: rows, columns: columns, precision: type)
                }
            }
        }
    }

    @Test func biasesMatchOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in checkBias(type: type) }
        }
    }

    @Test func sumsOfSquaresAndFiniteness() {
        var numbers = Numbers(5)
        let tensor = numbers.tensor(300, 257)
        let expected = tensor.values.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(abs(tensor.sumOfSquares - expected) < 1e-4 * expected)
        #expect(tensor.isFinite)
        var values = tensor.values
        values[1000] = .nan
        #expect(!Tensor(values, rows: 300, columns: 257).isFinite)
        values[1000] = 3e38
        #expect(Tensor(values, rows: 300, columns: 257).isFinite)
    }
}

/// - Parameter moments: rounded between updates where it is `bfloat16`, in the formula as well.
private func checkAdamW(count: Int, moments: ElementType) {
    var numbers = Numbers(3)
    let value = numbers.tensor(1, count)
    let (mean, square) = (Tensor(zeros: 1, count, type: moments), Tensor(zeros: 1, count, type: moments))
    let adam = AdamW(rate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1)
    var w = value.values.map { Double($0) }
    var m = [Double](repeating: 0, count: count)
    var v = m
    for step in 1...3 {
        let gradient = numbers.tensor(1, count)
        adam.update(value, gradient: gradient, mean: mean, square: square, step: step, gradientScale: 0.5)
        defer {
            if moments == .bfloat16 {
                for (kept, exact) in [(mean.values, m), (square.values, v)] {
                    #expect(zip(kept, exact).allSatisfy { abs(Double($0) - $1) <= abs($1) / 200 + 1e-6 })
                }
                (m, v) = (mean.values.map { Double($0) }, square.values.map { Double($0) })
            }
        }
        for (index, raw) in gradient.values.enumerated() {
            let g = Double(raw) * 0.5
            m[index] = 0.9 * m[index] + 0.1 * g
            v[index] = 0.95 * v[index] + 0.05 * g * g
            let corrected = m[index] / (1 - pow(0.9, Double(step)))
            let size = (v[index] / (1 - pow(0.95, Double(step)))).squareRoot()
            w[index] = w[index] * (1 - 0.01 * 0.1) - 0.01 * corrected / (size + 1e-8)
        }
    }
    expectClose(value, Matrix(1, count, w), Tolerance(terms: 1e-5, value: 1e-5), "AdamW")
}

private func checkMuon(rows: Int, columns: Int, precision: ElementType) {
    var numbers = Numbers(UInt64(rows * 100 + columns))
    let value = numbers.tensor(rows, columns)
    let gradient = numbers.tensor(rows, columns)
    let momentum = Tensor(zeros: rows, columns)
    let start = Matrix(value)
    Muon(rate: 0.02, decay: 0.1, precision: precision).update(
        [.init(value: value, gradient: gradient, momentum: momentum)], gradientScale: 1)
    // From rest, B = G and D = 1.95·G; the factor drops out of the normalised direction.
    let isTall = rows > columns
    var x = isTall ? Matrix(gradient).transposed : Matrix(gradient)
    let norm = x.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    x = x.map { $0 / norm }
    for _ in 0..<5 {
        let gram = x.timesTransposed(x)
        let square = gram.timesTransposed(gram)
        var next = x.map { 3.4445 * $0 }
        let polynomial = Matrix(
            gram.rows, gram.columns, zip(gram.values, square.values).map { -4.7750 * $0 + 2.0315 * $1 })
        let product = polynomial.timesTransposed(x.transposed)
        for index in next.values.indices { next.values[index] += product.values[index] }
        x = next
    }
    let direction = isTall ? x.transposed : x
    let size = 0.02 * 0.2 * Double(max(rows, columns)).squareRoot()
    var expected = start.map { $0 * (1 - 0.02 * 0.1) }
    for index in expected.values.indices { expected.values[index] -= size * direction.values[index] }
    let slack = precision == .float32 ? 1e-4 : 0.05
    let allowed = Matrix(rows, columns, [Double](repeating: size, count: rows * columns))
    expectClose(value, expected, terms: allowed, Tolerance(terms: slack, value: 1e-6), "Muon \(rows)×\(columns)")
}

private func checkBias(type: ElementType) {
    var numbers = Numbers(9)
    let x = numbers.tensor(70, 33, type: type)
    let bias = numbers.parameter(1, 33)
    var expected = Matrix(x)
    for row in 0..<70 { for column in 0..<33 { expected[row, column] += Double(bias.value.values[column]) } }
    let variable = Variable(x)
    let tape = Tape(computeType: type, isRecording: true)
    tape.addBias(variable, bias)
    expectClose(variable.value, expected, Tolerance(terms: 0, value: type == .bfloat16 ? 1.0 / 120 : 1e-6), "bias")
    let gradient = numbers.tensor(70, 33, type: type)
    variable.receiveGradient(gradient)
    tape.backward()
    let sums = (0..<33).map { column in (0..<70).reduce(0.0) { $0 + Matrix(gradient)[$1, column] } }
    expectClose(bias.gradient, Matrix(1, 33, sums), Tolerance(terms: 1e-4, value: 1e-4), "gradient of the bias")
}
