import MinkeCheckpoints
import MinkeFiles

/// Converts models between Hugging Face folders and GGUF files, and from one type of weights to another.
///
/// One tensor piece after the other: memory stays small whatever the model's size. The target appears whole or not at
/// all.
public struct ModelConverter {
    /// Called now and then with the elements done and those of all weights; what it throws ends the work.
    public typealias Progress = (_ done: Int, _ total: Int) throws -> Void

    /// What a model is converted to.
    public let target: TargetType
    private let progress: Progress

    public init(to target: TargetType, progress: @escaping Progress = { _, _ in }) {
        self.target = target
        self.progress = progress
    }

    // MARK: To GGUF

    /// Converts a Hugging Face folder (F32, F16, BF16, or FP8 with its scales) to a GGUF file.
    ///
    /// - Throws: ``InputError`` naming what is wrong with the folder or cannot be expressed.
    public func convert(folder path: String, toGGUF output: String) throws -> ConversionReport {
        let folder = try ModelFolder(path: path)
        let planner = WeightPlanner(configuration: try Self.configuration(of: folder), source: folder)
        let configuration = planner.configuration
        var (metadata, notes) = try configuration.ggufMetadata(name: FileSystem.name(of: path))
        let vocabulary = try Self.vocabulary(of: path, configuration)
        metadata["general.file_type"] = .uint32(target.fileType)
        metadata["general.quantization_version"] = .uint32(2)
        for key in vocabulary.metadata.keys { metadata[key] = vocabulary.metadata[key] }
        notes += vocabulary.notes + (try Self.notes(on: folder, planner))
        let plans = try planner.ggufPlans()
        return try writeGGUF(plans, metadata, layers: configuration.numHiddenLayers, to: output, notes: notes)
    }

    /// Converts the weights of a GGUF file to other types; everything else stays.
    ///
    /// - Throws: ``InputError`` naming what is wrong with the file.
    public func convert(gguf path: String, toGGUF output: String) throws -> ConversionReport {
        let model = try GGUFModel(path: path)
        let file = model.file
        // A file that nobody can run is not worth hours of work.
        let planner = try Self.planner(of: model)
        _ = try planner.folderPlans()
        var metadata = file.metadata
        for key in metadata.keys where key.hasPrefix("split.") { metadata[key] = nil }
        metadata["general.file_type"] = .uint32(target.fileType)
        metadata["general.quantization_version"] = .uint32(2)
        let plans = try file.tensorNames.map { name in
            let tensor = try file.tensor(name)
            return try WeightPlan(name, kind: WeightKind(ofGGUF: name, shape: tensor.shape), of: MatrixReader(tensor))
        }
        return try writeGGUF(plans, metadata, layers: planner.configuration.numHiddenLayers, to: output, notes: [])
    }

    private func writeGGUF(
        _ plans: [WeightPlan], _ metadata: GGUFMetadata, layers: Int, to output: String, notes: [String]
    ) throws -> ConversionReport {
        let types = plans.map { target.type(ofGGUF: $0.name, shape: $0.shape, layers: layers) }
        return try write(plans, types, notes: notes) { data in
            try GGUFWriter.write(
                to: output, metadata: metadata, tensors: zip(plans, types).map { ($0.name, $1, $0.shape) }, data: data)
        }
    }

    // MARK: To Hugging Face

    /// Converts a GGUF file to a folder with `config.json` and `model.safetensors`. Its
    /// tokenizer is left to `Tokenizer.init(gguf:)`.
    ///
    /// - Throws: ``InputError`` naming what is wrong with the file or cannot be expressed.
    public func convert(gguf path: String, toFolder output: String) throws -> ConversionReport {
        let model = try GGUFModel(path: path)
        let planner = try Self.planner(of: model)
        var configuration = planner.configuration
        let plans = try planner.folderPlans()
        // The rows of queries and keys were put back in transformers' order.
        if configuration.family == .llama { configuration.ropeInterleave = false }
        let report = try writeFolder(plans, configuration.json.objectValue ?? [:], to: output)
        var generation: JSON.Object = ["_from_model_config": true]
        generation["bos_token_id"] = configuration.bosTokenID.map { .integer($0) }
        generation["eos_token_id"] = configuration.eosTokenID.map { .integer($0) }
        try AtomicFile.write(
            JSON.object(generation).text(indented: true) + "\n",
            to: FileSystem.join(output, "generation_config.json"))
        return report
    }

    /// Converts a folder to another type, from FP8 too. Only weights and `config.json` are written.
    ///
    /// - Throws: ``InputError`` naming what is wrong with the folder or cannot be expressed.
    public func convert(folder path: String, toFolder output: String) throws -> ConversionReport {
        let folder = try ModelFolder(path: path)
        let planner = WeightPlanner(configuration: try Self.configuration(of: folder), source: folder)
        var json = folder.configuration
        json["quantization_config"] = nil
        var report = try writeFolder(planner.folderPlans(), json, to: output)
        report.notes += try Self.notes(on: folder, planner)
        return report
    }

    private func writeFolder(
        _ plans: [WeightPlan], _ configuration: JSON.Object, to output: String
    ) throws -> ConversionReport {
        guard target.isPlain else {
            throw InputError(
                "a Hugging Face folder cannot hold \(target.rawValue)", at: output,
                remedy: "choose f32, bf16 or f16, or a name that ends in .gguf")
        }
        var configuration = configuration
        let type: JSON = target == .f32 ? "float32" : target == .f16 ? "float16" : "bfloat16"
        configuration["torch_dtype"] = type
        configuration["dtype"] = type
        // What decides between experts stays exact.
        let types = plans.map { $0.kind == .router && $0.shape.count == 1 ? .float32 : target.base }
        try FileSystem.createDirectory(output)
        try AtomicFile.removeLeftovers(in: output)
        let report = try write(plans, types, notes: []) { data in
            try SafetensorsWriter.write(
                to: FileSystem.join(output, "model.safetensors"),
                tensors: zip(plans, types).map { ($0.name, $1, $0.shape) }, metadata: ["format": "pt"], data: data)
        }
        try AtomicFile.write(
            JSON.object(configuration).text(indented: true) + "\n", to: FileSystem.join(output, "config.json"))
        return report
    }

    // MARK: Common

    private typealias Data = (Int, (UnsafeRawBufferPointer) throws -> Void) throws -> Void

    private func write(
        _ plans: [WeightPlan], _ types: [StoredType], notes: [String], _ body: (Data) throws -> Void
    ) throws -> ConversionReport {
        var report = ConversionReport()
        report.notes = notes
        let total = plans.reduce(0) { $0 + $1.elementCount }
        var done = 0
        try body { index, write in
            let error = try WeightTranscoder.transcode(
                plans[index], to: types[index],
                progress: {
                    done += $0
                    try progress(done, total)
                }, write: write)
            report.add(plans[index], type: types[index], error)
        }
        return report
    }

    private static func planner(of model: GGUFModel) throws -> WeightPlanner<GGUFModel> {
        try located(model.file.path) {
            WeightPlanner(configuration: try ModelConfiguration(model.configuration), source: model)
        }
    }

    /// The configuration of a folder, whose weights may be FP8 with scales.
    private static func configuration(of folder: ModelFolder) throws -> ModelConfiguration {
        try located(FileSystem.join(folder.path, "config.json")) { try ModelConfiguration(folder.configuration) }
    }

    /// Tells of tensors that the configuration knows nothing of.
    private static func notes(on folder: ModelFolder, _ planner: WeightPlanner<ModelFolder>) throws -> [String] {
        let known = Set(try planner.folderPlans().map(\.name))
        let unknown = folder.tensorNames.filter { name in
            !known.contains(name)
                && !BlockScales.suffixes.contains {
                    name.hasSuffix($0) && known.contains(String(name.dropLast($0.count)))
                }
        }
        guard let first = unknown.first else { return [] }
        return ["left out: \(unknown.count) tensors that the configuration does not account for, such as \(first)"]
    }

    private static func vocabulary(of folder: String, _ model: ModelConfiguration) throws -> GGUFVocabulary {
        func json(_ name: String) throws -> JSON? {
            let path = FileSystem.join(folder, name)
            guard FileSystem.exists(path) else { return nil }
            return try located(path) { try JSON(parsing: FileSystem.readAll(path)) }
        }
        guard let tokenizer = try json("tokenizer.json") else { return GGUFVocabulary(model: model) }
        let templatePath = FileSystem.join(folder, "chat_template.jinja")
        let template =
            FileSystem.exists(templatePath)
            ? String(decoding: try FileSystem.readAll(templatePath), as: UTF8.self) : nil
        let options = try json("tokenizer_config.json")
        return try located(FileSystem.join(folder, "tokenizer.json")) {
            try GGUFVocabulary(tokenizer: tokenizer, options: options, chatTemplate: template, model: model)
        }
    }

    private static func located<Result>(_ place: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as InputError {
            throw error.location == place ? error : error.located(at: place)
        }
    }
}
