import Dispatch
import MinkeFiles
import MinkeModel
import MinkeTensors
import MinkeTokenization

/// A model ready for text: weights, tokenizer, and the tokens that end an answer.
///
/// Safe to share: passes through the model run one after the other on a queue of its own, each with all cores, so that
/// several generations take turns token by token.
public final class TextModel: @unchecked Sendable {
    // The model is only touched on the queue; everything else never changes.
    public let configuration: ModelConfiguration
    /// Nil for a folder without `tokenizer.json`: such a model works on token ids.
    public let tokenizer: Tokenizer?
    /// Tokens that end a generation.
    public let stopTokens: Set<Int32>
    /// The type of a generation's cache.
    public let cacheType: CacheType

    /// Whether the checkpoint has a module that can propose tokens.
    public let hasDraftModule: Bool

    private let model: LanguageModel
    private let queue = DispatchQueue(label: "minke.model", qos: .userInitiated)

    /// Loads a Hugging Face folder (`config.json` and safetensors, and if there are any `tokenizer.json`,
    /// `tokenizer_config.json` and `generation_config.json`) or a GGUF file.
    ///
    /// End tokens are those of `generation_config.json`, else of the configuration, else the tokenizer's.
    ///
    /// - Throws: ``InputError`` that names the file and what is wrong with it.
    public convenience init(contentsOf path: String, options: LoadOptions = LoadOptions()) throws {
        let checkpoint = try Checkpoint(path: path)
        // The small files first: what is wrong with them is then said at once.
        let tokenizer = try Self.tokenizer(of: checkpoint)
        var stopTokens: Set<Int32>?
        if case .folder(let folder) = checkpoint, let generation = folder.generationConfiguration {
            stopTokens = try Self.stopTokens(generation, at: FileSystem.join(path, "generation_config.json"))
        }
        stopTokens =
            try stopTokens ?? Self.stopTokens(checkpoint.configuration, at: checkpoint.configurationPath)
        let weightBytes = try checkpoint.storedTensors().reduce(0) { $0 + $1.bytes.count }
        let precision = options.precision(weightBytes: weightBytes)
        let cacheType = options.cacheType(for: precision)
        let plan = try options.memoryPlan(
            checkpoint, checkpoint.modelConfiguration(), precision: precision, cacheType: cacheType)
        // Small models are expanded: their products then read packed copies. A budget counts the weights as they are
        // stored, and whether it streams must not change results.
        let keepsStored =
            precision == .fast || weightBytes >= LoadOptions.exactBytes || options.memory != nil
            || plan?.isStreamed == true
        self.init(
            try LanguageModel(
                contentsOf: checkpoint,
                options: ModelOptions(precision: precision, keepsStoredWeights: keepsStored, memory: plan)),
            tokenizer: tokenizer, stopTokens: stopTokens, cacheType: cacheType)
    }

    /// The tokenizer that comes with a checkpoint.
    private static func tokenizer(of checkpoint: Checkpoint) throws -> Tokenizer? {
        switch checkpoint {
        case .folder(let folder): Tokenizer.exists(in: folder.path) ? try Tokenizer(path: folder.path) : nil
        case .gguf(let model): model.file.hasTokenizer ? try Tokenizer(gguf: model.file) : nil
        }
    }

    /// - Parameters:
    ///   - model: from now on used through this object only.
    ///   - stopTokens: by default the tokenizer's end token, if it has one.
    ///   - cacheType: the type in which a generation's cache keeps its rows.
    public init(
        _ model: LanguageModel, tokenizer: Tokenizer?, stopTokens: Set<Int32>? = nil,
        cacheType: CacheType = .float32
    ) {
        self.model = model
        self.cacheType = cacheType
        hasDraftModule = model.hasDraftModule
        self.tokenizer = tokenizer
        configuration = model.configuration
        self.stopTokens = stopTokens ?? Set([tokenizer?.eosToken].compactMap { $0 })
    }

    /// Tokens of a long text that are run in one pass.
    static let tokensAtOnce = 2048

    /// The model's states for a text, part by part, in bounded memory.
    ///
    /// - Parameter body: called with the number of each part's first token, and its states after the final norm.
    /// - Throws: what `body` throws, and ``InputError`` when weights could not be read.
    public func forEachPart(
        of ids: [Int32], _ body: (LanguageModel, Int, Tensor) throws -> Void
    ) throws {
        try withModel { model in
            let cache = model.makeCache(capacity: ids.count, type: cacheType)
            for first in stride(from: 0, to: ids.count, by: Self.tokensAtOnce) {
                let part = Array(ids[first..<min(ids.count, first + Self.tokensAtOnce)])
                let states = model.extend([part], caches: [cache])
                try model.checkReads()
                try body(model, first, states)
            }
        }
    }

    /// Waits until no one else uses the model, and calls `body` with it. Do not call it from `body`.
    public func withModel<Result>(_ body: (LanguageModel) throws -> Result) rethrows -> Result {
        try queue.sync { try body(model) }
    }

    /// Calls `body` with the model when no one else uses it, and does not wait for that.
    public func enqueue(_ body: @escaping @Sendable (LanguageModel) -> Void) {
        queue.async { body(self.model) }
    }

    /// The same without blocking a thread meanwhile.
    func withModel<Result: Sendable>(_ body: @escaping @Sendable (LanguageModel) throws -> Result) async throws
        -> Result
    {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result { try body(self.model) }) }
        }
    }

    // MARK: Text

    /// The tokens of a prompt, with the token that begins a document where the tokenizer asks for it.
    ///
    /// - Parameter parsingSpecialTokens: whether control tokens written in the text become those tokens.
    /// - Throws: ``InputError`` when the model has no tokenizer.
    public func encode(_ prompt: String, parsingSpecialTokens: Bool = true) throws -> [Int32] {
        guard let tokenizer else {
            throw InputError("the model has no tokenizer.json", remedy: "give token ids, or add the file to its folder")
        }
        let ids = tokenizer.encode(prompt, parsingSpecialTokens: parsingSpecialTokens)
        guard tokenizer.addsBOS, let bos = tokenizer.bosToken, ids.first != bos else { return ids }
        return [bos] + ids
    }

    /// Throws ``InputError`` for an id that the vocabulary does not have.
    public func check(_ ids: some Sequence<Int32>) throws {
        for (place, id) in ids.enumerated() where id < 0 || Int(id) >= configuration.vocabSize {
            throw InputError(
                "token \(place) is \(id), but the model's vocabulary is 0 to \(configuration.vocabSize - 1)")
        }
    }

    /// Continues a prompt.
    ///
    /// - Parameter onPiece: called with each new token; returning false ends the generation.
    public func generate(
        _ prompt: String, options: GenerationOptions = GenerationOptions(),
        onPiece: (GeneratedPiece) throws -> Bool = { _ in true }
    ) throws -> Generation {
        try generate(ids: encode(prompt), options: options, onPiece: onPiece)
    }

    /// Continues a sequence of tokens.
    public func generate(
        ids: [Int32], options: GenerationOptions = GenerationOptions(),
        onPiece: (GeneratedPiece) throws -> Bool = { _ in true }
    ) throws -> Generation {
        try TextGenerator(self).generate(ids, options: options, onPiece: onPiece)
    }

    /// The continuation of a prompt as it comes.
    ///
    /// Tokens are computed as they are asked for; a loop that is left or a task that is cancelled costs nothing more.
    public func stream(_ prompt: String, options: GenerationOptions = GenerationOptions()) throws -> TextStream {
        TextStream(model: self, prompt: try encode(prompt), options: options)
    }

    // MARK: End tokens

    /// `eos_token_id`, a number or a list of them; nil when the key is absent.
    private static func stopTokens(_ json: JSON.Object, at path: String) throws -> Set<Int32>? {
        guard let value = json["eos_token_id"], !value.isNull else { return nil }
        let ids = (value.arrayValue ?? [value]).map { $0.intValue.flatMap { Int32(exactly: $0) } }
        guard !ids.contains(where: { $0 == nil }) else {
            throw InputError("eos_token_id is neither a token id nor a list of them", at: "\(path): eos_token_id")
        }
        return Set(ids.compactMap { $0 })
    }
}
