import MinkeCheckpoints
import MinkeFiles

/// One tensor to write, and how its rows are made from those of the source.
struct WeightPlan {
    /// The name in the target.
    let name: String
    /// Dimensions, outermost first.
    let shape: [Int]
    let kind: WeightKind
    /// What the elements take in the source.
    let sourceBytes: Int
    /// Rows that can only be made together: 1, or those of a head.
    let unit: Int
    /// Makes rows that begin and end at whole units.
    let read: (Range<Int>, UnsafeMutableBufferPointer<Float>) throws -> Void

    var columns: Int { shape.last ?? 1 }
    var rowCount: Int { elementCount / columns }
    var elementCount: Int { shape.reduce(1, *) }
}

extension WeightPlan {
    /// The rows as they are, or each from another place.
    ///
    /// - Parameter order: the source's row for a row of the target.
    init(
        _ name: String, shape: [Int]? = nil, kind: WeightKind, of matrix: MatrixReader, order: RotaryOrder? = nil
    ) throws {
        if let order, !matrix.rowCount.isMultiple(of: order.width) {
            throw InputError(
                "its \(matrix.rowCount) rows are no whole heads of \(order.width)", at: matrix.tensor.location)
        }
        self.init(
            name: name, shape: shape ?? matrix.tensor.shape, kind: kind, sourceBytes: matrix.tensor.bytes.count, unit: 1
        ) { rows, target in
            guard let order else { return try matrix.read(rows, to: target) }
            for (index, row) in rows.enumerated() {
                let source = order.source(of: row)
                try matrix.read(source..<source + 1, to: target.part(index, of: matrix.columns))
            }
        }
    }

    /// Matrices of one shape, one after the other.
    init(_ name: String, kind: WeightKind, stacking matrices: [MatrixReader]) throws {
        guard let first = matrices.first else { throw InputError("there is nothing to stack", at: name) }
        for matrix in matrices where matrix.tensor.shape != first.tensor.shape {
            throw InputError(
                "shape \(matrix.tensor.shape) is not that of the other experts, \(first.tensor.shape)",
                at: matrix.tensor.location)
        }
        let (height, columns) = (first.rowCount, first.columns)
        self.init(
            name: name, shape: [matrices.count] + first.tensor.shape, kind: kind,
            sourceBytes: matrices.reduce(0) { $0 + $1.tensor.bytes.count }, unit: 1
        ) { rows, target in
            var row = rows.lowerBound
            while row < rows.upperBound {
                let matrix = row / height
                let end = min(rows.upperBound, (matrix + 1) * height)
                let part = (row - rows.lowerBound) * columns..<(end - rows.lowerBound) * columns
                try matrices[matrix].read(
                    row - matrix * height..<end - matrix * height, to: UnsafeMutableBufferPointer(rebasing: target[part]))
                row = end
            }
        }
    }
}

extension UnsafeMutableBufferPointer<Float> {
    /// The part at `index` when cut into parts of `count` elements.
    func part(_ index: Int, of count: Int) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(rebasing: self[index * count..<(index + 1) * count])
    }
}

/// Reorders the rows of projections to heads between the two ways to pair what rotary embedding rotates: neighbours
/// (GGUF) and halves (Hugging Face's llama).
struct RotaryOrder: Sendable {
    /// Rows of a head.
    let width: Int
    /// Rows of a head that are rotated, the last ones.
    let rotated: Int
    /// Whether the target has neighbours; else it has halves.
    let toNeighbours: Bool

    func source(of row: Int) -> Int {
        let start = row - row % width + width - rotated
        guard row >= start else { return row }
        let (place, half) = (row - start, rotated / 2)
        return start + (toNeighbours ? place % 2 * half + place / 2 : place % half * 2 + place / half)
    }
}
