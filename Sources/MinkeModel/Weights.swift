import MinkeCheckpoints
import MinkeFiles
import MinkeTensors

/// What a weight is for, where the optimiser or the checkpoint treats kinds of weights differently.
public enum WeightRole: Sendable {
    /// A matrix of the body: attention projections, feed-forward layers, experts.
    case matrix
    /// A matrix whose output is added to the residual stream.
    case outputMatrix
    case router
    case embedding
    /// A table of which a pass reads few rows: n-grams and value embeddings.
    case table
    case head
    case norm
    case bias
    /// The router's correction bias: changed by the balancing rule, never by gradients.
    case correctionBias
}

/// One tensor of a checkpoint: some rows of a parameter.
public struct NamedWeight {
    /// The name on disk.
    public let name: String
    public let parameter: Parameter
    /// Rows of the parameter's value.
    public let rows: Range<Int>
    /// One-dimensional on disk.
    public let isVector: Bool
    public let role: WeightRole

    public var shape: [Int] { isVector ? [parameter.columns] : [rows.count, parameter.columns] }
    public var count: Int { rows.count * parameter.columns }
    /// The rows, sharing memory.
    public var value: Tensor { parameter.value.rows(rows) }
    /// The rows of the gradient, if there is one.
    public var gradient: Tensor? { parameter.gradient?.rows(rows) }
}

/// Where the values of new parameters come from.
public enum WeightSource {
    /// Files on disk; `heads` says how halves of key-value projections join.
    case checkpoint(Checkpoint, heads: Int)
    /// Normal numbers of the configuration's deviation, a function of the seed and each weight's name.
    case random(seed: UInt64, Initialization)
}

/// How weights start.
public struct Initialization: Equatable, Sendable {
    /// Standard deviation of matrices, embedding and head.
    public var deviation: Double
    /// Deviation of matrices that write to the residual stream; nil: as the others.
    public var outputDeviation: Double?
    /// Deviation of the output head; nil: as the others.
    public var headDeviation: Double?
    /// Deviation of the embedding; nil: as the others.
    public var embeddingDeviation: Double?

    public init(
        deviation: Double, outputDeviation: Double? = nil, headDeviation: Double? = nil,
        embeddingDeviation: Double? = nil
    ) {
        self.deviation = deviation
        self.outputDeviation = outputDeviation
        self.headDeviation = headDeviation
        self.embeddingDeviation = embeddingDeviation
    }

    func deviation(of role: WeightRole) -> Double {
        switch role {
        case .outputMatrix: outputDeviation ?? deviation
        case .head: headDeviation ?? deviation
        case .embedding: embeddingDeviation ?? deviation
        case .matrix, .router: deviation
        case .norm, .bias, .correctionBias, .table: 0
        }
    }
}

/// Makes parameters one by one and remembers which tensors of the checkpoint they hold.
final class WeightBuilder {
    let source: WeightSource
    let options: ModelOptions
    var weights: [NamedWeight] = []

    /// Holds routed experts where the plan says that not all fit.
    let expertCache: ExpertCache?
    /// The checkpoint's files, opened for reading past the page cache.
    var files: [String: DirectFile] = [:]

    /// - Throws: ``InputError`` when the memory of the options' plan cannot be had.
    init(_ source: WeightSource, _ options: ModelOptions = ModelOptions()) throws {
        self.source = source
        self.options = options
        let streams = options.keepsStoredWeights && options.memory?.isStreamed == true
        expertCache = try streams ? options.memory.map { try ExpertCache($0) } : nil
    }

    /// A vector of `count` values.
    func vector(_ name: String, _ count: Int, role: WeightRole) throws -> Parameter {
        try parameter([(name, 1)], columns: count, role: role, isVector: true)
    }

    /// A matrix made of one or more tensors of the checkpoint, one below the other.
    func matrix(_ pieces: [(name: String, rows: Int)], columns: Int, role: WeightRole = .matrix) throws -> Parameter {
        try parameter(pieces, columns: columns, role: role)
    }

    /// The same matrix for every one of `groups`: `pieces(group)` names its tensors.
    func stacked(
        _ groups: Int, columns: Int, role: WeightRole = .matrix, _ pieces: (Int) -> [(name: String, rows: Int)]
    ) throws -> Parameter {
        try parameter((0..<groups).flatMap(pieces), columns: columns, groups: groups, role: role)
    }

    /// Vectors joined to one (the biases of joined matrices).
    func joinedVector(_ pieces: [(name: String, count: Int)], role: WeightRole) throws -> [Parameter] {
        try pieces.map { try vector($0.name, $0.count, role: role) }
    }

    private func parameter(
        _ pieces: [(name: String, rows: Int)], columns: Int, groups: Int = 1, role: WeightRole, isVector: Bool = false
    ) throws -> Parameter {
        let rows = pieces.reduce(0) { $0 + $1.rows }
        if case .checkpoint(let checkpoint, let heads) = source {
            // Shapes are checked before anything of their size is allocated.
            for piece in pieces {
                if let split = try SplitKeyValue(piece.name, in: checkpoint, heads: heads) {
                    try split.check(rows: piece.rows, columns: columns)
                } else {
                    try check(piece, columns: columns, isVector: isVector, in: checkpoint)
                }
            }
        }
        if let checkpoint = storedCheckpoint, !isVector {
            // Of streamed experts only the shapes are taken from the mapping: their bytes are never touched there.
            let stored = try pieces.map {
                try groups > 1 ? mappedRows($0.name, in: checkpoint) : storedRows($0.name, in: checkpoint)
            }
            let parameter = Parameter(pieces[0].name, stored: stored, groups: groups)
            add(pieces, of: parameter, role: role)
            return parameter
        }
        let parameter = Parameter(
            pieces[0].name, Tensor(uninitialized: rows, columns), groups: groups, hasRowGradients: role == .table)
        var row = 0
        for piece in pieces {
            let weight = NamedWeight(
                name: piece.name, parameter: parameter, rows: row..<row + piece.rows, isVector: isVector, role: role)
            try fill(weight)
            weights.append(weight)
            row += piece.rows
        }
        parameter.isTrainable = role != .correctionBias
        return parameter
    }

    func check(
        _ piece: (name: String, rows: Int), columns: Int, isVector: Bool, in checkpoint: Checkpoint
    ) throws {
        let tensor = try checkpoint.tensor(piece.name)
        let expected = isVector ? [columns] : [piece.rows, columns]
        guard tensor.shape == expected else {
            throw InputError(
                "shape \(tensor.shape) does not fit the configuration, which needs \(expected)", at: tensor.location)
        }
        _ = try MatrixReader(piece.name, in: checkpoint)
    }

    private func fill(_ weight: NamedWeight) throws {
        switch source {
        case .checkpoint(let checkpoint, let heads):
            if let split = try SplitKeyValue(weight.name, in: checkpoint, heads: heads) {
                try weight.value.withUnsafeMutableBytes { try split.copyFloats(to: $0.bindMemory(to: Float.self)) }
                return
            }
            let reader = try MatrixReader(weight.name, in: checkpoint)
            try weight.value.withUnsafeMutableBytes {
                try reader.read(0..<reader.rowCount, to: $0.bindMemory(to: Float.self))
            }
            guard weight.value.isFinite else {
                throw InputError("holds values that are not finite (NaN or infinity)", at: reader.tensor.location)
            }
        case .random(let seed, let initialization):
            let deviation = Float(initialization.deviation(of: weight.role))
            let constant: Float? = weight.role == .norm ? 1 : deviation == 0 ? 0 : nil
            weight.value.withUnsafeMutableBytes { bytes in
                var random = CounterRandom(seed: seed, purpose: weight.name)
                for index in bytes.bindMemory(to: Float.self).indices {
                    bytes.bindMemory(to: Float.self)[index] = constant ?? random.normal() * deviation
                }
            }
        }
    }
}
