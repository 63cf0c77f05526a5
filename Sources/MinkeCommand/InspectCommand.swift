import ArgumentParser
import Minke
import MinkeCheckpoints
import MinkeConsole

/// `minke inspect`
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what a model is made of and what it costs to run.",
        discussion: """
            Counted from the configuration; weights are not read, and a config.json alone will do. Where the weights \
            are there, their types and sizes are told too, and what speed to expect of this machine.

              minke inspect models/whale
              minke inspect models/whale-q4_k_m.gguf
              minke inspect DeepSeek-V3/config.json --json
            """)

    @Argument(help: "A model's folder, a .gguf file, or a config.json.")
    var model: String

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @OptionGroup var memory: MemoryArgument

    func run() throws {
        let summary = try ModelSummary(path: model, memory: memory.bytes)
        try Console.line(json ? JSON.object(summary.json).text() : summary.text)
        try summary.running?.requireEnoughMemory()
    }
}

/// What `inspect` tells of a model.
struct ModelSummary {
    let configuration: ModelConfiguration
    /// How the weights are quantised, in the words of the configuration.
    let quantization: String?
    let costs: ModelCosts
    let tokenizer: Tokenizer?

    /// Nil where the weights are not there, or are of a kind that cannot be read.
    let running: RunningCosts?

    /// - Parameter memory: bytes for weights and cache, if they shall be planned.
    init(path: String, memory: Int? = nil) throws {
        guard FileSystem.exists(path) else { throw InputError("no such file or folder", at: path) }
        if Checkpoint.isGGUF(path) {
            let model = try GGUFModel(path: path)
            let checkpoint = Checkpoint.gguf(model)
            try self.init(
                checkpoint.modelConfiguration(), quantization: nil, tokenizer: Tokenizer(gguf: model.file), checkpoint,
                memory: memory)
            return
        }
        let isFolder = FileSystem.isDirectory(path)
        let file = isFolder ? FileSystem.join(path, "config.json") : path
        guard FileSystem.exists(file) else { throw InputError("config.json is missing from the folder", at: path) }
        let bytes = try FileSystem.readAll(file)
        let configuration: ModelConfiguration
        let quantization: String?
        do {
            guard var object = try JSON(parsing: bytes).objectValue else { throw InputError("is not a JSON object") }
            // Shapes can be told of models whose weights cannot be read.
            quantization = object["quantization_config"].flatMap { $0["quant_method"]?.stringValue }
            object["quantization_config"] = nil
            configuration = try ModelConfiguration(object)
        } catch let error as InputError {
            throw error.located(at: file)
        }
        let folder = FileSystem.directory(of: file)
        let hasWeights = ["model.safetensors", "model.safetensors.index.json"].contains {
            FileSystem.exists(FileSystem.join(folder, $0))
        }
        try self.init(
            configuration, quantization: quantization,
            tokenizer: Tokenizer.exists(in: folder) ? try Tokenizer(path: folder) : nil,
            isFolder && hasWeights ? try Checkpoint(path: folder) : nil, memory: memory)
    }

    private init(
        _ configuration: ModelConfiguration, quantization: String?, tokenizer: Tokenizer?, _ checkpoint: Checkpoint?,
        memory: Int?
    ) throws {
        self.configuration = configuration
        self.quantization = quantization
        self.tokenizer = tokenizer
        let costs = ModelCosts(configuration)
        self.costs = costs
        running = try checkpoint.map { checkpoint in
            let stored = try StoredWeights(checkpoint, configuration)
            // As the model would be opened if nothing else were said.
            let plan = try memory.map {
                let options = LoadOptions(memory: $0)
                let precision = options.precision(weightBytes: stored.bytes)
                return try options.plan(
                    checkpoint, configuration, budget: $0, precision: precision,
                    cacheType: options.cacheType(for: precision))
            }
            return RunningCosts(
                stored, costs, checkpoint, plan: plan,
                disk: plan?.isStreamed == true ? try ReadRate.measure(checkpoint) : nil)
        }
    }

    /// Contexts for which arithmetic is told: some usual ones, and the model's own.
    var contexts: [Int] {
        let longest = configuration.maxPositionEmbeddings
        return [512, 4096, 32_768, 131_072].filter { $0 < longest } + [longest]
    }

    /// Bytes of a weight by the name of its type.
    static let precisions: [(name: String, bytes: Int)] = [("float32", 4), ("bfloat16", 2), ("int8", 1)]

    // MARK: JSON

    var json: JSON.Object {
        var parts = JSON.Object()
        for part in costs.parts { parts[part.name] = ["total": .integer(part.total), "active": .integer(part.active)] }
        var memory = JSON.Object()
        for (name, bytes) in Self.precisions { memory[name] = .integer(costs.totalParameters * bytes) }
        var json: JSON.Object = [
            "architecture": .object(architecture),
            "parameters": [
                "total": .integer(costs.totalParameters), "active": .integer(costs.activeParameters),
                "without_prediction_modules": .integer(mainParameters),
                "parts": .object(parts),
            ],
            "weight_bytes": .object(memory),
            "cache": [
                "values_per_token": .integer(costs.cachedValuesPerToken),
                "bytes_per_token": .integer(costs.cachedValuesPerToken * 4),
                "bytes_per_token_bfloat16": .integer(costs.cachedValuesPerToken * 2),
                "multi_head_values_per_token": .integer(costs.multiHeadCachedValuesPerToken),
                "multi_head_bytes_per_token": .integer(costs.multiHeadCachedValuesPerToken * 4),
                "multi_head_ratio": .number(cacheRatio),
            ],
            "flops_per_token": .array(
                contexts.map {
                    [
                        "context": .integer($0), "forward": .number(costs.forwardFLOPs(length: $0)),
                        "training": .number(costs.trainingFLOPs(length: $0)),
                    ]
                }),
        ]
        if let running { json["stored"] = running.json }
        json["tokenizer"] = tokenizer.map { .object(Self.json(of: $0)) } ?? .null
        return json
    }

    private var architecture: JSON.Object {
        let c = configuration
        var json: JSON.Object = [
            "model_type": .string(c.modelType), "layers": .integer(c.numHiddenLayers),
            "hidden_size": .integer(c.hiddenSize), "heads": .integer(c.numAttentionHeads),
            "vocabulary": .integer(c.vocabSize), "context": .integer(c.maxPositionEmbeddings),
            "attention": c.family.isLatent ? "latent" : "multi-head",
            "prediction_modules": .integer(c.numNextnPredictLayers), "rope_theta": .number(c.ropeTheta),
        ]
        json["kv_lora_rank"] = c.family.isLatent ? .integer(c.kvLoraRank) : .null
        json["q_lora_rank"] = c.qLoraRank.map { .integer($0) } ?? .null
        json["routed_experts"] = .integer(c.nRoutedExperts)
        json["shared_experts"] = .integer(c.nSharedExperts)
        json["experts_per_token"] = .integer(c.numExpertsPerTok)
        json["sparse_layers"] = .integer(sparseLayers)
        json["quantization"] = quantization.map { .string($0) } ?? .null
        json["yarn"] =
            c.yarn.map {
                [
                    "factor": .number($0.factor),
                    "original_context": .integer($0.originalMaxPositionEmbeddings),
                ]
            } ?? .null
        return json
    }

    private static func json(of tokenizer: Tokenizer) -> JSON.Object {
        func token(_ id: Int32?) -> JSON { id.map { .integer(Int($0)) } ?? .null }
        return [
            "vocabulary": .integer(tokenizer.vocabularySize), "added_tokens": .integer(tokenizer.addedTokens.count),
            "bos": token(tokenizer.bosToken), "eos": token(tokenizer.eosToken), "pad": token(tokenizer.padToken),
            "adds_bos": .bool(tokenizer.addsBOS), "fingerprint": .string(tokenizer.fingerprint),
        ]
    }

    /// All weights but those of the prediction modules: the count by which releases are known.
    var mainParameters: Int {
        costs.totalParameters - (costs.parts.first { $0.name == "prediction modules" }?.total ?? 0)
    }

    var sparseLayers: Int {
        (0..<configuration.numHiddenLayers).reduce(0) { $0 + (configuration.isSparse(layer: $1) ? 1 : 0) }
    }

    /// How many times larger the cache of multi-head attention would be.
    var cacheRatio: Double {
        Double(costs.multiHeadCachedValuesPerToken) / Double(max(1, costs.cachedValuesPerToken))
    }
}
