import CMinkeKernels
import Testing

@testable import MinkeTensors

/// Products with stored weights against what double precision makes of the decoded ones.
@Suite struct StoredProductTests {
    @Test func everyFormatOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            for format in StoredFormat.all {
                for depth in format.depths { try StoredCase(format, depth: depth).check() }
            }
        }
    }

    @Test func piecesAndGroupsOnEveryInstructionSet() async {
        await #expect(processExitsWith: .success) {
            for name in ["F32", "F16", "BF16", "E4M3", "Q4_K", "Q6_K", "Q8_0"] {
                try GroupedCase(StoredFormat.named(name)).check()
            }
        }
    }

    /// Codes, scales and offsets at the ends of their ranges under activations that all have the largest code: integer
    /// sums must hold what comes together then.
    @Test func sumsHoldTheLargestProducts() async {
        await #expect(processExitsWith: .success) {
            let one: UInt16 = 0x3C00
            let twenty: UInt16 = 0x4D00
            for format in StoredFormat.blocked where format.code != Int32(MinkeStoredMXFP4) {
                for byte in [0xFF, 0x3F, 0x9C] as [UInt8] {
                    for factors in [[one, one], [one, twenty], [one, twenty | 0x8000], [one | 0x8000, twenty]] {
                        var numbers = Numbers(3)
                        let weight = try numbers.stored(format, 5, 256, filling: byte, factors: factors)
                        let x = Tensor(
                            (0..<40 * 256).map { $0 < 20 * 256 ? 1 : -1 }, rows: 40, columns: 256, type: .float32)
                        StoredCase("\(format), bytes \(byte), factors \(factors)", weight, x).check(
                            roundingOfTerms: 0x1p-6)
                    }
                }
            }
        }
    }

    /// Rows that begin within a block of 128 × 128 keep that block's factor.
    @Test func scaledBlocksCountFromTheWholeMatrix() async throws {
        await #expect(processExitsWith: .success) {
            for depth in [132, 148, 256] {
                var numbers = Numbers(UInt64(depth))
                let whole = try numbers.stored(StoredFormat.named("E4M3"), 300, depth)
                let all = Matrix(whole.decoded())
                for range in [100..<170, 127..<129, 250..<300] {
                    let part = whole.rows(range)
                    #expect(Matrix(part.decoded()).values == all.rows(range).values)
                    StoredCase("E4M3 from \(range.lowerBound)", part, &numbers).check()
                }
            }
        }
    }

    @Test(arguments: [0, 1, 2, 3]) func addressesMayBeOdd(misalignment: Int) throws {
        var numbers = Numbers(UInt64(misalignment))
        let weight = try numbers.stored(StoredFormat.plain[0], 35, 70, misalignment: misalignment)
        let x = numbers.tensor(40, 70)
        let expected = Matrix(x).timesTransposed(Matrix(weight.decoded()))
        for rows in [3, 40] {
            let out = Tensor(uninitialized: rows, 35)
            StoredProduct.multiply(
                x.rows(0..<rows), [weight], offsets: [0, rows], into: out, usesIntegers: false)
            expectClose(
                out, expected.rows(0..<rows), terms: expected.rows(0..<rows).map { _ in 70 },
                .sums(storedIn: .float32), "F32, \(rows) rows")
        }
    }

    @Test func resultsDoNotDependOnThreads() async {
        await #expect(processExitsWith: .success) {
            for name in ["F16", "E4M3", "Q5_0", "Q4_K"] {
                var numbers = Numbers(7)
                let weight = try numbers.stored(StoredFormat.named(name), 333, 256)
                let x = numbers.tensor(40, 256)
                for rows in [1, 5, 40] {
                    for usesIntegers in [false, true] {
                        let results = [1, 2, 3, 2].map { threads in
                            CPU.shared.threadCount = threads
                            let out = Tensor(uninitialized: rows, 333)
                            StoredProduct.multiply(
                                x.rows(0..<rows), [weight], offsets: [0, rows], into: out, usesIntegers: usesIntegers)
                            return out.values.map(\.bitPattern)
                        }
                        #expect(results.allSatisfy { $0 == results[0] }, "\(name), \(rows) rows")
                    }
                }
            }
        }
    }

    @Test func embeddingDecodesRows() throws {
        for format in StoredFormat.all {
            var numbers = Numbers(11)
            let upper = try numbers.stored(format, 5, 256)
            let lower = try numbers.stored(format, 3, 256, misalignment: 3)
            let weight = Parameter("w", stored: [upper, lower])
            let values = Tape().embedding([7, 0, 4, 4, 5], weight).value
            let expected = upper.decoded().values + lower.decoded().values
            for (row, token) in [7, 0, 4, 4, 5].enumerated() {
                #expect(
                    values.rows(row..<row + 1).values == Array(expected[token * 256..<(token + 1) * 256]), "\(format)")
            }
        }
    }

    @Test func whatDoesNotFitIsRefused() {
        let memory = StoredBytes(count: 64, misalignment: 0)
        let bytes = UnsafeRawBufferPointer(memory.bytes)
        func rows(_ format: Int, _ rows: Int, _ columns: Int) -> StoredRows? {
            StoredRows(format: Int32(format), bytes: bytes, rows: rows, columns: columns, owner: memory)
        }
        #expect(rows(Int(MinkeStoredF32), 4, 4)?.bytes == 64)
        #expect(rows(Int(MinkeStoredF32), 4, 5) == nil)
        #expect(rows(Int(MinkeStoredQ8_0), 1, 33) == nil)
        #expect(rows(Int(MinkeStoredQ8_0), 1, 32)?.bytes == 34)
        #expect(rows(999, 1, 32) == nil)
    }
}

/// Products of 1 to 9 and of 40 rows with one weight.
private struct StoredCase {
    let label: String
    let weight: StoredRows
    let x: Tensor
    let expected: (value: Matrix, terms: Matrix)

    init(_ label: String, _ weight: StoredRows, _ numbers: inout Numbers) {
        self.init(label, weight, numbers.tensor(40, weight.columns))
    }

    /// - Parameter x: 40 rows.
    init(_ label: String, _ weight: StoredRows, _ x: Tensor) {
        self.label = label
        self.weight = weight
        self.x = x
        let decoded = Matrix(weight.decoded())
        expected = (
            Matrix(x).timesTransposed(decoded), Matrix(x).absolute.timesTransposed(decoded.absolute)
        )
    }

    init(_ format: StoredFormat, depth: Int) throws {
        var numbers = Numbers(UInt64(format.code) * 10_000 + UInt64(depth))
        let weight = try numbers.stored(format, 37, depth)
        self.init("\(format), depth \(depth)", weight, &numbers)
    }

    /// - Parameter roundingOfTerms: share of the terms' norm that sums may be off by as well. Panels of 8 bits have one
    ///   scale for 128 depths, so that sub-blocks much smaller than the largest lose digits; a sum that overflows is off by
    ///   about its terms.
    func check(roundingOfTerms: Double = 0) {
        for name in CPU.supportedInstructionSets {
            #expect(CPU.shared.use(instructionSet: name))
            for rows in Array(1...9) + [40] {
                for usesIntegers in [false, true] {
                    let out = Tensor(uninitialized: rows, weight.rows)
                    StoredProduct.multiply(
                        x.rows(0..<rows), [weight], offsets: [0, rows], into: out, usesIntegers: usesIntegers)
                    let label = "\(label), \(rows) rows"
                    let range = 0..<rows
                    if usesIntegers {
                        expectNear(
                            out, expected.value.rows(range), label, terms: expected.terms.rows(range),
                            roundingOfTerms: roundingOfTerms)
                    } else {
                        expectClose(
                            out, expected.value.rows(range), terms: expected.terms.rows(range),
                            .sums(storedIn: .float32), label)
                    }
                }
            }
        }
    }
}

/// Three groups, one of them empty and one with few rows, each with a weight of two pieces, added to a base.
private struct GroupedCase {
    let format: StoredFormat
    let pieces: [StoredRows]
    let x: Tensor
    let base: Tensor
    let offsets = [0, 3, 3, 20]
    let expected: Matrix

    init(_ format: StoredFormat) throws {
        var numbers = Numbers(23)
        self.format = format
        pieces = try (0..<3).flatMap { _ in
            [try numbers.stored(format, 35, 256), try numbers.stored(format, 6, 256)]
        }
        x = numbers.tensor(20, 256)
        base = numbers.tensor(20, 41)
        var expected = Matrix(base)
        for group in 0..<3 {
            let rows = offsets[group]..<offsets[group + 1]
            var column = 0
            for piece in pieces[2 * group..<2 * group + 2] {
                let product = Matrix(x).rows(rows).timesTransposed(Matrix(piece.decoded()))
                for row in 0..<product.rows {
                    for index in 0..<product.columns {
                        expected[rows.lowerBound + row, column + index] += product[row, index]
                    }
                }
                column += piece.rows
            }
        }
        self.expected = expected
    }

    func check() {
        for name in CPU.supportedInstructionSets {
            #expect(CPU.shared.use(instructionSet: name))
            for usesIntegers in [false, true] {
                let out = Tensor(uninitialized: 20, 41)
                StoredProduct.multiply(x, pieces, offsets: offsets, into: out, base: base, usesIntegers: usesIntegers)
                if usesIntegers {
                    expectNear(out, expected, "\(format), groups")
                } else {
                    let terms = expected.map { _ in 256 * 4 }
                    expectClose(out, expected, terms: terms, .sums(storedIn: .float32), "\(format), groups")
                }
            }
        }
    }
}

/// Records an issue if the error of `got` is more than 1.5 % of `want`, both as root mean squares, and what `terms` allow.
func expectNear(
    _ got: Tensor, _ want: Matrix, _ label: String, terms: Matrix? = nil, roundingOfTerms: Double = 0,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    var (error, size) = (0.0, 0.0)
    for (value, wanted) in zip(got.values, want.values) {
        error += (Double(value) - wanted) * (Double(value) - wanted)
        size += wanted * wanted
    }
    let rounding = roundingOfTerms * (terms?.values.reduce(0) { $0 + $1 * $1 } ?? 0).squareRoot()
    let relative = (error / size).squareRoot()
    if !(error.squareRoot() <= 0.015 * size.squareRoot() + rounding) {
        Issue.record(
            "\(label) on \(CPU.shared.instructionSet): error \(relative) of the root mean square",
            sourceLocation: sourceLocation)
    }
}
