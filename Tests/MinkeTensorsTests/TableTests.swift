import Testing

@testable import MinkeTensors

/// Tables of which a pass reads few rows: reading, gradients, updates.
@Suite struct TableTests {
    private func table(_ rows: Int, _ columns: Int, seed: UInt64 = 1) -> Parameter {
        var numbers = Numbers(seed)
        return Parameter("table", numbers.tensor(rows, columns), hasRowGradients: true)
    }

    /// Rows 2, 4 and 0 are read, row 4 three times.
    private static let rows: [Int32] = [4, 2, 0, 4, 4, 2]

    @Test func rowsAreAddedSideBySide() {
        let table = table(5, 2)
        var numbers = Numbers(2)
        let x = numbers.tensor(3, 4)
        let before = x.values
        Tape().addRows(to: Variable(x), of: table, rows: Self.rows)
        for (index, value) in x.values.enumerated() {
            let row = Int(Self.rows[index / 2])
            #expect(value == before[index] + table.value.values[row * 2 + index % 2])
        }
    }

    @Test(arguments: [ElementType.float32, .bfloat16]) func onlyRowsThatWereReadHaveGradients(type: ElementType) {
        let table = table(5, 2)
        var numbers = Numbers(3)
        // A range of columns, as the values of a joint projection are.
        let whole = Variable(Tensor(zeros: 3, 7, type: type))
        let x = whole.columns(2..<6)
        let dy = numbers.tensor(3, 7, type: type)
        for _ in 0..<2 {
            let tape = Tape(computeType: type, isRecording: true)
            tape.addRows(to: x, of: table, rows: Self.rows)
            whole.releaseGradient()
            whole.receiveGradient(dy)
            tape.backward()
        }
        var expected = [[Double]](repeating: [0, 0], count: 5)
        for (index, row) in Self.rows.enumerated() {
            for column in 0..<2 {
                expected[Int(row)][column] += 2 * Matrix(dy)[index / 2, 2 + index % 2 * 2 + column]
            }
        }
        let gradient = table.rowGradient
        #expect(gradient?.rows == [4, 2, 0])
        for (place, row) in (gradient?.rows ?? []).enumerated() {
            let got = gradient?.values.rows(place..<place + 1).values.map { Double($0) } ?? []
            #expect(zip(got, expected[Int(row)]).allSatisfy { abs($0 - $1) < 1e-5 })
        }
        #expect(table.gradient == nil)
        table.clearGradient()
        #expect(table.rowGradient == nil)
    }

    @Test func theGradientPassesThrough() {
        var numbers = Numbers(4)
        let (table, weight) = (table(5, 2), numbers.parameter(4, 3))
        GradientCheck(inputs: [numbers.tensor(3, 3)], parameters: [weight]) { tape, inputs in
            let x = tape.linear(inputs[0], weight)
            tape.addRows(to: x, of: table, rows: Self.rows)
            return tape.squaredReLU(x)
        }.run("rows of a table")
    }

    private func read(_ rows: [Int32], of table: Parameter, gradient: Tensor) {
        let tape = Tape(isRecording: true)
        let x = Variable(Tensor(zeros: gradient.rows, gradient.columns))
        tape.addRows(to: x, of: table, rows: rows)
        x.receiveGradient(gradient.converted(to: .bfloat16).converted(to: .float32))
        tape.backward()
    }

    @Test func withEveryRowInEveryStepItIsAdamW() {
        let sparse = table(4, 3)
        let dense = Tensor(sparse.value.values, rows: 4, columns: 3)
        let (mean, square) = (Tensor(zeros: 4, 3), Tensor(zeros: 4, 3))
        let adam = RowAdam(sparse, decays: true)
        var numbers = Numbers(8)
        for step in 1...6 {
            let rule = AdamW(rate: 0.1 / Float(step), decay: 0.3)
            read([0, 1, 2, 3], of: sparse, gradient: numbers.tensor(4, 3))
            let gradient = sparse.rowGradient?.values ?? Tensor(zeros: 4, 3)
            rule.update(dense, gradient: gradient, mean: mean, square: square, step: step, gradientScale: 0.5)
            adam.update(rule, gradientScale: 0.5)
            sparse.clearGradient()
        }
        for (got, wanted) in zip(sparse.value.values, dense.values) { #expect(abs(got - wanted) < 1e-5) }
        #expect(zip(adam.mean.values, mean.values).allSatisfy { abs($0 - $1) < 1e-6 })
        #expect(zip(adam.square.values, square.values).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test func rowsOweTheDecayOfStepsThatDidNotReadThem() {
        let table = table(4, 3)
        let original = table.value.values
        let adam = RowAdam(table, decays: true)
        var kept = 1.0
        for step in 1...9 {
            let rule = AdamW(rate: 0.2 / Float(step), decay: 0.4)
            read([1], of: table, gradient: Tensor([1, 1, 1], rows: 1, columns: 3))
            adam.update(rule, gradientScale: 1)
            table.clearGradient()
            kept *= 1 - Double(rule.rate) * Double(rule.decay)
        }
        // Nothing of the other rows was touched.
        #expect(table.value.rows(2..<4).values == Array(original[6...]))
        #expect(adam.mean.rows(2..<4).values.allSatisfy { $0 == 0 })
        #expect(adam.updates.values == [0, 9, 0, 0])
        let reading = Tensor(zeros: 1, 3)
        Tape().addRows(to: Variable(reading), of: table, rows: [3])
        for (got, wanted) in zip(reading.values, original[9...]) {
            #expect(abs(Double(got) - Double(wanted) * kept) <= 1e-6)
        }
        table.rowDecay?.settle(table)
        #expect(table.value.rows(3..<4).values == reading.values)
        table.rowDecay?.settle(table)
        #expect(table.value.rows(3..<4).values == reading.values)
    }

    @Test func aRepeatedSumIsTheSameToTheBit() {
        var numbers = Numbers(5)
        let table = table(50, 8)
        let rows = (0..<4000).map { _ in Int32(numbers.below(50)) }
        let gradient = numbers.tensor(2000, 16)
        let sums = (0..<2).map { _ in
            table.clearGradient()
            read(rows, of: table, gradient: gradient)
            return table.rowGradient?.values.values ?? []
        }
        #expect(sums[0] == sums[1] && sums[0].count == 400)
    }
}
