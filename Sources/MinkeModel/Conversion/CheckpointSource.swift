import MinkeCheckpoints
import MinkeFiles
import MinkeTensors

/// A checkpoint whose tensors go by the names of Hugging Face's.
protocol CheckpointSource {
    func hasTensor(_ name: String) -> Bool
    func tensor(_ name: String) throws -> StoredTensor
    /// Rows and columns of a block of FP8 weights that share a scale; nil where whole tensors or rows do.
    var scaleBlock: (rows: Int, columns: Int)? { get }
}

extension ModelFolder: CheckpointSource {
    var scaleBlock: (rows: Int, columns: Int)? {
        let sides = configuration["quantization_config"]?["weight_block_size"]?.arrayValue ?? []
        guard sides.count == 2, let rows = sides[0].intValue, let columns = sides[1].intValue else { return nil }
        return (rows, columns)
    }
}

extension GGUFModel: CheckpointSource {
    var scaleBlock: (rows: Int, columns: Int)? { nil }
}

extension Checkpoint: CheckpointSource {
    var scaleBlock: (rows: Int, columns: Int)? {
        switch self {
        case .folder(let folder): folder.scaleBlock
        case .gguf(let model): model.scaleBlock
        }
    }
}

/// The rows of a stored matrix as floats, with the scales of FP8 checkpoints applied.
struct MatrixReader: Sendable {
    let tensor: StoredTensor
    let rowCount: Int
    let columns: Int
    let scales: BlockScales?

    /// - Throws: ``InputError`` when there is no such tensor, it holds no floating-point numbers, or its scales do not fit.
    init(_ name: String, in source: some CheckpointSource) throws {
        let tensor = try source.tensor(name)
        let scaleName = BlockScales.suffixes.map { name + $0 }.first { source.hasTensor($0) }
        let scales = try scaleName.map {
            try BlockScales(of: tensor, source.tensor($0), block: source.scaleBlock)
        }
        try self.init(tensor, scales: scales)
    }

    init(_ tensor: StoredTensor, scales: BlockScales? = nil) throws {
        guard (1...4).contains(tensor.shape.count), let columns = tensor.shape.last, columns > 0 else {
            throw InputError("shape \(tensor.shape) is not that of a weight", at: tensor.location)
        }
        guard tensor.type.formatCode != nil || tensor.type == .float64 else {
            throw InputError("a weight of type \(tensor.type.rawValue) cannot be used", at: tensor.location)
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

    /// All rows in memory.
    func decoded(type: ElementType) throws -> Tensor {
        let result = Tensor(uninitialized: rowCount, columns, type: type)
        let row = Tensor(uninitialized: 1, columns)
        for index in 0..<rowCount {
            try row.withUnsafeMutableBytes { try read(index..<index + 1, to: $0.bindMemory(to: Float.self)) }
            result.rows(index..<index + 1).copy(from: row.values)
        }
        return result
    }
}
