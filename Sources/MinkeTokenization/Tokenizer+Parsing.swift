import MinkeFiles

extension Tokenizer {
    /// Reads a `tokenizer.json` of the `tokenizers` library with a byte-level BPE model.
    ///
    /// - Parameters:
    ///   - json: the content of `tokenizer.json`.
    ///   - configuration: the content of `tokenizer_config.json`, which names the tokens for beginning, end and padding;
    ///     without it they are recognised by their usual names.
    /// - Throws: ``InputError`` whose location is a key of the file, for what is wrong and for what is not supported.
    public convenience init(parsing json: JSON, configuration: JSON? = nil) throws {
        guard let model = json["model"], model.objectValue != nil else {
            throw InputError("there is no model", at: "model", remedy: "is this a tokenizer.json?")
        }
        try Self.checkModel(model)
        try Self.checkNormalizer(json["normalizer"])
        guard let decoder = json["decoder"],
            Self.flattened(decoder, "decoders").allSatisfy({ $0["type"] == "ByteLevel" })
        else {
            throw InputError("the decoder is not ByteLevel, the only one supported", at: "decoder")
        }
        guard let preTokenizer = json["pre_tokenizer"], !preTokenizer.isNull else {
            throw InputError("there is no pre-tokenizer; at least ByteLevel is needed", at: "pre_tokenizer")
        }
        let addedTokens = try (json["added_tokens"]?.arrayValue ?? []).enumerated().map { index, entry in
            try AddedToken(parsing: entry, at: "added_tokens[\(index)]")
        }
        let spellings = try Self.spellings(model["vocab"])
        var roles = try TokenRoles(configuration: configuration)
        if try Self.templateBegins(json["post_processor"]) { roles.addsBOS = true }
        try self.init(
            spellings: spellings,
            rules: MergeRules(Self.rules(model["merges"], spellings: spellings, added: addedTokens)),
            addedTokens: addedTokens, preTokenizer: PreTokenizer(parsing: preTokenizer), roles: roles,
            ignoresMerges: model["ignore_merges"]?.boolValue ?? false)
    }

    /// Reads the text of a `tokenizer.json`. See ``init(parsing:configuration:)``.
    public convenience init(parsing bytes: UnsafeRawBufferPointer, configuration: JSON? = nil) throws {
        try self.init(parsing: JSON(parsing: bytes), configuration: configuration)
    }

    /// Reads the text of a `tokenizer.json`. See ``init(parsing:configuration:)``.
    public convenience init(parsing bytes: [UInt8], configuration: JSON? = nil) throws {
        try self.init(parsing: JSON(parsing: bytes), configuration: configuration)
    }

    private static func checkModel(_ model: JSON) throws {
        if let type = model["type"], type != "BPE" {
            throw InputError("the model type \(type.text()) is not supported, only \"BPE\"", at: "model.type")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let text = model[key]?.stringValue, !text.isEmpty {
                throw InputError("a \(key) is not supported", at: "model.\(key)")
            }
        }
        if model["byte_fallback"]?.boolValue == true {
            throw InputError(
                "byte_fallback is not supported; only byte-level vocabularies are", at: "model.byte_fallback")
        }
        if let dropout = model["dropout"]?.doubleValue, dropout != 0 {
            throw InputError("dropout is not supported", at: "model.dropout")
        }
    }

    private static func checkNormalizer(_ normalizer: JSON?) throws {
        for entry in flattened(normalizer ?? .null, "normalizers") {
            throw InputError(
                "the normalizer \(entry["type"]?.text() ?? "without type") is not supported", at: "normalizer")
        }
    }

    /// The entries of a possibly nested `Sequence`, whose list is under `key`; none for `null`.
    private static func flattened(_ json: JSON, _ key: String) -> [JSON] {
        if json.isNull { return [] }
        guard json["type"] == "Sequence", let entries = json[key]?.arrayValue else { return [json] }
        return entries.flatMap { flattened($0, key) }
    }

    /// Whether the post-processor puts a special token in front of a text.
    private static func templateBegins(_ postProcessor: JSON?) throws -> Bool {
        var begins = false
        for entry in flattened(postProcessor ?? .null, "processors") {
            switch entry["type"]?.stringValue {
            case "ByteLevel": break
            case "TemplateProcessing": begins = begins || entry["single"]?.arrayValue?.first?["SpecialToken"] != nil
            default:
                throw InputError(
                    "the post-processor \(entry["type"]?.text() ?? "without type") is not supported",
                    at: "post_processor")
            }
        }
        return begins
    }

    private static func spellings(_ vocabulary: JSON?) throws -> [(spelling: String, id: Int)] {
        guard let object = vocabulary?.objectValue else {
            throw InputError("the vocabulary is not an object of tokens and ids", at: "model.vocab")
        }
        var spellings: [(spelling: String, id: Int)] = []
        spellings.reserveCapacity(object.count)
        for (spelling, value) in object {
            guard let id = value.intValue, id < Int(Int32.max) else {
                throw InputError("the token \(spelling.prefix(60)) has no valid id", at: "model.vocab")
            }
            spellings.append((spelling, id))
        }
        return spellings
    }

    /// The merges of the file with the ids of their three tokens.
    private static func rules(
        _ merges: JSON?, spellings: [(spelling: String, id: Int)], added: [AddedToken]
    ) throws -> [(left: Int32, right: Int32, result: Int32)] {
        guard let merges = merges?.arrayValue else {
            throw InputError("there is no list of merges", at: "model.merges")
        }
        return try rules(merges, at: "model.merges", spellings: spellings, added: added)
    }

    /// Merges in the order of their ranks, with the ids of their three tokens.
    ///
    /// - Parameter place: what the list is called, for messages.
    static func rules(
        _ merges: some Collection<JSON>, at place: String, spellings: [(spelling: String, id: Int)], added: [AddedToken]
    ) throws -> [(left: Int32, right: Int32, result: Int32)] {
        let tokens = ByteStringTable(capacity: spellings.count)
        var ids: [Int32] = []
        for (spelling, id) in spellings {
            guard let bytes = ByteAlphabet.bytes(spelled: spelling), tokens.insert(bytes).isNew else { continue }
            ids.append(Int32(truncatingIfNeeded: id))
        }
        let addedIDs = Set(added.map(\.id))
        var rules: [(left: Int32, right: Int32, result: Int32)] = []
        rules.reserveCapacity(merges.count)
        for (rank, merge) in merges.enumerated() {
            guard let (left, right) = parts(of: merge) else {
                throw InputError("a merge is not two tokens", at: "\(place)[\(rank)]")
            }
            guard let leftBytes = ByteAlphabet.bytes(spelled: left),
                let rightBytes = ByteAlphabet.bytes(spelled: right),
                let leftIndex = tokens.index(of: leftBytes), let rightIndex = tokens.index(of: rightBytes),
                let index = tokens.index(of: leftBytes + rightBytes)
            else {
                throw InputError(
                    "the merge of \(left.prefix(60)) and \(right.prefix(60)) has tokens that are not in the vocabulary",
                    at: "\(place)[\(rank)]")
            }
            // Added tokens are cut out beforehand, so no merge may produce one: text must not turn into control tokens.
            if addedIDs.contains(ids[index]) { continue }
            rules.append((ids[leftIndex], ids[rightIndex], ids[index]))
        }
        return rules
    }

    /// The two tokens of a merge, written `"a b"` or `["a", "b"]`.
    private static func parts(of merge: JSON) -> (Substring, Substring)? {
        switch merge {
        case .string(let text):
            guard let space = text.utf8.firstIndex(of: UInt8(ascii: " ")) else { return nil }
            let right = text[text.utf8.index(after: space)...]
            return right.utf8.contains(UInt8(ascii: " ")) ? nil : (text[..<space], right)
        case .array(let parts) where parts.count == 2:
            guard let left = parts[0].stringValue, let right = parts[1].stringValue else { return nil }
            return (left[...], right[...])
        default: return nil
        }
    }
}

extension TokenRoles {
    /// Reads the roles from a `tokenizer_config.json`; what it does not name is recognised by its usual name.
    init(configuration: JSON?) throws {
        addsBOS = false
        guard let configuration else { return }
        if let value = configuration["bos_token"] { bos = Self.token(value, key: "bos_token") }
        if let value = configuration["eos_token"] { eos = Self.token(value, key: "eos_token") }
        if let value = configuration["pad_token"] { pad = Self.token(value, key: "pad_token") }
        addsBOS = configuration["add_bos_token"]?.boolValue ?? false
    }

    /// A token given as text or as an object with its `content`; `nil` for JSON's `null`.
    private static func token(_ json: JSON, key: String) -> Token? {
        (json.stringValue ?? json["content"]?.stringValue).map { .named($0, key: key) }
    }
}
