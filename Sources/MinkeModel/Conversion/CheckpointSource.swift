import MinkeCheckpoints
import MinkeFiles

/// A checkpoint whose tensors go by the names of Hugging Face's.
protocol CheckpointSource {
    func hasTensor(_ name: String) -> Bool
    func tensor(_ name: String) throws -> StoredTensor
}

extension ModelFolder: CheckpointSource {}
extension GGUFModel: CheckpointSource {}

/// The rows of a stored matrix as floats, with the scales of FP8 checkpoints applied.
struct MatrixReader: Sendable {
    let tensor: StoredTensor
    let rowCount: Int
    let columns: Int
    private let scales: BlockScales?

    /// - Throws: ``InputError`` when there is no such tensor, it holds no floating-point numbers, or its scales do not fit.
    init(_ name: String, in source: some CheckpointSource) throws {
        let tensor = try source.tensor(name)
        let scaleName = name + "_scale_inv"
        let scales = source.hasTensor(scaleName) ? try BlockScales(of: tensor, source.tensor(scaleName)) : nil
        try self.init(tensor, scales: scales)
    }

    init(_ tensor: StoredTensor, scales: BlockScales? = nil) throws {
        guard (1...4).contains(tensor.shape.count), let columns = tensor.shape.last, columns > 0 else {
            throw InputError("shape \(tensor.shape) is not that of a weight", at: tensor.location)
        }
        guard tensor.type.formatCode != nil || tensor.type == .float64 else {
            throw InputError("a weight of type \(tensor.type.rawValue) cannot be converted", at: tensor.location)
        }
        if tensor.type == .float8E4M3, scales == nil {
            throw InputError("FP8 without its scales (\(tensor.name)_scale_inv)", at: tensor.location)
        }
        self.tensor = tensor
        self.columns = columns
        self.scales = scales
        rowCount = tensor.elementCount / columns
    }

    /// Writes rows to `target`, which has room for exactly them.
    func read(_ rows: Range<Int>, to target: UnsafeMutableBufferPointer<Float>) throws {
        try tensor.rows(rows).copyFloats(to: target)
        scales?.apply(to: target, rows: rows, columns: columns)
    }
}

/// One factor for every block of 128 by 128 elements; blocks at the edges may be partial (DeepSeek-V3's FP8 checkpoints).
struct BlockScales: Sendable {
    private static let side = 128
    private let factors: [Float]
    private let width: Int

    init(of matrix: StoredTensor, _ scales: StoredTensor) throws {
        guard matrix.shape.count == 2,
            scales.shape == matrix.shape.map({ ($0 + Self.side - 1) / Self.side })
        else {
            throw InputError(
                "shape \(scales.shape) does not give one scale to every block of 128 x 128 in \(matrix.shape)",
                at: scales.location)
        }
        factors = try scales.floats()
        width = scales.shape[1]
    }

    func apply(to elements: UnsafeMutableBufferPointer<Float>, rows: Range<Int>, columns: Int) {
        for (index, row) in rows.enumerated() {
            for column in 0..<columns {
                elements[index * columns + column] *= factors[row / Self.side * width + column / Self.side]
            }
        }
    }
}
