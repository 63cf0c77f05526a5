import MinkeFiles
import MinkeTokenization

/// The body of `POST /v1/chat/completions`.
struct ChatRequest: Sendable {
    let model: String?
    let job: ChatJob
    let isStreamed: Bool
    /// Whether a stream ends with a chunk that tells the usage.
    let includesUsage: Bool

    private enum Toggle: String, CaseIterable { case enabled, disabled }
    private enum Effort: String, CaseIterable { case none, minimal, low, medium, high, xhigh, max }
    private enum FormatType: String, CaseIterable {
        case text
        case object = "json_object"
        case schema = "json_schema"
    }

    /// - Parameter vocabulary: how many tokens the model has.
    /// - Throws: ``APIError`` naming the field.
    init(_ body: JSON, vocabulary: Int) throws {
        let fields = try Fields(body)
        model = try fields.string("model")
        isStreamed = try fields.bool("stream") ?? false
        includesUsage = try fields.fields("stream_options")?.bool("include_usage") ?? false
        var settings = try GenerationSettings(fields, vocabulary: vocabulary)
        // The newer name goes before.
        let limits = try ["max_completion_tokens", "max_tokens"].compactMap { try fields.integer($0, 1...Int.max) }
        settings.maximumTokens = limits.first
        settings.logprobs = try Self.logprobs(fields)
        var job = ChatJob(messages: try Self.messages(fields), settings: settings)
        job.tools = try Self.tools(fields)
        job.toolChoice = try Self.toolChoice(fields, job.tools)
        job.allowsParallelCalls = try fields.bool("parallel_tool_calls") ?? true
        job.format = try Self.format(fields)
        try Self.readThinking(fields, into: &job)
        self.job = job
    }

    private static func logprobs(_ fields: Fields) throws -> Int? {
        let isWanted = try fields.bool("logprobs") ?? false
        guard let count = try fields.integer("top_logprobs", 0...GenerationSettings.maximumAlternatives) else {
            return isWanted ? 0 : nil
        }
        guard isWanted || count == 0 else {
            throw APIError.invalid("top_logprobs needs logprobs to be true", parameter: "top_logprobs")
        }
        return isWanted ? count : nil
    }

    // MARK: Messages

    private static func messages(_ fields: Fields) throws -> [ChatMessage] {
        guard let list = try fields.list("messages"), !list.isEmpty else {
            throw fields.failure("messages", "an array of at least one message")
        }
        return try list.enumerated().map { index, json in
            try message(Fields(json, at: "messages[\(index)]"), isLast: index == list.count - 1)
        }
    }

    private static func message(_ fields: Fields, isLast: Bool) throws -> ChatMessage {
        var message = fields.object
        guard let role = try fields.string("role"), !role.isEmpty else { throw fields.failure("role", "a string") }
        if role == "developer" { message["role"] = "system" }
        // Templates see text where the client sent parts.
        for key in ["content", "reasoning_content"] {
            if let parts = message[key]?.arrayValue { message[key] = .string(try text(of: parts, fields, key)) }
        }
        if try fields.bool("prefix") ?? false, !isLast || role != "assistant" {
            throw APIError.invalid(
                "\(fields.name("prefix")) is for the last message, and that must be the assistant's",
                parameter: fields.name("prefix"))
        }
        for (index, call) in (try fields.list("tool_calls") ?? []).enumerated() {
            let call = try Fields(call, at: fields.name("tool_calls[\(index)]"))
            guard let function = try call.fields("function") else { throw call.failure("function", "an object") }
            guard let name = try function.string("name"), !name.isEmpty else {
                throw function.failure("name", "a string")
            }
        }
        do {
            return try ChatMessage(parsing: .object(message), at: fields.path)
        } catch let error as InputError {
            throw APIError(error, parameter: "messages")
        }
    }

    private static func text(of parts: [JSON], _ fields: Fields, _ key: String) throws -> String {
        try parts.enumerated().map { index, part in
            guard let text = part.stringValue ?? part["text"]?.stringValue else {
                let name = fields.name("\(key)[\(index)]")
                throw APIError.invalid("\(name) is not text, and nothing else is supported", parameter: name)
            }
            return text
        }.joined()
    }

    // MARK: Tools and formats

    private static func tools(_ fields: Fields) throws -> [JSON] {
        let tools = try fields.list("tools") ?? []
        for (index, tool) in tools.enumerated() {
            let tool = try Fields(tool, at: "tools[\(index)]")
            guard try tool.string("type") ?? "function" == "function" else {
                throw tool.failure("type", "\"function\"")
            }
            guard let function = try tool.fields("function") else { throw tool.failure("function", "an object") }
            guard let name = try function.string("name"), 1...256 ~= name.utf8.count else {
                throw function.failure("name", "a string of 1 to 256 bytes")
            }
            _ = try function.string("description")
            _ = try function.fields("parameters")
        }
        return tools
    }

    private static func toolChoice(_ fields: Fields, _ tools: [JSON]) throws -> ChatJob.ToolChoice {
        guard let json = fields["tool_choice"] else { return .auto }
        let choice: ChatJob.ToolChoice
        switch json.stringValue {
        case "none": choice = .none
        case "auto": choice = .auto
        case "required": choice = .required
        default:
            guard let name = json["function"]?["name"]?.stringValue else {
                throw fields.failure("tool_choice", "\"none\", \"auto\", \"required\" or a function")
            }
            choice = .function(name)
        }
        if tools.isEmpty, choice != .none, choice != .auto {
            throw APIError.invalid("tool_choice needs tools", parameter: "tool_choice")
        }
        return choice
    }

    private static func format(_ fields: Fields) throws -> ChatJob.Format {
        guard let format = try fields.fields("response_format") else { return .text }
        guard let type = try format.word("type", FormatType.self) else {
            throw format.failure("type", Fields.alternatives(FormatType.allCases.map(\.rawValue)))
        }
        switch type {
        case .text: return .text
        case .object: return .object
        case .schema:
            guard let wrapper = try format.fields("json_schema") else {
                throw format.failure("json_schema", "an object with name and schema")
            }
            // Without a schema anything may come that is an object.
            return try wrapper.fields("schema").map { .schema(.object($0.object), name: wrapper.name("schema")) }
                ?? .object
        }
    }

    private static func readThinking(_ fields: Fields, into job: inout ChatJob) throws {
        switch try fields.word("reasoning_effort", Effort.self) {
        case nil, .medium?, .high?: job.effort = "high"
        case .minimal?, .low?: job.effort = "low"
        case .xhigh?, .max?: job.effort = "max"
        case .some(.none): job.isThinking = false
        }
        guard let thinking = try fields.fields("thinking") else { return }
        guard let type = try thinking.word("type", Toggle.self) else {
            throw thinking.failure("type", Fields.alternatives(Toggle.allCases.map(\.rawValue)))
        }
        job.isThinking = type == .enabled
    }
}
