import MinkeCheckpoints
import MinkeFiles
import MinkeTensors

/// The factors of an FP8 matrix: one for every block of rows and columns, of which those at the edges may be partial
/// (128 by 128 in DeepSeek-V3's checkpoints), one for every row, or one for all.
struct BlockScales: Sendable {
    /// What follows a weight's name in that of its factors. Both are multiplied with the weight, whatever the name says.
    static let suffixes = ["_scale_inv", "_scale"]
    /// The longest side of a block.
    static let longestSide = 1 << 20
    /// The side of the blocks that kernels know.
    private static let kernelSide = 128

    private let factors: [Float]
    /// Factors to a row of blocks.
    private let width: Int
    /// Rows and columns of a block.
    private let block: (rows: Int, columns: Int)
    private let shape: (rows: Int, columns: Int)

    /// - Parameter block: rows and columns of a block, each up to ``longestSide``; nil where the configuration has none.
    /// - Throws: ``InputError`` when there is not one finite factor to every block.
    init(of matrix: StoredTensor, _ scales: StoredTensor, block: (rows: Int, columns: Int)?) throws {
        guard matrix.shape.count == 2, matrix.shape.allSatisfy({ $0 > 0 }) else {
            throw InputError("scales need a matrix, not one of shape \(matrix.shape)", at: scales.location)
        }
        shape = (matrix.shape[0], matrix.shape[1])
        if let block {
            let sides = [block.rows, block.columns]
            guard sides.allSatisfy({ (1...Self.longestSide).contains($0) }),
                scales.shape == zip(matrix.shape, sides).map({ ($0 + $1 - 1) / $1 })
            else {
                throw InputError(
                    "shape \(scales.shape) does not give one scale to every block of \(block.rows) x \(block.columns) in "
                        + "\(matrix.shape)", at: scales.location)
            }
            self.block = block
        } else if scales.elementCount == 1 {
            self.block = shape
        } else if scales.shape == [shape.rows] || scales.shape == [shape.rows, 1] {
            self.block = (1, shape.columns)
        } else {
            throw InputError(
                "shape \(scales.shape) gives one scale neither to \(matrix.shape) nor to every row of it",
                at: scales.location,
                remedy: "other blocks need weight_block_size in the configuration")
        }
        factors = try scales.floats()
        guard factors.allSatisfy(\.isFinite) else {
            throw InputError("holds scales that are not finite (NaN or infinity)", at: scales.location)
        }
        width = (shape.columns + self.block.columns - 1) / self.block.columns
    }

    /// Whether the blocks are made of those that kernels know.
    var fitsKernels: Bool {
        func isMade(_ length: Int, of side: Int) -> Bool { side.isMultiple(of: Self.kernelSide) || side >= length }
        return isMade(shape.rows, of: block.rows) && isMade(shape.columns, of: block.columns)
    }

    /// The factors of blocks of 128 by 128, as kernels take them; nil where blocks are not made of such.
    var kernelGrid: Tensor? {
        guard fitsKernels else { return nil }
        let side = Self.kernelSide
        let (rows, columns) = ((shape.rows + side - 1) / side, (shape.columns + side - 1) / side)
        if block == (side, side) { return Tensor(factors, rows: rows, columns: columns) }
        let values = (0..<rows).flatMap { row in
            (0..<columns).map { factors[row * side / block.rows * width + $0 * side / block.columns] }
        }
        return Tensor(values, rows: rows, columns: columns)
    }

    func apply(to elements: UnsafeMutableBufferPointer<Float>, rows: Range<Int>, columns: Int) {
        for (index, row) in rows.enumerated() {
            for column in 0..<columns {
                elements[index * columns + column] *= factors[row / block.rows * width + column / block.columns]
            }
        }
    }
}
