import Testing

@testable import MinkeTensors

@Suite struct GroupedLinearTests {
    @Test func matchesDoublePrecisionOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            onEveryInstructionSet { type in
                // Empty groups at both ends and in the middle, groups of one, and one of several blocks of rows.
                checkGroupedLinear(sizes: [0, 1, 5, 0, 1, 14, 15, 0], rows: 33, columns: 15, type: type)
                checkGroupedLinear(sizes: [130, 0, 1], rows: 20, columns: 40, type: type)
                checkGroupedLinear(sizes: [0, 0], rows: 4, columns: 6, type: type)
                checkGroupedLinear(sizes: [3], rows: 1, columns: 1, type: type)
            }
        }
    }

    @Test func gradientsOfTwoPassesAddUpWithoutTouchingEmptyGroups() {
        var numbers = Numbers(8)
        let weight = numbers.parameter(12, 5, groups: 3)
        var sum = Matrix(zeros: 12, 5)
        for offsets in [[0, 4, 4, 4], [0, 0, 4, 4]] {
            let x = numbers.tensor(4, 5)
            let dy = numbers.tensor(4, 4)
            let tape = Tape(isRecording: true)
            tape.groupedLinear(Variable(x), weight, offsets: offsets).receiveGradient(dy)
            tape.backward()
            let group = offsets[1] == 4 ? 0 : 1
            let gradient = Matrix(dy).transposed.timesTransposed(Matrix(x).transposed)
            for row in 0..<4 { for column in 0..<5 { sum[group * 4 + row, column] += gradient[row, column] } }
        }
        expectClose(weight.gradient, sum, terms: sum.map { _ in 4 }, .sums(storedIn: .float32), "dW of two passes")
        #expect(weight.gradient?.rows(8..<12).values.allSatisfy { $0 == 0 } == true)
    }
}

private func checkGroupedLinear(sizes: [Int], rows: Int, columns: Int, type: ElementType) {
    var numbers = Numbers(UInt64(sizes.count * 100 + rows))
    let offsets = sizes.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    let slots = offsets[sizes.count]
    let weight = numbers.parameter(sizes.count * rows, columns, exactIn: type, groups: sizes.count)
    let x = Variable(numbers.tensor(slots, columns, type: type))
    let dy = numbers.tensor(slots, rows, type: type)
    let tape = Tape(computeType: type, isRecording: true)
    let y = tape.groupedLinear(x, weight, offsets: offsets)
    y.receiveGradient(dy.converted(to: type))
    tape.backward()
    for (group, size) in sizes.enumerated() {
        let range = offsets[group]..<offsets[group] + size
        let (a, d) = (Matrix(x.value.rows(range)), Matrix(dy.rows(range)))
        let w = Matrix(weight.value.rows(group * rows..<(group + 1) * rows))
        let label = "group \(group) of \(sizes), \(type)"
        let (stored, sums) = (Tolerance.sums(storedIn: type), Tolerance.sums(storedIn: .float32))
        expectClose(
            y.value.rows(range), a.timesTransposed(w), terms: a.absolute.timesTransposed(w.absolute), stored, label)
        expectClose(
            x.gradient?.rows(range), d.timesTransposed(w.transposed),
            terms: d.absolute.timesTransposed(w.absolute.transposed), stored, "dx of \(label)")
        let (dT, aT) = (d.transposed, a.transposed)
        expectClose(
            weight.gradient?.rows(group * rows..<(group + 1) * rows), dT.timesTransposed(aT),
            terms: dT.absolute.timesTransposed(aT.absolute), sums, "dW of \(label)")
    }
}
