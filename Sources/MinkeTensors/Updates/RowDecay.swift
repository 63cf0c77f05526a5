#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Weight decay of a table whose rows are visited rarely: what a row owes is multiplied in when it is read or updated.
///
/// A dense optimiser multiplies every row with (1 − ηₖ·λ) in every step k. Here the sum L of the factors' logarithms is
/// kept for the table, and for each row its value when the row was last brought up to date: the row stands for its
/// stored values times exp(L − Lr), the same number but for one rounding.
public final class RowDecay {
    /// L, as the sum of two floats so that it can be saved; `[1, 2]`.
    public let total: Tensor
    /// Lr of each row; `[rows, 2]`.
    public let settled: Tensor

    public init(rows: Int) {
        total = Tensor(zeros: 1, 2)
        settled = Tensor(zeros: rows, 2)
    }

    private var logarithm: Double { Double(total.floats[0]) + Double(total.floats[1]) }

    /// Takes note of a step with rate η.
    ///
    /// - Parameter decay: η·λ, below 1.
    func add(_ decay: Double) {
        let sum = logarithm + log1p(-decay)
        total.floats[0] = Float(sum)
        total.floats[1] = Float(sum - Double(Float(sum)))
    }

    /// What the stored values of a row must be multiplied with.
    func factor(row: Int) -> Float {
        let (high, low) = (settled.floats[2 * row], settled.floats[2 * row + 1])
        if high == total.floats[0], low == total.floats[1] { return 1 }
        return Float(exp(logarithm - (Double(high) + Double(low))))
    }

    /// Takes note that a row was multiplied with its factor.
    func settle(row: Int) {
        settled.floats[2 * row] = total.floats[0]
        settled.floats[2 * row + 1] = total.floats[1]
    }

    /// Multiplies all rows of the table with what they owe, so that they can be read without this.
    public func settle(_ table: Parameter) {
        let width = table.columns
        CPU.shared.parallel(settled.rows, chunk: 1024) { rows in
            for row in rows {
                CPU.shared.kernels.scale(table.value.floats + row * width, factor(row: row), Int64(width))
                settle(row: row)
            }
        }
    }
}
