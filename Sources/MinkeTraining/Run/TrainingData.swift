import MinkeFiles
import MinkeTokenization

/// A corpus made ready for training: tokenizer, token shards, and where windows lie.
public struct TrainingData {
    public let tokenizer: Tokenizer
    public let shards: TokenShards
    /// Bytes of text that each token stands for.
    let tokenByteLengths: [Int]

    /// What the user asked to train on.
    public struct Request {
        /// Files, folders, globs.
        public var paths: [String]
        /// Text kept for validation; empty: a share of the corpus.
        public var validationPaths: [String]
        public var options: Corpus.Options

        public init(paths: [String], validationPaths: [String] = [], options: Corpus.Options = .init()) {
            self.paths = paths
            self.validationPaths = validationPaths
            self.options = options
        }
    }

    /// Most bytes of the corpus that a tokenizer is trained on.
    private static let tokenizerBytes = 64 << 20

    /// Finds the texts, makes or reuses the tokenizer, and encodes what is not encoded yet.
    ///
    /// - Parameters:
    ///   - folder: where tokenizer and tokens are kept for the next run.
    ///   - message: told what is being done.
    public static func prepare(
        _ request: Request, configuration: RunConfiguration, folder: String, message: (String) -> Void
    ) throws -> TrainingData {
        let corpus = try Corpus(request.paths, options: request.options)
        try FileSystem.createDirectory(folder)
        let validation: TokenShards.Validation =
            request.validationPaths.isEmpty
            ? .fraction(configuration.validationFraction)
            : .corpus(try Corpus(request.validationPaths, options: request.options))
        let tokenizer: Tokenizer
        switch configuration.tokenizer {
        case .bytes: tokenizer = .bytes
        case .bpe:
            tokenizer = try trained(
                on: corpus, validation: validation, vocabulary: configuration.tokenizerVocabulary, folder: folder,
                message: message)
        }
        let lengths = (0..<Int32(tokenizer.vocabularySize)).map { id in
            tokenizer.isSpecial(id) ? 0 : tokenizer.decodeBytes([id]).count
        }
        let encoder = CorpusEncoder(
            vocabularySize: tokenizer.vocabularySize, fingerprint: tokenizer.fingerprint,
            endOfDocument: tokenizer.eosToken, tokenByteLengths: lengths
        ) {
            let encoder = TokenEncoder(tokenizer)
            return { text in
                var ids: [Int32] = []
                encoder.encode(text, parsingSpecialTokens: false, into: &ids)
                return ids
            }
        }
        let shards = try TokenShards.prepare(
            corpus, validation: validation, encoder: encoder, folder: FileSystem.join(folder, "tokens"))
        guard shards.validation.count > configuration.sequenceLength else {
            throw InputError(
                "the validation text is shorter than one window of \(configuration.sequenceLength) tokens",
                remedy: "give more text, raise validation_fraction or lower sequence_length")
        }
        return TrainingData(tokenizer: tokenizer, shards: shards, tokenByteLengths: lengths)
    }

    /// The tokenizer of an earlier run over the same files, or a new one. It learns from the text for training only: with
    /// words of the validation text in its vocabulary, the validation loss would flatter.
    private static func trained(
        on corpus: Corpus, validation: TokenShards.Validation, vocabulary: Int, folder: String,
        message: (String) -> Void
    ) throws -> Tokenizer {
        let path = FileSystem.join(folder, "tokenizer.json")
        let sourcePath = FileSystem.join(folder, "tokenizer.source.json")
        let source: JSON = [
            "vocabulary": .integer(vocabulary), "sources": identity(of: corpus), "kept_out": identity(of: validation),
        ]
        if FileSystem.exists(path), let known = try? JSON(parsing: FileSystem.readAll(sourcePath)), known == source {
            return try Tokenizer(parsing: FileSystem.readAll(path))
        }
        message("training a tokenizer of \(HumanFormat.grouped(vocabulary)) tokens")
        let trainer = BytePairTrainer()
        var left = tokenizerBytes
        let (texts, split) = try validation.divide(corpus)
        try texts.forEachDocument { document in
            guard left > 0 else { return }
            let part = UnsafeRawBufferPointer(
                rebasing: document.bytes.prefix(min(left, split.trainingBytes(of: document))))
            trainer.addLines(of: part)
            left -= part.count
        }
        let tokenizer = try trainer.train(vocabularySize: vocabulary)
        try AtomicFile.write(tokenizer.json.text() + "\n", to: path)
        try AtomicFile.write(source.text() + "\n", to: sourcePath)
        return tokenizer
    }

    private static func identity(of corpus: Corpus) -> JSON {
        .array(corpus.sources.map { [.string($0.path), .integer($0.size), .integer($0.modified)] })
    }

    private static func identity(of validation: TokenShards.Validation) -> JSON {
        switch validation {
        case .fraction(let fraction): .number(fraction)
        case .corpus(let corpus): identity(of: corpus)
        }
    }

    /// Writes the tokenizer's files into a model folder.
    func writeTokenizer(to folder: String, maximumLength: Int) throws {
        try AtomicFile.write(tokenizer.json.text() + "\n", to: FileSystem.join(folder, "tokenizer.json"))
        try AtomicFile.write(
            tokenizer.configuration(maximumLength: maximumLength).text(indented: true) + "\n",
            to: FileSystem.join(folder, "tokenizer_config.json"))
        try AtomicFile.write(
            tokenizer.specialTokensMap.text(indented: true) + "\n",
            to: FileSystem.join(folder, "special_tokens_map.json"))
    }
}
