import Testing

@testable import MinkeTensors

@Suite struct RowsTests {
    @Test(arguments: [ElementType.float32, .bfloat16]) func embeddingReadsRowsAndSumsTheirGradients(type: ElementType) {
        var numbers = Numbers(1)
        let weight = numbers.parameter(7, 130)
        let tokens: [Int32] = [6, 0, 6, 6, 2]
        let tape = Tape(computeType: type, isRecording: true)
        let y = tape.embedding(tokens, weight)
        #expect(y.value.type == .float32)
        let dy = numbers.tensor(5, 130)
        y.receiveGradient(dy.converted(to: .bfloat16).converted(to: .float32))
        let received = Matrix(y.gradient ?? dy)
        var sums = Matrix(zeros: 7, 130)
        for (row, token) in tokens.enumerated() {
            #expect(y.value.rows(row..<row + 1).values == weight.value.rows(Int(token)..<Int(token) + 1).values)
            for i in 0..<130 { sums[Int(token), i] += received[row, i] }
        }
        tape.backward()
        expectClose(weight.gradient, sums, terms: sums.map { _ in 3 }, .sums(storedIn: .float32), "dW")
    }

    @Test(arguments: [ElementType.float32, .bfloat16]) func concatenationSplitsItsGradient(type: ElementType) {
        var numbers = Numbers(2)
        let whole = Variable(numbers.tensor(70, 9, type: type))
        let (a, b) = (whole.columns(5..<9), Variable(numbers.tensor(70, 3, type: type)))
        let tape = Tape(computeType: type, isRecording: true)
        let y = tape.concatenate(a, b)
        #expect(y.value.columns(0..<4).values == a.value.values && y.value.columns(4..<7).values == b.value.values)
        let dy = numbers.tensor(70, 7, type: type)
        y.receiveGradient(dy.converted(to: type))
        tape.backward()
        #expect(whole.gradient?.columns(5..<9).values == dy.columns(0..<4).values)
        #expect(whole.gradient?.columns(0..<5).values.allSatisfy { $0 == 0 } == true)
        #expect(b.gradient?.values == dy.columns(4..<7).values)
    }

    @Test func gatheredRowsSendTheirGradientsBack() {
        var numbers = Numbers(3)
        let x = Variable(numbers.tensor(6, 5))
        let rows = [4, 1, 4]
        let tape = Tape(isRecording: true)
        let y = tape.gatherRows(x, rows)
        #expect(y.value.values == rows.flatMap { x.value.rows($0..<$0 + 1).values })
        let dy = numbers.tensor(3, 5)
        var sums = Matrix(zeros: 6, 5)
        for (from, to) in rows.enumerated() { for i in 0..<5 { sums[to, i] += Matrix(dy)[from, i] } }
        y.receiveGradient(dy)
        tape.backward()
        expectClose(x.gradient, sums, terms: sums.map { _ in 2 }, .sums(storedIn: .float32), "dx")
    }

    @Test func bfloat16RoundsToNearestEvenAndKeepsSpecialValues() async {
        await #expect(processExitsWith: .success) {
            let cases: [(Float, Float)] = [
                (1, 1), (1 + 1.0 / 256, 1), (1 + 3.0 / 256, 1 + 4.0 / 256), (1.001_953_2, 1), (-0.0, -0.0),
                (.infinity, .infinity), (-.infinity, -.infinity), (.greatestFiniteMagnitude, .infinity),
            ]
            onEveryInstructionSet { _ in
                // Long enough for whole vectors and a rest.
                let values = (0..<37).map { cases[$0 % cases.count].0 }
                let rounded = Tensor(values, rows: 1, columns: 37, type: .bfloat16).values
                #expect(rounded == (0..<37).map { cases[$0 % cases.count].1 })
                let notNumbers = Tensor([Float](repeating: .nan, count: 37), rows: 1, columns: 37, type: .bfloat16)
                #expect(notNumbers.values.allSatisfy { $0.isNaN })
            }
        }
    }
}
