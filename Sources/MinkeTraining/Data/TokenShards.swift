import MinkeFiles

/// A corpus as tokens, prepared once in a folder of memory-mapped files.
///
/// `train-00000.tokens`, `valid-00000.tokens` and so on hold the tokens in order, little-endian, in two bytes each
/// when the vocabulary has at most 65,536 tokens and in four otherwise. `manifest.json` is written last, so a folder
/// without it is not complete.
public struct TokenShards: Sendable {
    /// What a token is for.
    public enum Split: String, CaseIterable, Sendable {
        case train
        case validation = "valid"
    }

    /// Where the validation text comes from.
    public enum Validation: Sendable {
        /// A share of the corpus, divided as ``DocumentSplit/init(of:fraction:)`` says.
        case fraction(Double)
        /// A corpus of its own, whose files are not trained on even where the training corpus has them too.
        case corpus(Corpus)
    }

    /// How far the preparation has come.
    public struct Progress: Equatable, Sendable {
        /// Bytes of text encoded.
        public internal(set) var textBytes = 0
        public internal(set) var tokens = 0
    }

    public let folder: String
    public let manifest: ShardManifest
    public let train: TokenStream
    public let validation: TokenStream

    /// Opens a folder that was prepared before.
    ///
    /// - Throws: ``InputError`` when the folder is not complete, or a shard has not the length in the manifest.
    public init(opening folder: String) throws {
        let path = Self.manifestPath(in: folder)
        let contents = try FileSystem.readAll(path, limit: 1 << 30)
        do {
            manifest = try ShardManifest(JSON(parsing: contents))
        } catch let error as InputError {
            throw error.located(at: path)
        }
        self.folder = folder
        train = try manifest.train.stream(.train, in: folder, vocabularySize: manifest.vocabularySize)
        validation = try manifest.validation.stream(.validation, in: folder, vocabularySize: manifest.vocabularySize)
    }

    /// See ``ShardManifest/corpusFingerprint``.
    public var corpusFingerprint: String { manifest.corpusFingerprint }

    /// Reads every shard and compares it with its hash in the manifest.
    ///
    /// - Throws: ``InputError`` naming the shard that is damaged.
    public func verify() throws {
        for (split, content) in [(Split.train, manifest.train), (.validation, manifest.validation)] {
            for (index, shard) in content.shards.enumerated() {
                let path = Self.path(of: split, shard: index, in: folder)
                guard try SHA256.hexadecimal(ofFile: path) == shard.sha256 else {
                    throw InputError(
                        "the content is not what was written", at: path,
                        remedy: "delete the folder to have it prepared again")
                }
            }
        }
    }

    static func bytesPerToken(vocabularySize: Int) -> Int {
        vocabularySize <= 1 << 16 ? 2 : 4
    }

    static func manifestPath(in folder: String) -> String {
        FileSystem.join(folder, ShardManifest.fileName)
    }

    static func path(of split: Split, shard: Int, in folder: String) -> String {
        let number = String(shard)
        let padding = String(repeating: "0", count: max(0, 5 - number.utf8.count))
        return FileSystem.join(folder, "\(split.rawValue)-\(padding)\(number).tokens")
    }
}

extension ShardManifest.Split {
    fileprivate func stream(_ split: TokenShards.Split, in folder: String, vocabularySize: Int) throws -> TokenStream {
        try TokenStream(
            shards: shards.enumerated().map { index, shard in
                (TokenShards.path(of: split, shard: index, in: folder), shard.tokens)
            }, vocabularySize: vocabularySize)
    }
}
