import MinkeFiles

/// A family of models whose prompts are written without a template of the checkpoint.
///
/// The prompts equal those of the families' published templates and encoders, their peculiarities included.
public enum ChatFamily: String, CaseIterable, Sendable {
    case v2
    case v25 = "v2.5"
    case v3
    case r1
    case v31 = "v3.1"
    case v32 = "v3.2"
    case v4
    case kimiK2 = "kimi-k2"

    /// The family of a model by its vocabulary, and where that leaves several by `model_type` of its `config.json`.
    ///
    /// The first rule that holds decides:
    /// 1. `<|im_middle|>` is a token: Kimi-K2.
    /// 2. `<｜User｜>` is none: nil; such a vocabulary says nothing about chats.
    /// 3. `model_type` is `deepseek_v4` or `deepseek_v32`: V4, V3.2.
    /// 4. `｜DSML｜` is a token: V4 if `<｜latest_reminder｜>` is one too, else V3.2.
    /// 5. `<｜search▁begin｜>` is a token: V3.1. `<think>` is: R1. Otherwise V3.
    public init?(tokenizer: Tokenizer, modelType: String? = nil) {
        func has(_ token: String) -> Bool { tokenizer.id(of: token) != nil }
        if has("<|im_middle|>") {
            self = .kimiK2
        } else if !has(Mark.user) {
            return nil
        } else if modelType == "deepseek_v4" {
            self = .v4
        } else if modelType == "deepseek_v32" {
            self = .v32
        } else if has("｜DSML｜") {
            self = has("<｜latest_reminder｜>") ? .v4 : .v32
        } else if has("<｜search▁begin｜>") {
            self = .v31
        } else {
            self = has(Mark.thinkBegin) ? .r1 : .v3
        }
    }

    /// The prompt of a conversation.
    ///
    /// Variables: `thinking` (V3.1, V3.2, V4), `reasoning_effort` and `response_format` (V4).
    ///
    /// - Throws: ``InputError`` naming the first message of a role that the family's prompts have no place for.
    public func render(_ conversation: ChatConversation) throws -> ChatPrompt {
        for (index, message) in conversation.messages.enumerated() where !roles.contains(message.role) {
            throw InputError(
                "prompts of \(rawValue) have no place for the role \"\(message.role.prefix(60))\"",
                at: "messages[\(index)].role", remedy: "known: \(roles.joined(separator: ", "))")
        }
        var prompt = ChatPrompt()
        switch self {
        case .v2: prompt.appendV2(conversation)
        case .v25, .v3: prompt.appendV3(conversation, isReasoner: false)
        case .r1: prompt.appendV3(conversation, isReasoner: true)
        case .v31: prompt.appendV31(conversation)
        case .v32: prompt.appendV32(conversation)
        case .v4: prompt.appendV4(conversation)
        case .kimiK2: prompt.appendKimi(conversation)
        }
        return prompt
    }

    /// Roles that messages may have.
    private var roles: [String] {
        switch self {
        case .v2: ["system", "user", "assistant"]
        case .v25, .v3, .r1, .v31, .v32, .kimiK2: ["system", "developer", "user", "assistant", "tool"]
        case .v4: ["system", "developer", "user", "assistant", "tool", "latest_reminder"]
        }
    }

    /// The tokens that the templates of DeepSeek are made of. The bars are U+FF5C, the low lines U+2581.
    enum Mark {
        static let begin = "<｜begin▁of▁sentence｜>"
        static let end = "<｜end▁of▁sentence｜>"
        static let user = "<｜User｜>"
        static let assistant = "<｜Assistant｜>"
        static let thinkBegin = "<think>"
        static let thinkEnd = "</think>"
        static let callsBegin = "<｜tool▁calls▁begin｜>"
        static let callsEnd = "<｜tool▁calls▁end｜>"
        static let callBegin = "<｜tool▁call▁begin｜>"
        static let callEnd = "<｜tool▁call▁end｜>"
        static let separator = "<｜tool▁sep｜>"
        static let outputsBegin = "<｜tool▁outputs▁begin｜>"
        static let outputsEnd = "<｜tool▁outputs▁end｜>"
        static let outputBegin = "<｜tool▁output▁begin｜>"
        static let outputEnd = "<｜tool▁output▁end｜>"
    }
}

extension Tokenizer {
    /// Tokens that end an answer although a model's files may not say so: the end of a turn, and the next one's beginning.
    public var turnEndTokens: Set<Int32> {
        let names: Set = [
            ChatFamily.Mark.end, ChatFamily.Mark.user, "<|im_end|>", "<|im_user|>", "<|eot_id|>", "<|user|>", "<|EOT|>",
        ]
        return Set(addedTokens.filter { names.contains($0.content) }.map(\.id))
    }
}

extension String {
    /// The text behind the first or the last `separator`; the whole text where there is none.
    func suffix(after separator: String, last: Bool) -> String {
        let text = Array(utf8)
        let pattern = Array(separator.utf8)
        guard text.count >= pattern.count else { return self }
        let starts = 0...(text.count - pattern.count)
        let matches = { (start: Int) in text[start..<start + pattern.count].elementsEqual(pattern) }
        guard let start = last ? starts.last(where: matches) : starts.first(where: matches) else { return self }
        return String(decoding: text[(start + pattern.count)...], as: UTF8.self)
    }
}
