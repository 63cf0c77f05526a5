import MinkeFiles

/// How a model wants conversations written: a template of its checkpoint, or the rules of its family.
public struct ChatTemplate: Sendable {
    /// What writes the prompts.
    public enum Form: Sendable {
        case family(ChatFamily)
        case jinja(JinjaTemplate)
    }

    /// What writes the prompts.
    public let form: Form
    /// What writes them when there are tools, where the checkpoint has a template of its own for that.
    private let formWithTools: Form?
    /// Texts of control tokens by the names that templates have for them, as `bos_token`.
    private let tokens: [String: String]

    /// The rules of a family.
    public init(_ family: ChatFamily) {
        form = .family(family)
        formWithTools = nil
        tokens = [:]
    }

    /// A Jinja template.
    ///
    /// - Parameters:
    ///   - tokenizer: gives `bos_token`, `eos_token` and `pad_token`.
    ///   - configuration: the content of `tokenizer_config.json`, whose keys that end in `_token` go before.
    /// - Throws: ``InputError`` as ``JinjaTemplate/init(_:)``.
    public init(
        jinja source: String, withTools sourceWithTools: String? = nil, tokenizer: Tokenizer?,
        configuration: JSON? = nil
    ) throws {
        form = .jinja(try JinjaTemplate(source))
        formWithTools = try sourceWithTools.map { .jinja(try JinjaTemplate($0)) }
        var tokens: [String: String] = [:]
        if let tokenizer {
            let roles = [
                ("bos_token", tokenizer.bosToken), ("eos_token", tokenizer.eosToken), ("pad_token", tokenizer.padToken),
            ]
            for (name, id) in roles { tokens[name] = id.flatMap { tokenizer.token(for: $0) } }
        }
        for (key, value) in configuration?.objectValue ?? [:] where key.hasSuffix("_token") {
            if let text = value.stringValue ?? value["content"]?.stringValue { tokens[key] = text }
        }
        self.tokens = tokens
    }

    /// The template of a checkpoint: its own if it has one, else that of the family that its vocabulary tells.
    ///
    /// - Parameters:
    ///   - source: a template stored by itself, in `chat_template.jinja` or a GGUF file's `tokenizer.chat_template`.
    ///   - configuration: the content of `tokenizer_config.json`, whose `chat_template` is a text or a list of named ones.
    ///   - modelType: `model_type` of `config.json`.
    /// - Returns: nil for a model that is not known to chat. See ``ChatFamily/init(tokenizer:modelType:)``.
    public init?(source: String? = nil, configuration: JSON? = nil, tokenizer: Tokenizer, modelType: String? = nil)
        throws
    {
        var named: [String: String] = [:]
        if let source { named["default"] = source }
        if named.isEmpty, let stored = configuration?["chat_template"], !stored.isNull {
            if let text = stored.stringValue { named["default"] = text }
            for entry in stored.arrayValue ?? [] {
                if let name = entry["name"]?.stringValue { named[name] = entry["template"]?.stringValue }
            }
            guard named["default"] != nil else {
                throw InputError(
                    "is neither a template nor a list that has one named default",
                    at: "tokenizer_config.json: chat_template")
            }
        }
        if let source = named["default"] {
            try self.init(
                jinja: source, withTools: named["tool_use"], tokenizer: tokenizer, configuration: configuration)
        } else if let family = ChatFamily(tokenizer: tokenizer, modelType: modelType) {
            self.init(family)
        } else {
            return nil
        }
    }

    /// The prompt of a conversation.
    ///
    /// - Throws: ``InputError`` for messages that the template refuses.
    public func render(_ conversation: ChatConversation) throws -> ChatPrompt {
        switch conversation.tools.isEmpty ? form : formWithTools ?? form {
        case .family(let family): return try family.render(conversation)
        case .jinja(let template): return try template.render(conversation, tokens: tokens)
        }
    }
}
