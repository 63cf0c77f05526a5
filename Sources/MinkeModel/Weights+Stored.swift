import MinkeCheckpoints
import MinkeFiles
import MinkeTensors

extension WeightBuilder {
    /// The checkpoint whose matrices stay where they are, if they shall.
    var storedCheckpoint: Checkpoint? {
        if options.keepsStoredWeights, case .checkpoint(let checkpoint, _) = source { checkpoint } else { nil }
    }

    /// The rows of a matrix: as they lie in the checkpoint, or read into memory where a plan says how much there is, so
    /// that the system cannot drop them.
    func storedRows(_ name: String, in checkpoint: Checkpoint) throws -> StoredRows {
        let mapped = try mappedRows(name, in: checkpoint)
        guard expertCache != nil, try !isDecoded(name, in: checkpoint), let place = try place(of: name, in: checkpoint)
        else { return mapped }
        let memory = try AlignedMemory(bytes: DirectFile.room(for: place.range))
        try place.file.read(place.range, into: memory.pointer)
        return mapped.relocated(to: memory.pointer + DirectFile.lead(of: place.range), owner: memory)
    }

    /// Where a tensor lies on disk; nil for one that does not.
    func place(of name: String, in checkpoint: Checkpoint) throws -> ExpertCache.Place? {
        guard let (path, range) = try checkpoint.tensor(name).place else { return nil }
        let file = try files[path] ?? DirectFile(path: path)
        files[path] = file
        return ExpertCache.Place(file: file, range: range)
    }

    /// The experts of one layer in the cache, if there is one.
    ///
    /// - Parameter names: the tensors of an expert: those of `gateUp`'s rows, then `down`'s.
    func streamed(
        _ experts: Int, gateUp: Parameter, down: Parameter, _ activation: ModelConfiguration.Activation,
        _ names: (Int) -> [String]
    ) throws -> StreamedExperts? {
        guard let expertCache, let checkpoint = storedCheckpoint else { return nil }
        if let name = names(0).first, try isDecoded(name, in: checkpoint) {
            throw InputError(
                "experts whose blocks of scales are not made of 128 x 128 cannot be read from disk while they are used",
                at: "\(checkpoint.path): tensor \"\(name)\"", remedy: "give more --memory, or convert the model first")
        }
        let places = try (0..<experts).map { expert in
            try names(expert).map { name in
                guard let place = try place(of: name, in: checkpoint) else {
                    throw InputError("lies in no file", at: "\(checkpoint.path): tensor \"\(name)\"")
                }
                return place
            }
        }
        return StreamedExperts(
            expertCache, first: expertCache.add(layer: places), experts: experts, gateUp: gateUp, down: down,
            activation: activation)
    }

    /// Whether kernels do not know the blocks that share a scale, so that the matrix has to be decoded beforehand.
    private func isDecoded(_ name: String, in checkpoint: Checkpoint) throws -> Bool {
        try MatrixReader(name, in: checkpoint).scales?.fitsKernels == false
    }

    /// The rows of a matrix as they lie in the checkpoint; decoded in memory where kernels cannot read them there.
    func mappedRows(_ name: String, in checkpoint: Checkpoint) throws -> StoredRows {
        let reader = try MatrixReader(name, in: checkpoint)
        if reader.scales?.fitsKernels == false {
            return StoredRows(try reader.decoded(type: options.precision.computeType))
        }
        guard let format = reader.tensor.type.formatCode,
            let rows = StoredRows(
                format: format, bytes: reader.tensor.bytes, rows: reader.rowCount, columns: reader.columns,
                scales: reader.scales?.kernelGrid, owner: reader.tensor.owner)
        else {
            throw InputError(
                "a weight of type \(reader.tensor.type.rawValue) cannot be used in place", at: reader.tensor.location,
                remedy: "convert the model first")
        }
        return rows
    }

    /// The halves of `kv_b_proj` for decoding: as newer GGUF files have them, or cut out of the whole matrix, the key's
    /// half transposed in memory.
    func absorbedProjections(
        _ name: String, heads: Int, keyWidth: Int, valueWidth: Int, rank: Int, in checkpoint: Checkpoint
    ) throws -> AbsorbedProjections {
        let prefix = String(name.dropLast("kv_b_proj.weight".count))
        let keyName = prefix + "k_b_proj.weight"
        let valueName = prefix + "v_b_proj.weight"
        let keys: Parameter
        let values: Parameter
        if let split = try SplitKeyValue(name, in: checkpoint, heads: heads) {
            try split.check(rows: heads * (keyWidth + valueWidth), columns: rank)
            let stored = (
                keys: try storedRows(keyName, in: checkpoint), values: try storedRows(valueName, in: checkpoint)
            )
            guard stored.keys.columns == keyWidth, stored.values.rows == heads * valueWidth else {
                throw InputError(
                    "keys of width \(stored.keys.columns) do not fit the configuration, which needs \(keyWidth)",
                    at: "\(checkpoint.path): tensor \"\(keyName)\"")
            }
            keys = Parameter(
                keyName, stored: (0..<heads).map { stored.keys.rows($0 * rank..<($0 + 1) * rank) }, groups: heads)
            values = Parameter(
                valueName, stored: (0..<heads).map { stored.values.rows($0 * valueWidth..<($0 + 1) * valueWidth) },
                groups: heads)
        } else {
            let height = keyWidth + valueWidth
            try check((name, heads * height), columns: rank, isVector: false, in: checkpoint)
            let whole = try storedRows(name, in: checkpoint)
            let type = options.precision.computeType
            keys = Parameter(
                keyName,
                stored: (0..<heads).map {
                    StoredRows(whole.rows($0 * height..<$0 * height + keyWidth).decoded().transposed(type: type))
                }, groups: heads)
            values = Parameter(
                valueName, stored: (0..<heads).map { whole.rows($0 * height + keyWidth..<($0 + 1) * height) },
                groups: heads)
        }
        add([(keyName, heads * rank)], of: keys, role: .matrix)
        add([(valueName, heads * valueWidth)], of: values, role: .matrix)
        return AbsorbedProjections(keys: keys, values: values, usesIntegers: options.precision == .fast)
    }

    /// Remembers which tensors a stored parameter is made of.
    func add(_ pieces: [(name: String, rows: Int)], of parameter: Parameter, role: WeightRole) {
        var row = 0
        for piece in pieces {
            weights.append(
                NamedWeight(
                    name: piece.name, parameter: parameter, rows: row..<row + piece.rows, isVector: false, role: role))
            row += piece.rows
        }
    }
}
