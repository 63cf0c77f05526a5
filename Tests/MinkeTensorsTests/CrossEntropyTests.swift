import Foundation
import Testing

@testable import MinkeTensors

@Suite struct CrossEntropyTests {
    @Test func matchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                checkCrossEntropy(rows: 9, vocabulary: 37, width: 15, type: type)
                checkCrossEntropy(rows: 1, vocabulary: 2, width: 1, type: type)
                // More rows than have logits at the same time.
                checkCrossEntropy(rows: 515, vocabulary: 11, width: 6, type: type)
            }
        }
    }

    /// It would otherwise be lost in a maximum, and training would go on with a model that is none any more.
    @Test func whatIsNotANumberReachesTheLoss() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                for place in [0, 20, 36] {
                    var numbers = Numbers(9)
                    let (x, head) = (Variable(numbers.tensor(2, 6, type: type)), numbers.parameter(37, 6))
                    head.value.floats[place * 6] = .nan
                    let losses = Tape(computeType: type).crossEntropy(x, head: head, targets: [1, 30])
                    #expect(losses.allSatisfy { $0.isNaN }, "logit \(place), \(type)")
                }
            }
        }
    }

    @Test func rowsWithoutTargetCostNothing() {
        var numbers = Numbers(6)
        let x = Variable(numbers.tensor(3, 4))
        let head = numbers.parameter(5, 4)
        let tape = Tape(isRecording: true)
        #expect(tape.crossEntropy(x, head: head, targets: [-1, -1, -1]) == [0, 0, 0])
        tape.backward()
        #expect(x.gradient?.values.allSatisfy { $0 == 0 } == true)
        #expect(head.gradient?.values.allSatisfy { $0 == 0 } == true)
    }

    @Test func withoutRecordingOnlyLossesAreFormed() {
        var numbers = Numbers(7)
        let (x, head) = (Variable(numbers.tensor(3, 4)), numbers.parameter(5, 4))
        let losses = Tape().crossEntropy(x, head: head, targets: [0, 4, -1])
        #expect(losses == Tape(isRecording: true).crossEntropy(x, head: head, targets: [0, 4, -1]))
        let untouched = numbers.parameter(5, 4)
        _ = Tape().crossEntropy(x, head: untouched, targets: [0, 4, -1])
        #expect(untouched.gradient == nil)
    }

    /// The last hidden state feeds the main head and, in multi-token prediction, another layer as well.
    @Test(arguments: [ElementType.float32, .bfloat16]) func twoLossesOfOneStateAddUp(type: ElementType) {
        var numbers = Numbers(8)
        let state = numbers.tensor(4, 6, type: type)
        let head = numbers.parameter(9, 6)
        func gradients(_ passes: Int) -> [Float] {
            let x = Variable(state)
            let tape = Tape(computeType: type, isRecording: true)
            for _ in 0..<passes { _ = tape.crossEntropy(x, head: head, targets: [1, 2, 8, 0]) }
            tape.backward()
            return x.gradient?.values ?? []
        }
        #expect(gradients(2) == gradients(1).map { $0 * 2 })
    }
}

private func checkCrossEntropy(rows: Int, vocabulary: Int, width: Int, type: ElementType) {
    var numbers = Numbers(UInt64(rows + vocabulary))
    let lossScale = 3.0
    let x = Variable(numbers.tensor(rows, width, type: type, scale: 3))
    let head = numbers.parameter(vocabulary, width, exactIn: type)
    let targets = (0..<rows).map { row in
        let target = Int32(numbers.below(vocabulary))
        return row % 5 == 3 ? -1 : target
    }
    let tape = Tape(computeType: type, isRecording: true)
    let losses = tape.crossEntropy(x, head: head, targets: targets, lossScale: Float(lossScale))
    tape.backward()
    let (a, w) = (Matrix(x.value), Matrix(head.value))
    let counted = Double(targets.filter { $0 >= 0 }.count)
    var dz = a.timesTransposed(w)
    var expected = Matrix(zeros: 1, rows)
    for row in 0..<rows {
        let z = (0..<vocabulary).map { dz[row, $0] }
        let sum = z.reduce(0) { $0 + exp($1) }
        let target = Int(targets[row])
        if target >= 0 { expected[0, row] = log(sum) - z[target] }
        for i in 0..<vocabulary {
            let difference = exp(z[i]) / sum - (i == target ? 1 : 0)
            dz[row, i] = target < 0 ? 0 : difference * lossScale / counted
        }
    }
    let label = "[\(rows), \(width)] to \(vocabulary), \(type)"
    expectClose(
        Tensor(losses, rows: 1, columns: rows), expected, terms: expected.map { _ in Double(width) },
        .init(terms: 4e-6, value: 4e-6), "losses of \(label)")
    // In bfloat16 dz is rounded before it is multiplied.
    let terms = type == .bfloat16 ? 1.0 / 250 : 4e-6
    let (wT, dzT, aT) = (w.transposed, dz.transposed, a.transposed)
    expectClose(
        x.gradient, dz.timesTransposed(wT), terms: dz.absolute.timesTransposed(wT.absolute),
        .init(terms: terms, value: terms), "dx of \(label)")
    expectClose(
        head.gradient, dzT.timesTransposed(aT), terms: dzT.absolute.timesTransposed(aT.absolute),
        .init(terms: terms, value: 0), "dW of \(label)")
}
