import MinkeFiles
import MinkeTokenization

/// The next turn of a conversation that a client wants, whatever dialect it spoke.
struct ChatJob: Sendable {
    /// Which tools the model calls.
    enum ToolChoice: Equatable, Sendable {
        case none
        case auto
        case required
        case function(String)
    }

    /// What the content must be.
    enum Format: Sendable {
        case text
        /// Any JSON object.
        case object
        /// - Parameter name: what errors call the schema.
        case schema(JSON, name: String)

        /// Nil where anything may come.
        func constraint(_ trie: @autoclosure () -> TokenTrie, endTokens: Set<Int32>) throws -> JSONConstraint? {
            switch self {
            case .text: nil
            case .object: try JSONConstraint(anyObject: trie(), endTokens: endTokens)
            case .schema(let schema, let name):
                try JSONConstraint(schema: schema, name: name, trie: trie(), endTokens: endTokens)
            }
        }
    }

    /// At least one. The last may be the beginning of the answer (``ChatMessage/isPrefix``).
    var messages: [ChatMessage]
    /// Each `{"type": "function", "function": {"name", "description", "parameters"}}`.
    var tools: [JSON] = []
    var toolChoice = ToolChoice.auto
    var allowsParallelCalls = true
    var format = Format.text
    /// Whether the model thinks before it answers, where its template knows the difference.
    var isThinking = true
    /// `low`, `high` or `max`, for templates that ask.
    var effort = "high"
    var settings: GenerationSettings
}

/// How a conversation becomes what the engine is asked for.
struct ChatPreparation: Sendable {
    let template: ChatTemplate
    let tokenizer: Tokenizer
    /// How the model writes its answers.
    let syntax: AnswerSyntax
    let endTokens: Set<Int32>

    /// The prompt of a job.
    ///
    /// - Throws: ``APIError`` for messages that the template refuses.
    func prompt(_ job: ChatJob) throws -> ChatPrompt {
        var messages = job.messages
        var prefix: ChatMessage?
        if let last = messages.last, last.isPrefix {
            prefix = last
            messages.removeLast()
        }
        guard !messages.isEmpty else {
            throw APIError.invalid("messages needs a message to answer", parameter: "messages")
        }
        // A beginning of the content is behind the thoughts: without thoughts of its own it has none.
        let skipsThoughts = prefix.map { $0.reasoning == nil && !($0.content ?? "").isEmpty } ?? false
        let isThinking = job.isThinking && !skipsThoughts
        var variables: JSON.Object = [
            // Templates call the switch by either name.
            "thinking": .bool(isThinking), "enable_thinking": .bool(isThinking),
            "reasoning_effort": .string(job.effort),
        ]
        if case .schema(let schema, _) = job.format { variables["response_format"] = schema }
        let tools = job.toolChoice == .none ? [] : job.tools
        var prompt = try render(messages, tools, variables)
        if let prefix { append(prefix, to: &prompt) }
        return prompt
    }

    private func append(_ prefix: ChatMessage, to prompt: inout ChatPrompt) {
        let content = prefix.content ?? ""
        if AnswerSyntax.isThinking(behind: prompt) {
            prompt.append(content: prefix.reasoning ?? "")
            // Thoughts alone are continued.
            if content.isEmpty, prefix.reasoning != nil { return }
            prompt.append(template: syntax.trimsThoughts ? "\n</think>\n\n" : "</think>")
        }
        prompt.append(content: content)
    }

    /// Renders with the arguments of earlier calls in the form that the template expects: some write out objects, others
    /// put the text in as it is.
    private func render(_ messages: [ChatMessage], _ tools: [JSON], _ variables: JSON.Object) throws -> ChatPrompt {
        func render(parsingArguments: Bool) throws -> ChatPrompt {
            let messages = parsingArguments ? try messages.map { try $0.withParsedArguments() } : messages
            return try template.render(ChatConversation(messages, tools: tools, variables: variables))
        }
        do {
            switch template.form {
            case .family(let family): return try render(parsingArguments: family == .v31)
            case .jinja:
                do {
                    return try render(parsingArguments: true)
                } catch let error as InputError {
                    guard let prompt = try? render(parsingArguments: false) else { throw error }
                    return prompt
                }
            }
        } catch let error as InputError {
            throw APIError(error, parameter: "messages")
        }
    }

    /// What takes the answer behind a prompt apart.
    func reader(_ job: ChatJob, behind prompt: ChatPrompt) throws -> AnswerReader {
        let callsTools = !job.tools.isEmpty && job.toolChoice != .none
        let syntax = callsTools ? syntax : AnswerSyntax(calls: .none, trimsThoughts: syntax.trimsThoughts)
        return try AnswerReader(
            AnswerParser(syntax, tokenizer: tokenizer, prompt: prompt, tools: job.tools), stop: job.settings.stop,
            allowsFurtherCalls: job.allowsParallelCalls)
    }

    /// What may come in the answer; nil: anything.
    ///
    /// - Throws: ``APIError`` for schemas that are not supported.
    func constraint(
        _ job: ChatJob, behind prompt: ChatPrompt, reader: AnswerReader, trie: () -> TokenTrie
    ) throws -> (any TokenConstraint)? {
        let isThinking = AnswerSyntax.isThinking(behind: prompt)
        func afterThoughts(_ base: some TokenConstraint) -> any TokenConstraint {
            AfterReasoning(base, tokenizer: tokenizer, endTokens: endTokens, isThinking: isThinking)
        }
        func calls(of name: String? = nil) throws -> ToolCallConstraint {
            try ToolCallConstraint(
                syntax, tools: job.tools, name: name, maximumCalls: job.allowsParallelCalls ? 8 : 1, trie: trie(),
                endTokens: endTokens)
        }
        do {
            var constraint: (any TokenConstraint)?
            switch job.toolChoice {
            case .required: constraint = afterThoughts(try calls())
            case .function(let name): constraint = afterThoughts(try calls(of: name))
            case .none, .auto:
                if let json = try job.format.constraint(trie(), endTokens: endTokens) {
                    let callsTools = job.toolChoice == .auto && !job.tools.isEmpty && syntax.calls != .none
                    constraint = callsTools ? afterThoughts(JSONOrCalls(json, try calls())) : afterThoughts(json)
                }
            }
            let endsByReader = !job.settings.stop.isEmpty || (!job.tools.isEmpty && !job.allowsParallelCalls)
            return endsByReader ? ReaderConstraint(reader, constraint) : constraint
        } catch let error as InputError {
            throw APIError(error)
        }
    }
}

extension ChatMessage {
    /// The message with the arguments of its calls as objects, where their texts are such.
    fileprivate func withParsedArguments() throws -> ChatMessage {
        guard !toolCalls.isEmpty, var message = json.objectValue else { return self }
        let calls = (message["tool_calls"]?.arrayValue ?? []).map { call in
            guard var fields = call.objectValue, var function = fields["function"]?.objectValue,
                let text = function["arguments"]?.stringValue, let arguments = try? JSON(parsing: text),
                arguments.objectValue != nil
            else { return call }
            function["arguments"] = arguments
            fields["function"] = .object(function)
            return .object(fields)
        }
        message["tool_calls"] = .array(calls)
        return try ChatMessage(parsing: .object(message), at: "messages")
    }
}
