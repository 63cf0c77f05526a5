import MinkeCheckpoints
import MinkeFiles

/// A byte-level BPE vocabulary in the keys of a GGUF file, from the files of a Hugging Face tokenizer.
struct GGUFVocabulary {
    /// Entries under `tokenizer.`
    private(set) var metadata = GGUFMetadata()
    /// What could not be said.
    private(set) var notes: [String] = []

    /// Types of tokens, by their numbers in the file.
    private enum Kind { static let normal: Int32 = 1, control: Int32 = 3, userDefined: Int32 = 4, unused: Int32 = 5 }

    /// - Parameters:
    ///   - tokenizer: the content of `tokenizer.json`.
    ///   - options: the content of `tokenizer_config.json`.
    ///   - chatTemplate: a template that stands in a file of its own.
    ///   - model: gives the number of tokens, and those for beginning and end where the tokenizer names none.
    /// - Throws: ``InputError`` whose location is a key of `tokenizer.json`.
    init(tokenizer: JSON, options: JSON?, chatTemplate: String?, model: ModelConfiguration) throws {
        guard let spellings = tokenizer["model"]?["vocab"]?.objectValue,
            let merges = tokenizer["model"]?["merges"]?.arrayValue
        else { throw InputError("is not a BPE vocabulary with its merges", at: "model") }
        let count = model.vocabSize
        var tokens = (0..<count).map { "[PAD\($0)]" }
        var types = [Int32](repeating: Kind.unused, count: count)
        var ids: [String: Int] = [:]
        func set(_ token: String, _ id: JSON?, _ kind: Int32) throws {
            guard let id = id?.intValue, tokens.indices.contains(id) else {
                throw InputError(
                    "the token \(token.prefix(60)) has no id below the model's vocab_size of \(count)",
                    at: "model.vocab")
            }
            tokens[id] = token
            types[id] = kind
            ids[token] = id
        }
        for (token, id) in spellings { try set(token, id, Kind.normal) }
        for entry in tokenizer["added_tokens"]?.arrayValue ?? [] {
            let isControl = entry["special"]?.boolValue ?? false
            try set(entry["content"]?.stringValue ?? "", entry["id"], isControl ? Kind.control : Kind.userDefined)
        }
        put("ggml.model", .string("gpt2"))
        put("ggml.pre", .string(preTokenizer(tokenizer["pre_tokenizer"], hasMerges: !merges.isEmpty)))
        put("ggml.tokens", .array(GGUFArray(tokens)))
        put("ggml.token_type", .array(GGUFArray(types)))
        put("ggml.merges", .array(GGUFArray(try merges.enumerated().map { try Self.text($1, index: $0) })))
        func id(_ role: String) -> Int? { Self.name(options?[role]).flatMap { ids[$0] } }
        for (role, id) in [
            ("bos", id("bos_token") ?? model.bosTokenID), ("eos", id("eos_token") ?? model.eosTokenID),
            ("padding", id("pad_token")),
        ] {
            if let id { put("ggml.\(role)_token_id", .uint32(UInt32(clamping: id))) }
        }
        put("ggml.add_bos_token", .bool(options?["add_bos_token"]?.boolValue ?? Self.templateBegins(tokenizer)))
        if let template = chatTemplate ?? Self.chatTemplate(options) { put("chat_template", .string(template)) }
    }

    /// No vocabulary: a model that is fed with ids.
    init(model: ModelConfiguration) {
        put("ggml.model", .string("none"))
        for (role, id) in [("bos", model.bosTokenID), ("eos", model.eosTokenID)] {
            if let id { put("ggml.\(role)_token_id", .uint32(UInt32(clamping: id))) }
        }
        notes.append("there is no tokenizer.json: the file has no vocabulary and takes only token ids")
    }

    private mutating func put(_ key: String, _ value: GGUFValue) { metadata["tokenizer.\(key)"] = value }

    /// A merge as `a b`, however the file writes it.
    private static func text(_ merge: JSON, index: Int) throws -> String {
        if let text = merge.stringValue { return text }
        guard let parts = merge.arrayValue?.compactMap(\.stringValue), parts.count == 2 else {
            throw InputError("is not two tokens", at: "model.merges[\(index)]")
        }
        return parts.joined(separator: " ")
    }

    /// A token given as text or as an object with its `content`.
    private static func name(_ token: JSON?) -> String? { token?.stringValue ?? token?["content"]?.stringValue }

    private static func chatTemplate(_ options: JSON?) -> String? {
        let value = options?["chat_template"]
        let named = value?.arrayValue?.first { $0["name"] == "default" }
        return value?.stringValue ?? named?["template"]?.stringValue
    }

    /// Whether the post-processor puts a special token in front of a text.
    private static func templateBegins(_ tokenizer: JSON) -> Bool {
        let processor = tokenizer["post_processor"] ?? .null
        return (processor["processors"]?.arrayValue ?? [processor]).contains {
            $0["single"]?.arrayValue?.first?["SpecialToken"] != nil
        }
    }

    /// llama.cpp's name for how text is cut, recognised by the expressions.
    private mutating func preTokenizer(_ json: JSON?, hasMerges: Bool) -> String {
        // Without merges every cut gives the same tokens.
        guard let json, hasMerges else { return "gpt-2" }
        let steps = json["pretokenizers"]?.arrayValue ?? [json]
        let patterns = steps.compactMap { $0["pattern"]?["Regex"]?.stringValue }
        let usesGPT2 = steps.contains { $0["type"] == "ByteLevel" && $0["use_regex"]?.boolValue ?? true }
        func any(_ part: String) -> Bool { patterns.contains { $0.contains(part) } }
        if patterns.isEmpty, usesGPT2 { return "gpt-2" }
        if any("一-龥") {
            if patterns.first == #"\p{N}{1,3}"# { return "deepseek-v3" }
            if any(#"\s?\p{L}+"#) { return "deepseek-coder" }
            if any(#"\s?[A-Za-z"#) { return "deepseek-llm" }
        }
        if any(#"\p{Han}"#) { return "kimi-k2" }
        if patterns.count == 1, any("'s|'t|'re") {
            if any(#"\p{N}{1,3}"#) { return "llama-bpe" }
            if any(#"|\p{N}|"#) { return "qwen2" }
        }
        notes.append(
            "llama.cpp has no name for this pre-tokenizer: \"default\" is written, and it may cut text otherwise")
        return "default"
    }
}
