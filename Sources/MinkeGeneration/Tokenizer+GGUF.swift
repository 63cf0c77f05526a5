import MinkeCheckpoints
import MinkeFiles
import MinkeTokenization

extension Tokenizer {
    /// The tokenizer inside a GGUF file.
    ///
    /// - Throws: ``InputError`` naming the file and the key that is missing, broken or not supported.
    public convenience init(gguf file: GGUFFile) throws {
        let metadata = file.metadata
        do {
            func require<Value>(_ value: Value?, _ key: String) throws -> Value {
                guard let value else { throw InputError("is missing", at: key) }
                return value
            }
            let model = try require(metadata.string("tokenizer.ggml.model"), "tokenizer.ggml.model")
            guard model == "gpt2" else {
                throw InputError(
                    "the tokenizer \"\(model.prefix(60))\" is not supported", at: "tokenizer.ggml.model",
                    remedy: "only byte-level BPE (gpt2) is")
            }
            let preTokenizer = try require(metadata.string("tokenizer.ggml.pre"), "tokenizer.ggml.pre")
            var merges = try metadata.strings("tokenizer.ggml.merges")
            // Kimi K2's own vocabulary has ranks and no merges; some files keep it so.
            if preTokenizer == "kimi-k2", merges?.isEmpty ?? true {
                merges = nil
            } else {
                merges = try require(merges, "tokenizer.ggml.merges")
            }
            try self.init(
                ggufTokens: require(metadata.strings("tokenizer.ggml.tokens"), "tokenizer.ggml.tokens"),
                tokenTypes: metadata.integers("tokenizer.ggml.token_type") ?? [],
                merges: merges,
                preTokenizer: preTokenizer,
                bosToken: metadata.integer("tokenizer.ggml.bos_token_id"),
                eosToken: metadata.integer("tokenizer.ggml.eos_token_id"),
                padToken: metadata.integer("tokenizer.ggml.padding_token_id"),
                // Files of Llama 3 rely on this being the default.
                addsBOS: metadata.flag("tokenizer.ggml.add_bos_token") ?? preTokenizer.hasPrefix("llama"))
        } catch let error as InputError {
            throw error.located(at: file.path)
        }
    }
}

extension GGUFFile {
    /// Whether the file has a tokenizer: models without one name it "none" and work on token ids.
    public var hasTokenizer: Bool { (try? metadata.string("tokenizer.ggml.model")) != "none" }

    /// The Jinja template for conversations; `nil` when the file has none.
    public var chatTemplate: String? { metadata["tokenizer.chat_template"]?.stringValue }
}
