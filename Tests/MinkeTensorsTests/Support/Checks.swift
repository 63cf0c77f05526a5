import Testing

@testable import MinkeTensors

/// Numbers that are the same in every run (SplitMix64).
struct Numbers {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    private mutating func bits() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number in -1..<1.
    mutating func next() -> Float { Float(Int64(bitPattern: bits()) >> 40) / Float(1 << 23) }

    mutating func below(_ limit: Int) -> Int { Int(bits() % UInt64(limit)) }

    mutating func tensor(_ rows: Int, _ columns: Int, type: ElementType = .float32, scale: Float = 1) -> Tensor {
        Tensor((0..<rows * columns).map { _ in next() * scale }, rows: rows, columns: columns, type: type)
    }

    /// A parameter whose values are exact in `type`, so that rounding its packed copies changes nothing.
    mutating func parameter(_ rows: Int, _ columns: Int, exactIn type: ElementType = .float32, groups: Int = 1)
        -> Parameter
    {
        let value = tensor(rows, columns, type: type)
        return Parameter("w", Tensor(value.values, rows: rows, columns: columns), groups: groups)
    }
}

/// How far a result may be from the expected value.
struct Tolerance {
    /// Relative to the sum of the magnitudes of the terms.
    var terms: Double
    /// Relative to the value: rounding of the stored result.
    var value: Double

    /// Sums in `float32`, stored in `type`.
    static func sums(storedIn type: ElementType) -> Tolerance {
        Tolerance(terms: 2e-6, value: type == .bfloat16 ? 1.0 / 250 : 2e-6)
    }
}

/// Records one issue, for the worst element, if `got` is not `want` within the tolerance.
func expectClose(
    _ got: Tensor?, _ want: Matrix, terms: Matrix? = nil, _ tolerance: Tolerance, _ label: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard let got else {
        Issue.record("\(label): there is no result", sourceLocation: sourceLocation)
        return
    }
    guard got.rows == want.rows, got.columns == want.columns else {
        Issue.record(
            "\(label): [\(got.rows), \(got.columns)] instead of [\(want.rows), \(want.columns)]",
            sourceLocation: sourceLocation)
        return
    }
    let values = got.values
    let magnitudes = terms?.values ?? want.values
    var worst = (excess: 0.0, index: -1)
    for index in values.indices {
        let wanted = want.values[index]
        let error = abs(Double(values[index]) - wanted)
        let allowed = tolerance.terms * abs(magnitudes[index]) + tolerance.value * abs(wanted) + 1e-7
        let excess = error.isNaN ? .infinity : error / allowed
        if excess > max(1, worst.excess) { worst = (excess, index) }
    }
    if worst.index >= 0 {
        let (row, column) = worst.index.quotientAndRemainder(dividingBy: max(1, got.columns))
        Issue.record(
            """
            \(label) on \(CPU.shared.instructionSet): \(values[worst.index]) instead of \
            \(want.values[worst.index]) at [\(row), \(column)], \(worst.excess) times the tolerance
            """, sourceLocation: sourceLocation)
    }
}

/// Runs `body` with the kernels of every instruction set of this processor and both types.
///
/// The kernels are the process's, so this belongs in a process of its own (`#expect(processExitsWith:)`), where no other
/// test sees them change.
func onEveryInstructionSet(_ body: (ElementType) -> Void) {
    for name in CPU.supportedInstructionSets {
        #expect(CPU.shared.use(instructionSet: name))
        #expect(CPU.shared.instructionSet == name)
        for type in [ElementType.float32, .bfloat16] { body(type) }
    }
}
