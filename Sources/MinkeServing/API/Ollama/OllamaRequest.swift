import MinkeFiles
import MinkeTokenization

/// What the bodies of Ollama's `/api/chat` and `/api/generate` have in common.
struct OllamaRequest: Sendable {
    let fields: Fields
    let model: String?
    /// Unlike elsewhere, answers are streamed unless the client says otherwise.
    let isStreamed: Bool
    let settings: GenerationSettings
    let format: ChatJob.Format
    let isThinking: Bool
    let effort: String

    /// - Throws: ``APIError`` naming the field.
    init(_ body: JSON) throws {
        fields = try Fields(body)
        model = try fields.string("model") ?? fields.string("name")
        isStreamed = try fields.bool("stream") ?? true
        settings = try Self.settings(fields.fields("options") ?? Fields([:], at: "options"))
        switch fields["format"] {
        case nil, "": format = .text
        case "json": format = .object
        case .object(let schema)?: format = .schema(.object(schema), name: "format")
        default: throw fields.failure("format", "\"json\" or a JSON schema")
        }
        // true, false, or how much.
        switch fields["think"] {
        case nil: (isThinking, effort) = (true, "high")
        case .bool(let thinks)?: (isThinking, effort) = (thinks, "high")
        case "low": (isThinking, effort) = (true, "low")
        case "medium", "high": (isThinking, effort) = (true, "high")
        default: throw fields.failure("think", "true, false, \"low\", \"medium\" or \"high\"")
        }
    }

    private static func settings(_ fields: Fields) throws -> GenerationSettings {
        var settings = GenerationSettings()
        // Ollama's defaults.
        settings.sampling.temperature = 0.8
        settings.sampling.topK = 40
        settings.sampling.topP = 0.9
        try settings.readSampling(fields)
        if let penalty = try fields.number("repeat_penalty", 0.01...100) {
            settings.sampling.repetitionPenalty = penalty
        }
        settings.presencePenalty = try fields.number("presence_penalty", -2...2) ?? 0
        settings.frequencyPenalty = try fields.number("frequency_penalty", -2...2) ?? 0
        settings.stop = try GenerationSettings.stops(fields, "stop")
        // -1 and -2 mean to the end of the context.
        let limit = try fields.integer("num_predict", -2...Int.max) ?? -1
        settings.maximumTokens = limit < 0 ? nil : limit
        return settings
    }

    /// The job of a conversation.
    func job(_ messages: [ChatMessage]) -> ChatJob {
        var job = ChatJob(messages: messages, settings: settings)
        job.format = format
        job.isThinking = isThinking
        job.effort = effort
        return job
    }

    /// The job of `/api/chat`; nil where there are no messages, which asks for the model to be loaded.
    func chatJob() throws -> ChatJob? {
        let list = try fields.list("messages") ?? []
        if list.isEmpty { return nil }
        var job = job(
            try list.enumerated().map { try Self.message(Fields($1, at: "messages[\($0)]")) })
        job.tools = try fields.list("tools") ?? []
        for (index, tool) in job.tools.enumerated() {
            let tool = try Fields(tool, at: "tools[\(index)]")
            guard let name = try tool.fields("function")?.string("name"), 1...256 ~= name.utf8.count else {
                throw tool.failure("function.name", "a string of 1 to 256 bytes")
            }
        }
        return job
    }

    private static func message(_ fields: Fields) throws -> ChatMessage {
        guard try (fields.list("images") ?? []).isEmpty else {
            throw APIError.invalid("images are not supported", parameter: fields.name("images"))
        }
        var message = fields.object
        message["images"] = nil
        if let thoughts = try fields.string("thinking") { message["reasoning_content"] = .string(thoughts) }
        message["tool_calls"] = .array(
            try (fields.list("tool_calls") ?? []).enumerated().map { index, call in
                let call = try Fields(call, at: fields.name("tool_calls[\(index)]"))
                guard let function = try call.fields("function"), let name = try function.string("name") else {
                    throw call.failure("function.name", "a string")
                }
                let arguments = function["arguments"].map { $0.stringValue ?? $0.text() } ?? "{}"
                return [
                    "id": .string(try call.string("id") ?? ""), "type": "function",
                    "function": ["name": .string(name), "arguments": .string(arguments)],
                ]
            })
        do {
            return try ChatMessage(parsing: .object(message), at: fields.path)
        } catch let error as InputError {
            throw APIError(error, parameter: "messages")
        }
    }
}
