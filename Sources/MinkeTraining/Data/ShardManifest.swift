import MinkeFiles

/// What a folder of prepared tokens holds and what it was made from; the last file written to it.
public struct ShardManifest: Equatable, Sendable {
    /// One shard file.
    public struct Shard: Equatable, Sendable {
        public let tokens: Int
        /// SHA-256 of the file, in hexadecimal.
        public let sha256: String
    }

    /// What one split holds.
    public struct Split: Equatable, Sendable {
        public internal(set) var documents = 0
        /// Bytes of text.
        public internal(set) var bytes = 0
        /// Bytes of the text that the tokens stand for; other than ``bytes`` only for a tokenizer that alters text.
        public internal(set) var decodedBytes = 0
        /// SHA-256 over the length and the text of every document in order, in hexadecimal.
        public internal(set) var sha256 = ""
        public internal(set) var shards: [Shard] = []

        /// The number of tokens.
        public var tokens: Int { shards.reduce(0) { $0 + $1.tokens } }
    }

    static let fileName = "manifest.json"
    static let format = "minke-token-shards"
    static let version = 1

    /// See ``CorpusEncoder/fingerprint``.
    public let tokenizerFingerprint: String
    public let vocabularySize: Int
    /// The rule that divided the text, and its fraction.
    public let splitRule: JSON
    /// Everything that was asked for: options, sources with size and modification time, tokenizer. Prepared tokens
    /// serve again as long as the same is asked for.
    public let request: JSON
    public let train: Split
    public let validation: Split

    /// A hash of the text, its split and the tokenizer, wherever the files lie and whatever their dates.
    ///
    /// A run that resumes with another one would not continue the same training.
    public var corpusFingerprint: String {
        let parts = [
            "\(Self.format) \(Self.version)", tokenizerFingerprint, splitRule.text(),
            "\(train.sha256) \(train.documents) \(train.tokens)",
            "\(validation.sha256) \(validation.documents) \(validation.tokens)",
        ]
        return Array(parts.joined(separator: "\n").utf8).withUnsafeBytes { SHA256.hexadecimal(of: $0) }
    }
}

extension ShardManifest {
    var json: JSON {
        [
            "format": .string(Self.format),
            "version": .integer(Self.version),
            "corpus_fingerprint": .string(corpusFingerprint),
            "tokenizer_fingerprint": .string(tokenizerFingerprint),
            "vocabulary_size": .integer(vocabularySize),
            "split": splitRule,
            "train": train.json,
            "validation": validation.json,
            "request": request,
        ]
    }

    /// Reads a manifest.
    ///
    /// - Throws: ``InputError`` naming the key that is missing or wrong.
    init(_ json: JSON) throws {
        guard json["format"]?.stringValue == Self.format else {
            throw InputError("not a manifest of prepared tokens", at: "format")
        }
        guard json["version"]?.intValue == Self.version else {
            throw InputError("prepared by another version", at: "version")
        }
        tokenizerFingerprint = try json.string("tokenizer_fingerprint")
        vocabularySize = try json.count("vocabulary_size")
        splitRule = json["split"] ?? .null
        request = json["request"] ?? .null
        train = try Split(json["train"] ?? .null, key: "train")
        validation = try Split(json["validation"] ?? .null, key: "validation")
    }
}

extension ShardManifest.Split {
    fileprivate var json: JSON {
        [
            "documents": .integer(documents),
            "bytes": .integer(bytes),
            "decoded_bytes": .integer(decodedBytes),
            "tokens": .integer(tokens),
            "sha256": .string(sha256),
            "shards": .array(shards.map { ["tokens": .integer($0.tokens), "sha256": .string($0.sha256)] }),
        ]
    }

    fileprivate init(_ json: JSON, key: String) throws {
        do {
            documents = try json.count("documents")
            bytes = try json.count("bytes")
            decodedBytes = try json.count("decoded_bytes")
            sha256 = try json.string("sha256")
            var total = 0
            shards = try (json["shards"]?.arrayValue ?? []).map { shard in
                let tokens = try shard.count("tokens")
                let sum = total.addingReportingOverflow(tokens)
                guard !sum.overflow else { throw InputError("more tokens than can be counted", at: "shards") }
                total = sum.partialValue
                return ShardManifest.Shard(tokens: tokens, sha256: try shard.string("sha256"))
            }
            guard total == json["tokens"]?.intValue else {
                throw InputError("the shards' tokens do not add up to it", at: "tokens")
            }
        } catch let error as InputError {
            throw error.located(at: key)
        }
    }
}

extension JSON {
    fileprivate func string(_ key: String) throws -> String {
        guard let value = self[key]?.stringValue else { throw InputError("a string is missing", at: key) }
        return value
    }

    fileprivate func count(_ key: String) throws -> Int {
        guard let value = self[key]?.intValue, value >= 0 else { throw InputError("a count is missing", at: key) }
        return value
    }
}
