import MinkeFiles

extension TokenShards {
    /// The most tokens in one shard file.
    public static let tokensPerShard = 64 << 20

    /// Encodes a corpus into a folder, unless the folder already holds just that.
    ///
    /// What was prepared before serves again when tokenizer, options and split are the same and no source has changed
    /// its size or modification time. Documents are separated by ``CorpusEncoder/endOfDocument`` if there is one.
    ///
    /// - Parameters:
    ///   - folder: made if absent. Files in it that are not Minke's are left alone.
    ///   - progress: called every few megabytes; what it throws stops the preparation.
    /// - Throws: ``InputError`` for text that cannot be read, a split without text, a tokenizer that contradicts
    ///   itself, a folder in use, or a full disk. The folder is then incomplete, never wrong.
    public static func prepare(
        _ corpus: Corpus, validation: Validation, encoder: CorpusEncoder, folder: String,
        tokensPerShard: Int = tokensPerShard, progress: @escaping (Progress) throws -> Void = { _ in }
    ) throws -> TokenShards {
        precondition(tokensPerShard > 0, "shards of \(tokensPerShard) tokens")
        guard encoder.tokenByteLengths.count == encoder.vocabularySize else {
            throw InputError(
                "the tokenizer has \(encoder.vocabularySize) tokens but lengths of \(encoder.tokenByteLengths.count)")
        }
        let request = Self.request(corpus, validation: validation, encoder: encoder)
        func prepared() -> TokenShards? {
            guard let shards = try? TokenShards(opening: folder) else { return nil }
            return shards.manifest.request == request ? shards : nil
        }
        // Without the lock first: many runs may begin at once with the same prepared corpus.
        if let prepared = prepared() { return prepared }
        try FileSystem.createDirectory(folder)
        let lock = try FolderLock(folder, for: "preparing tokens")
        defer { withExtendedLifetime(lock) {} }
        if let prepared = prepared() { return prepared }
        try clear(folder)

        var preparation = ShardPreparation(
            encoder: encoder, folder: folder, tokensPerShard: tokensPerShard, progress: progress)
        let (texts, split) = try validation.divide(corpus)
        try preparation.add(texts) { split.trainingBytes(of: $0) }
        if case .corpus(let validation) = validation { try preparation.add(validation) { _ in 0 } }
        let manifest = try preparation.finish(splitRule: split.json, request: request)
        if manifest.train.tokens == 0 { throw InputError("there is no text to train on", remedy: "give more text") }
        try AtomicFile.write(manifest.json.text(indented: true) + "\n", to: manifestPath(in: folder))
        return try TokenShards(opening: folder)
    }

    /// Removes what an earlier preparation left, the manifest first.
    private static func clear(_ folder: String) throws {
        let path = manifestPath(in: folder)
        if FileSystem.exists(path) {
            let json = try? JSON(parsing: FileSystem.readAll(path, limit: 1 << 30))
            guard json?["format"]?.stringValue == ShardManifest.format else {
                throw InputError(
                    "another program's file is in the way", at: path, remedy: "choose another folder for the tokens")
            }
            try FileSystem.remove(path)
        }
        try AtomicFile.removeLeftovers(in: folder)
        for name in try FileSystem.list(folder) where name.hasSuffix(".tokens") {
            if Split.allCases.contains(where: { name.hasPrefix("\($0.rawValue)-") }) {
                try FileSystem.remove(FileSystem.join(folder, name))
            }
        }
    }

    private static func request(_ corpus: Corpus, validation: Validation, encoder: CorpusEncoder) -> JSON {
        var request: JSON.Object = [
            "tokenizer_fingerprint": .string(encoder.fingerprint),
            "vocabulary_size": .integer(encoder.vocabularySize),
            "end_of_document": encoder.endOfDocument.map { .integer(Int($0)) } ?? .null,
            "corpus": corpus.json,
        ]
        switch validation {
        case .fraction(let fraction): request["validation_fraction"] = .number(fraction)
        case .corpus(let corpus): request["validation_corpus"] = corpus.json
        }
        return .object(request)
    }
}

extension TokenShards.Validation {
    /// The texts of a corpus that are for training, wholly or in part, and what part of each is.
    func divide(_ corpus: Corpus) throws -> (texts: Corpus, split: DocumentSplit) {
        switch self {
        case .fraction(let fraction): (corpus, try DocumentSplit(of: corpus, fraction: fraction))
        case .corpus(let validation): (corpus.excluding(validation), .separate)
        }
    }
}

extension Corpus {
    /// Everything that decides what the corpus holds.
    fileprivate var json: JSON {
        [
            "include": .array(options.include.map { .string($0) }),
            "field": .string(options.field),
            "maximum_bytes": options.maximumBytes.map { .integer($0) } ?? .null,
            "sources": .array(
                sources.map { source in
                    [
                        "path": .string(source.path), "name": .string(source.name), "bytes": .integer(source.size),
                        "modified": .integer(source.modified),
                    ]
                }),
        ]
    }
}
