import MinkeFiles

/// One message of a conversation, in the form of the OpenAI chat interface.
public struct ChatMessage: Equatable, Sendable {
    /// A function that the assistant wants called.
    public struct ToolCall: Equatable, Sendable {
        public var id: String?
        public var name: String
        /// An object, or a string that holds one.
        public var arguments: JSON

        public init(id: String? = nil, name: String, arguments: JSON) {
            self.id = id
            self.name = name
            self.arguments = arguments
        }

        /// The arguments as an object; a text that is none becomes the argument `arguments`.
        var argumentObject: JSON.Object {
            switch arguments {
            case .object(let object): object
            case .string(let text): (try? JSON(parsing: text))?.objectValue ?? ["arguments": arguments]
            case .null: [:]
            default: ["arguments": arguments]
            }
        }

        /// The arguments as the JSON text they came as, or written as Python writes them.
        var argumentText: String { arguments.stringValue ?? arguments.pythonText() }
    }

    /// `system`, `developer`, `user`, `assistant`, `tool`, or what else a template knows.
    public let role: String
    /// The text; nil where the message has none, as with tool calls alone.
    public let content: String?
    /// What the assistant thought before it answered.
    public let reasoning: String?
    public let toolCalls: [ToolCall]
    /// The call that a `tool` message answers.
    public let toolCallID: String?
    /// Whether the message is the beginning of an answer that the model shall continue.
    public let isPrefix: Bool
    /// The message as templates of checkpoints see it, with all its keys.
    public let json: JSON

    public init(role: String, content: String?, reasoning: String? = nil, toolCalls: [ToolCall] = []) {
        var object: JSON.Object = ["role": .string(role), "content": content.map { .string($0) } ?? .null]
        if let reasoning { object["reasoning_content"] = .string(reasoning) }
        if !toolCalls.isEmpty {
            object["tool_calls"] = .array(
                toolCalls.map { call in
                    var entry: JSON.Object = ["type": "function"]
                    if let id = call.id { entry["id"] = .string(id) }
                    entry["function"] = ["name": .string(call.name), "arguments": call.arguments]
                    return .object(entry)
                })
        }
        self.role = role
        self.content = content
        self.reasoning = reasoning
        self.toolCalls = toolCalls
        toolCallID = nil
        isPrefix = false
        json = .object(object)
    }

    /// Reads a message.
    ///
    /// - Throws: ``InputError`` whose location begins with `place`.
    public init(parsing json: JSON, at place: String) throws {
        guard let role = json["role"]?.stringValue else {
            throw InputError("a message without its role", at: "\(place).role")
        }
        self.role = role
        self.json = json
        content = try Self.text(json["content"], at: "\(place).content")
        reasoning =
            try Self.text(json["reasoning_content"], at: "\(place).reasoning_content")
            ?? Self.text(json["reasoning"], at: "\(place).reasoning")
        toolCallID = try Self.text(json["tool_call_id"], at: "\(place).tool_call_id")
        isPrefix = json["prefix"]?.boolValue ?? false
        let calls = json["tool_calls"] ?? .null
        guard calls.isNull || calls.arrayValue != nil else {
            throw InputError("is not a list of calls", at: "\(place).tool_calls")
        }
        toolCalls = try (calls.arrayValue ?? []).enumerated().map { index, call in
            let function = call["function"] ?? call
            guard let name = function["name"]?.stringValue else {
                throw InputError("a call without the function's name", at: "\(place).tool_calls[\(index)]")
            }
            return ToolCall(id: call["id"]?.stringValue, name: name, arguments: function["arguments"] ?? .null)
        }
    }

    /// A text, or the texts of a list of parts joined; nil for `null`.
    private static func text(_ json: JSON?, at place: String) throws -> String? {
        switch json {
        case nil, .null: return nil
        case .string(let text): return text
        case .array(let parts):
            return try parts.map { part in
                guard let text = part.stringValue ?? part["text"]?.stringValue else {
                    throw InputError("a part that is not text", at: place, remedy: "only text is supported")
                }
                return text
            }.joined()
        default: throw InputError("is not text", at: place)
        }
    }
}

/// What a chat template writes as a prompt.
public struct ChatConversation: Equatable, Sendable {
    public var messages: [ChatMessage]
    /// Functions that the model may call, each `{"type": "function", "function": {"name", "description", "parameters"}}`.
    public var tools: [JSON]
    /// Ends the prompt with what precedes an answer.
    public var addsGenerationPrompt: Bool
    /// What else the template may ask for, as `thinking`.
    public var variables: JSON.Object

    public init(
        _ messages: [ChatMessage], tools: [JSON] = [], addsGenerationPrompt: Bool = true, variables: JSON.Object = [:]
    ) {
        self.messages = messages
        self.tools = tools
        self.addsGenerationPrompt = addsGenerationPrompt
        self.variables = variables
    }

    /// Reads a list of messages, or an object with `messages`, `tools`, `add_generation_prompt` and any variables.
    public init(parsing json: JSON) throws {
        guard let messages = json.arrayValue ?? json["messages"]?.arrayValue else {
            throw InputError("there are no messages", at: "messages", remedy: "give a list of messages")
        }
        self.init(
            try messages.enumerated().map { try ChatMessage(parsing: $1, at: "messages[\($0)]") })
        guard let object = json.objectValue else { return }
        for (key, value) in object {
            switch (key, value) {
            case ("messages", _), ("tools", .null), ("add_generation_prompt", .null): break
            case ("tools", .array(let tools)): self.tools = tools
            case ("add_generation_prompt", .bool(let value)): addsGenerationPrompt = value
            case ("tools", _), ("add_generation_prompt", _): throw InputError("has the wrong type", at: key)
            default: variables[key] = value
            }
        }
    }

    /// Whether the model shall think before it answers.
    var isThinking: Bool { (variables["thinking"] ?? variables["enable_thinking"])?.boolValue ?? false }

    /// The place of the last message that a person wrote, or -1.
    var lastUserIndex: Int { messages.lastIndex { $0.role == "user" || $0.role == "developer" } ?? -1 }

    /// All system texts, with an empty line between them.
    var systemText: String {
        messages.filter { $0.role == "system" }.map { $0.content ?? "" }.joined(separator: "\n\n")
    }

    /// The functions themselves, without the wrapping object.
    var functions: [JSON] { tools.map { $0["function"] ?? $0 } }
}
