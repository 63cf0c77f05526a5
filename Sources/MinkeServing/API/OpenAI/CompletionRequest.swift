import MinkeFiles

/// The body of `POST /v1/completions`.
struct CompletionRequest: Sendable {
    /// What is continued.
    enum Prompt: Sendable {
        case text(String)
        case ids([Int32])
    }

    let model: String?
    /// At least one.
    let prompts: [Prompt]
    /// What shall follow the answer: the model fills in the middle.
    let suffix: String?
    /// Whether the prompt is told again in front of the answer.
    let echoes: Bool
    /// Answers that are made of each prompt; the best ``GenerationSettings/count`` of them are told.
    let candidates: Int
    let settings: GenerationSettings
    let isStreamed: Bool
    let includesUsage: Bool

    /// Prompts of one request at most.
    static let maximumPrompts = 2048

    /// - Parameter vocabulary: how many tokens the model has.
    /// - Throws: ``APIError`` naming the field.
    init(_ body: JSON, vocabulary: Int) throws {
        let fields = try Fields(body)
        model = try fields.string("model")
        guard let prompt = fields["prompt"] else {
            throw fields.failure("prompt", "a string, an array of strings, or token ids")
        }
        prompts = try Self.prompts(prompt, fields, "prompt", vocabulary: vocabulary)
        // No suffix and an empty one are the same.
        suffix = try fields.string("suffix").flatMap { $0.isEmpty ? nil : $0 }
        echoes = try fields.bool("echo") ?? false
        isStreamed = try fields.bool("stream") ?? false
        includesUsage = try fields.fields("stream_options")?.bool("include_usage") ?? false
        var settings = try GenerationSettings(fields, vocabulary: vocabulary)
        // OpenAI's own default; 0 is for the log-probabilities of a prompt.
        settings.maximumTokens = try fields.integer("max_tokens", 0...Int.max) ?? 16
        settings.logprobs = try fields.integer("logprobs", 0...GenerationSettings.maximumAlternatives)
        candidates = try fields.integer("best_of", 1...GenerationSettings.maximumCount) ?? settings.count
        guard candidates >= settings.count else { throw fields.failure("best_of", "at least n") }
        if isStreamed, candidates > settings.count {
            throw APIError.invalid(
                "best_of chooses among whole answers, so it cannot be streamed", parameter: "best_of")
        }
        if echoes, suffix != nil { throw APIError.invalid("echo and suffix exclude each other", parameter: "echo") }
        self.settings = settings
    }

    /// One or more texts or lists of token ids.
    static func prompts(_ json: JSON, _ fields: Fields, _ key: String, vocabulary: Int) throws -> [Prompt] {
        if let text = json.stringValue { return [.text(text)] }
        guard let list = json.arrayValue, !list.isEmpty else {
            throw fields.failure(key, "a string, an array of strings, token ids or an array of arrays of token ids")
        }
        if let ids = try ids(list, fields, key, vocabulary: vocabulary) { return [.ids(ids)] }
        guard list.count <= maximumPrompts else { throw fields.failure(key, "at most \(maximumPrompts) texts") }
        return try list.map { entry in
            if let text = entry.stringValue { return .text(text) }
            guard let ids = try ids(entry.arrayValue ?? [], fields, key, vocabulary: vocabulary) else {
                throw fields.failure(key, "all strings, or all non-empty arrays of token ids")
            }
            return .ids(ids)
        }
    }

    /// Token ids; nil for what is no list of numbers.
    static func ids(_ list: [JSON], _ fields: Fields, _ key: String, vocabulary: Int) throws -> [Int32]? {
        guard let first = list.first, first.doubleValue != nil else { return nil }
        return try list.map { entry in
            guard let id = entry.intValue, 0..<vocabulary ~= id else {
                throw fields.failure(key, "made of token ids from 0 to \(vocabulary - 1)")
            }
            return Int32(id)
        }
    }
}
