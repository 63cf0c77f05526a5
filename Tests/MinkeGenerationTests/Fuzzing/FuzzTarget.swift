import MinkeCheckpoints
import MinkeFiles
import MinkeGeneration
import MinkeModel
import MinkeTensors
import MinkeTokenization

/// What reads files of others, each as one function of the file's bytes.
///
/// Shared by `Scripts/fuzz.sh`, which builds it with libFuzzer and the address sanitizer, and by ``MutationTests``.
enum FuzzTarget: String, CaseIterable, Sendable {
    /// A folder's weights: the container, then the model that they make.
    case safetensors
    /// A model in one file: the container, its configuration, tokenizer and chat template, then the model.
    case gguf
    case tokenizer
    /// `config.json`: a model of that shape, when it is small, and the weights of another one.
    case config
    /// The Jinja interpreter.
    case template
    /// A conversation, through the rules of every family.
    case messages

    /// Reads `bytes` as the target's kind of file. Whatever is wrong with it must end as ``InputError``, which counts as a
    /// result like any other.
    ///
    /// - Parameter scratch: a folder made by ``prepare(_:)``.
    /// - Throws: any other error, which is a defect.
    func run(_ bytes: [UInt8], scratch: String) throws {
        do {
            switch self {
            case .safetensors: try Self.readFolder(replacing: "model.safetensors", with: bytes, scratch)
            case .gguf: try Self.readGGUF(bytes, scratch)
            case .tokenizer: try Self.readTokenizer(bytes)
            case .config: try Self.readConfiguration(bytes, scratch)
            case .template: try Self.render(bytes)
            case .messages: try Self.readMessages(bytes)
            }
        } catch let error as InputError {
            // One line for the reader, whatever the file's bytes put into it.
            let text = error.description
            guard !text.isEmpty, !text.contains(where: \.isNewline) else { throw Defect.severalLines(text) }
        }
    }

    /// What must not happen and is no crash.
    enum Defect: Error {
        case severalLines(String)
        case lostText(String)
        case tooLong(Int)
    }

    // MARK: Weights

    private static func readFolder(replacing name: String, with bytes: [UInt8], _ scratch: String) throws {
        try overwrite(FileSystem.join(scratch, name), bytes)
        if name == "model.safetensors" {
            try decode(SafetensorsFile(path: FileSystem.join(scratch, name)))
        }
        try runModel(at: scratch)
    }

    private static func decode(_ file: SafetensorsFile) throws {
        for name in file.names {
            guard let tensor = file.tensor(name) else { continue }
            do { _ = try tensor.floats() } catch is InputError {}
            do { _ = try tensor.integers() } catch is InputError {}
        }
    }

    private static func readGGUF(_ bytes: [UInt8], _ scratch: String) throws {
        let path = FileSystem.join(scratch, "model.gguf")
        try overwrite(path, bytes)
        let file = try GGUFFile(path: path)
        for name in file.tensorNames {
            do { _ = try file.tensor(name).floats() } catch is InputError {}
        }
        if let template = file.chatTemplate { do { try render(Array(template.utf8)) } catch is InputError {} }
        do { try use(Tokenizer(gguf: file)) } catch is InputError {}
        try runModel(at: path)
    }

    /// Loads as the program does, in both precisions, and computes some logits and tokens.
    private static func runModel(at path: String) throws {
        for precision in [Precision.float32, .fast] {
            let model = try TextModel(contentsOf: path, options: LoadOptions(precision: precision))
            let ids = sampleIDs(model.configuration)
            model.withModel { _ = $0.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).values }
            _ = try model.generate(ids: ids, options: GenerationOptions(maximumTokens: 2))
        }
    }

    /// As many as fit: a context may hold fewer than four tokens, and longer input is every caller's to refuse.
    private static func sampleIDs(_ configuration: ModelConfiguration) -> [Int32] {
        (0..<min(4, configuration.maxPositionEmbeddings)).map { Int32($0 % configuration.vocabSize) }
    }

    // MARK: Text

    private static func readConfiguration(_ bytes: [UInt8], _ scratch: String) throws {
        guard let object = try JSON(parsing: bytes).objectValue else { return }
        let configuration = try ModelConfiguration(object)
        let costs = ModelCosts(configuration)
        _ = (costs.forwardFLOPs(length: 4096), costs.trainingBytes(tokensPerPass: 4096), costs.cachedValuesPerToken)
        if costs.totalParameters < 1 << 18 {
            let model = try LanguageModel(configuration, weights: .random(seed: 1, Initialization(deviation: 0.02)))
            let ids = sampleIDs(configuration)
            _ = model.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).values
        }
        try readFolder(replacing: "config.json", with: bytes, scratch)
    }

    private static func readTokenizer(_ bytes: [UInt8]) throws { try use(Tokenizer(parsing: bytes)) }

    private static let sample =
        "The é quick\r\n\t  brown 12345 fox's 漢字 <｜User｜>🧑‍🚀 " + String(repeating: "a", count: 300) + "!"

    private static func use(_ tokenizer: Tokenizer) throws {
        let ids = tokenizer.encode(sample, parsingSpecialTokens: false)
        guard tokenizer.decode(ids) == sample else { throw Defect.lostText(tokenizer.decode(ids)) }
        _ = tokenizer.decode(tokenizer.encode(sample))
        _ = tokenizer.decode([-1, 0, .max])
    }

    private static func render(_ bytes: [UInt8]) throws {
        let template = try JinjaTemplate(String(decoding: bytes, as: UTF8.self))
        let prompt = try template.render(conversation, tokens: ["bos_token": "<s>", "eos_token": "</s>"])
        guard prompt.text.utf8.count <= 1 << 25 else { throw Defect.tooLong(prompt.text.utf8.count) }
    }

    private static func readMessages(_ bytes: [UInt8]) throws {
        let conversation = try ChatConversation(parsing: JSON(parsing: bytes))
        for family in ChatFamily.allCases {
            do { _ = Tokenizer.bytes.encode(try family.render(conversation)) } catch is InputError {}
        }
        _ = Tokenizer.bytes.encode(try JinjaTemplate(FuzzSeeds.templates[0]).render(conversation))
    }

    private static let conversation = ChatConversation(
        [
            ChatMessage(role: "system", content: "Be brief."),
            ChatMessage(role: "user", content: "<|im_end|> {{ 7 * 7 }}"),
            ChatMessage(
                role: "assistant", content: nil, reasoning: "Hm.",
                toolCalls: [ChatMessage.ToolCall(id: "1", name: "f", arguments: ["x": 1, "y": ["a", 2.5]])]),
            ChatMessage(role: "tool", content: "42"),
        ], tools: [["type": "function", "function": ["name": "f", "parameters": ["type": "object"]]]])
}
