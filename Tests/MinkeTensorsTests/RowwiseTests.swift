import Foundation
import Testing

@testable import MinkeTensors

@Suite struct RowwiseTests {
    @Test func rmsNormMatchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for width in [1, 7, 16, 33, 100] { checkRMSNorm(rows: width == 7 ? 150 : 5, width: width, type: type) }
            }
        }
    }

    @Test func swiGLUMatchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for width in [1, 7, 33, 64] { checkSwiGLU(rows: width == 7 ? 130 : 3, width: width, type: type) }
            }
        }
    }

    @Test func rotationsMatchDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for isInterleaved in [true, false] { checkRotation(isInterleaved: isInterleaved, type: type) }
            }
        }
    }

    @Test func sigmoidSurvivesLargeArguments() {
        let x = Variable(Tensor([-200, 200, -88, 1, 1, 1], rows: 1, columns: 6))
        let tape = Tape(isRecording: true)
        let y = tape.swiGLU(x)
        y.receiveGradient(Tensor([1, 1, 1], rows: 1, columns: 3))
        tape.backward()
        #expect(y.value.values.map { ($0 * 1e6).rounded() / 1e6 } == [0, 200, 0])
        #expect(x.gradient?.values.allSatisfy { $0.isFinite } == true)
    }
}

/// The norm of columns 3... of a wider tensor, which is what follows a joint projection.
private func checkRMSNorm(rows: Int, width: Int, type: ElementType) {
    var numbers = Numbers(UInt64(width))
    let whole = Variable(numbers.tensor(rows, width + 5, type: type, scale: 3))
    let x = whole.columns(3..<3 + width)
    let weight = numbers.parameter(1, width)
    let epsilon = 1e-3
    let tape = Tape(computeType: type, isRecording: true)
    let y = tape.rmsNorm(x, weight: weight, epsilon: Float(epsilon))
    let dy = numbers.tensor(rows, width, type: type)
    y.receiveGradient(dy.converted(to: type))
    tape.backward()
    let (a, w, d) = (Matrix(x.value), weight.value.values.map { Double($0) }, Matrix(dy))
    var out = Matrix(zeros: rows, width)
    var dx = Matrix(zeros: rows, width + 5)
    var dxTerms = dx
    var dWeight = Matrix(zeros: 1, width)
    var dWeightTerms = dWeight
    for row in 0..<rows {
        let square = (0..<width).reduce(0) { $0 + a[row, $1] * a[row, $1] } / Double(width)
        let inverse = 1 / sqrt(square + epsilon)
        let products = (0..<width).map { d[row, $0] * w[$0] * a[row, $0] }
        let mean = products.reduce(0, +) / Double(width)
        let meanTerms = products.reduce(0) { $0 + abs($1) } / Double(width)
        for i in 0..<width {
            out[row, i] = w[i] * a[row, i] * inverse
            dx[row, 3 + i] = inverse * (d[row, i] * w[i] - a[row, i] * inverse * inverse * mean)
            dxTerms[row, 3 + i] =
                inverse * (abs(d[row, i] * w[i]) + abs(a[row, i]) * inverse * inverse * meanTerms)
            dWeight[0, i] += d[row, i] * a[row, i] * inverse
            dWeightTerms[0, i] += abs(d[row, i] * a[row, i] * inverse)
        }
    }
    let (stored, label) = (Tolerance.sums(storedIn: type), "rmsNorm [\(rows), \(width)], \(type)")
    expectClose(y.value, out, stored, label)
    expectClose(whole.gradient, dx, terms: dxTerms, stored, "dx of \(label)")
    expectClose(weight.gradient, dWeight, terms: dWeightTerms, .sums(storedIn: .float32), "dw of \(label)")
}

private func checkSwiGLU(rows: Int, width: Int, type: ElementType) {
    var numbers = Numbers(UInt64(width + 50))
    let x = Variable(numbers.tensor(rows, 2 * width, type: type, scale: 6))
    let tape = Tape(computeType: type, isRecording: true)
    let y = tape.swiGLU(x)
    let dy = numbers.tensor(rows, width, type: type)
    y.receiveGradient(dy.converted(to: type))
    tape.backward()
    let (a, d) = (Matrix(x.value), Matrix(dy))
    var out = Matrix(zeros: rows, width)
    var dx = Matrix(zeros: rows, 2 * width)
    for row in 0..<rows {
        for i in 0..<width {
            let (gate, up) = (a[row, i], a[row, width + i])
            let sigmoid = 1 / (1 + exp(-gate))
            out[row, i] = gate * sigmoid * up
            dx[row, i] = d[row, i] * up * sigmoid * (1 + gate * (1 - sigmoid))
            dx[row, width + i] = d[row, i] * gate * sigmoid
        }
    }
    let label = "swiGLU [\(rows), \(width)], \(type)"
    expectClose(y.value, out, .sums(storedIn: type), label)
    expectClose(x.gradient, dx, terms: dx.map { _ in 6 }, .sums(storedIn: type), "gradient of \(label)")
}

/// Two heads of 3 + 6 columns, of which the last 6 are turned.
private func checkRotation(isInterleaved: Bool, type: ElementType) {
    var numbers = Numbers(77)
    let (heads, plain, width, rows) = (2, 3, 6, 70)
    let frequencies = [1, 0.3, 0.01]
    let table = RotaryTable(frequencies: frequencies, positions: 40, magnitude: 1.25, isInterleaved: isInterleaved)
    let positions = (0..<rows).map { Int32($0 * 7 % 40) }
    let x = Variable(numbers.tensor(rows, heads * (plain + width), type: type))
    let (before, dy) = (Matrix(x.value), numbers.tensor(rows, heads * (plain + width), type: type))
    let tape = Tape(computeType: type, isRecording: true)
    tape.rotate(x, heads: heads, headStride: plain + width, offset: plain, positions: positions, table: table)
    x.receiveGradient(dy.converted(to: .float32).converted(to: type))
    let received = Matrix(dy)
    tape.backward()
    func turned(_ matrix: Matrix, _ direction: Double) -> Matrix {
        var result = matrix
        for row in 0..<rows {
            for head in 0..<heads {
                for (pair, frequency) in frequencies.enumerated() {
                    let first = head * (plain + width) + plain
                    let i = first + (isInterleaved ? 2 * pair : pair)
                    let j = isInterleaved ? i + 1 : i + 3
                    let angle = Double(positions[row]) * frequency
                    let (c, s) = (cos(angle) * 1.25, sin(angle) * 1.25 * direction)
                    result[row, i] = matrix[row, i] * c - matrix[row, j] * s
                    result[row, j] = matrix[row, i] * s + matrix[row, j] * c
                }
            }
        }
        return result
    }
    let label = "rotation, \(isInterleaved ? "neighbours" : "halves"), \(type)"
    let ones = before.map { _ in 2 }
    expectClose(x.value, turned(before, 1), terms: ones, .sums(storedIn: type), label)
    expectClose(x.gradient, turned(received, -1), terms: ones, .sums(storedIn: type), "gradient of \(label)")
}
