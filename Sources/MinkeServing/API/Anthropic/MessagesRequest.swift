import MinkeFiles
import MinkeTokenization

/// The body of `POST /v1/messages`.
struct MessagesRequest: Sendable {
    let model: String?
    let job: ChatJob
    let isStreamed: Bool

    private enum Role: String, CaseIterable { case user, assistant, system }
    private enum Thinking: String, CaseIterable { case enabled, disabled, adaptive }
    private enum Choice: String, CaseIterable { case auto, any, tool, none }

    /// - Parameter needsLimit: whether `max_tokens` must be there, as it must for an answer.
    /// - Throws: ``APIError`` naming the field.
    init(_ body: JSON, needsLimit: Bool) throws {
        let fields = try Fields(body)
        model = try fields.string("model")
        isStreamed = try fields.bool("stream") ?? false
        var settings = GenerationSettings()
        try settings.readSampling(fields)
        settings.stop = try GenerationSettings.stops(fields, "stop_sequences")
        settings.maximumTokens = try fields.integer("max_tokens", 1...Int.max)
        guard !needsLimit || settings.maximumTokens != nil else {
            throw fields.failure("max_tokens", "a whole number of at least 1")
        }
        guard let list = try fields.list("messages"), !list.isEmpty else {
            throw fields.failure("messages", "an array of at least one message")
        }
        var messages: [JSON] = []
        if let system = try Self.text(fields, "system"), !system.isEmpty {
            messages.append(["role": "system", "content": .string(system)])
        }
        for (index, json) in list.enumerated() {
            messages += try Self.messages(Fields(json, at: "messages[\(index)]"), isLast: index == list.count - 1)
        }
        do {
            var job = ChatJob(
                messages: try messages.map { try ChatMessage(parsing: $0, at: "messages") }, settings: settings)
            job.tools = try Self.tools(fields)
            try Self.readChoice(fields, into: &job)
            job.isThinking = try Self.isThinking(fields)
            self.job = job
        } catch let error as InputError {
            throw APIError(error, parameter: "messages")
        }
    }

    /// A string, or blocks of text.
    private static func text(_ fields: Fields, _ key: String) throws -> String? {
        guard let json = fields[key] else { return nil }
        if let text = json.stringValue { return text }
        guard let blocks = try fields.list(key) else { return nil }
        return try blocks.enumerated().map { index, block in
            guard let text = block["text"]?.stringValue else { throw notText(fields.name("\(key)[\(index)]")) }
            return text
        }.joined(separator: "\n")
    }

    private static func notText(_ name: String) -> APIError {
        APIError.invalid("\(name) is not text, and nothing else is supported", parameter: name)
    }

    // MARK: Messages

    /// A message in the form that templates know. Results of tools become messages of their own, in front.
    private static func messages(_ fields: Fields, isLast: Bool) throws -> [JSON] {
        guard let role = try fields.word("role", Role.self) else {
            throw fields.failure("role", Fields.alternatives(Role.allCases.map(\.rawValue)))
        }
        guard let content = fields["content"] else {
            throw fields.failure("content", "a string or an array of blocks")
        }
        let blocks = content.stringValue.map { [["type": "text", "text": .string($0)]] } ?? content.arrayValue
        guard let blocks else { throw fields.failure("content", "a string or an array of blocks") }
        var texts: [String] = []
        var thoughts: [String] = []
        var calls: [JSON] = []
        var results: [JSON] = []
        for (index, block) in blocks.enumerated() {
            let block = try Fields(block, at: fields.name("content[\(index)]"))
            switch (try block.string("type"), role) {
            case ("text", _): texts.append(try block.string("text") ?? "")
            case ("thinking", .assistant): thoughts.append(try block.string("thinking") ?? "")
            // Thoughts that nobody can read.
            case ("redacted_thinking", .assistant): break
            case ("tool_use", .assistant): calls.append(try call(block))
            case ("tool_result", .user):
                results.append([
                    "role": "tool", "tool_call_id": .string(try block.string("tool_use_id") ?? ""),
                    "content": .string(try text(block, "content") ?? ""),
                ])
            default: throw notText(block.path)
            }
        }
        if role == .user, texts.isEmpty, !results.isEmpty { return results }
        var message: JSON.Object = ["role": .string(role.rawValue), "content": .string(texts.joined())]
        if !thoughts.isEmpty { message["reasoning_content"] = .string(thoughts.joined()) }
        if !calls.isEmpty { message["tool_calls"] = .array(calls) }
        // The assistant's last words are the beginning of the answer.
        if role == .assistant, isLast, calls.isEmpty { message["prefix"] = true }
        return results + [.object(message)]
    }

    private static func call(_ block: Fields) throws -> JSON {
        guard let name = try block.string("name"), !name.isEmpty else { throw block.failure("name", "a string") }
        let input = try block.fields("input")?.object ?? [:]
        return [
            "id": .string(try block.string("id") ?? ""), "type": "function",
            "function": ["name": .string(name), "arguments": .string(JSON.object(input).text())],
        ]
    }

    // MARK: Tools and thoughts

    private static func tools(_ fields: Fields) throws -> [JSON] {
        try (fields.list("tools") ?? []).enumerated().map { index, json in
            let tool = try Fields(json, at: "tools[\(index)]")
            if let type = try tool.string("type"), type != "custom" {
                throw tool.failure("type", "\"custom\": this server has no tools of its own")
            }
            guard let name = try tool.string("name"), 1...256 ~= name.utf8.count else {
                throw tool.failure("name", "a string of 1 to 256 bytes")
            }
            var function: JSON.Object = ["name": .string(name)]
            if let description = try tool.string("description") { function["description"] = .string(description) }
            if let schema = try tool.fields("input_schema") { function["parameters"] = .object(schema.object) }
            return ["type": "function", "function": .object(function)]
        }
    }

    private static func readChoice(_ fields: Fields, into job: inout ChatJob) throws {
        guard let choice = try fields.fields("tool_choice") else { return }
        switch try choice.word("type", Choice.self) {
        case nil: throw choice.failure("type", Fields.alternatives(Choice.allCases.map(\.rawValue)))
        case .auto?: break
        case .some(.none): job.toolChoice = .none
        case .any?: job.toolChoice = .required
        case .tool?:
            guard let name = try choice.string("name") else { throw choice.failure("name", "a tool's name") }
            job.toolChoice = .function(name)
        }
        if job.tools.isEmpty, job.toolChoice != .auto, job.toolChoice != .none {
            throw APIError.invalid("tool_choice needs tools", parameter: "tool_choice")
        }
        job.allowsParallelCalls = try !(choice.bool("disable_parallel_tool_use") ?? false)
    }

    /// Thoughts come only where they are asked for.
    private static func isThinking(_ fields: Fields) throws -> Bool {
        guard let thinking = try fields.fields("thinking") else { return false }
        guard let type = try thinking.word("type", Thinking.self) else {
            throw thinking.failure("type", Fields.alternatives(Thinking.allCases.map(\.rawValue)))
        }
        _ = try thinking.integer("budget_tokens", 1...Int.max)
        return type != .disabled
    }
}
