import MinkeFiles

/// Prompts of V3.2 and V4, whose tool calls are written in the markup DSML.
extension ChatPrompt {
    private typealias Mark = ChatFamily.Mark

    /// V3.2. Thoughts are kept only behind the last turn of the user.
    mutating func appendV32(_ conversation: ChatConversation) {
        let isThinking = conversation.isThinking
        let messages = conversation.messages
        let lastUser = conversation.lastUserIndex
        let opening = Mark.thinkBegin + (isThinking ? "" : Mark.thinkEnd)
        append(template: Mark.begin)
        append(content: conversation.systemText)
        if !conversation.tools.isEmpty {
            append(template: (conversation.systemText.isEmpty ? "" : "\n\n") + DSML.toolsHeaderOfV32)
            for function in conversation.functions {
                append(content: function.pythonText())
                append(template: "\n")
            }
            append(template: "</functions>\n")
        }
        for (index, message) in messages.enumerated() {
            let previous = index > 0 ? messages[index - 1].role : ""
            if previous == "tool", message.role != "tool" { append(template: "\n</function_results>") }
            let content = message.content ?? ""
            switch message.role {
            case "user", "developer":
                append(template: Mark.user)
                append(content: content)
            case "assistant":
                switch previous {
                case "user", "developer": append(template: Mark.assistant)
                case "tool": append(template: "\n\n")
                default: break
                }
                if ["user", "developer", "tool"].contains(previous) {
                    appendThoughts(message, isKept: isThinking && index > lastUser)
                }
                append(content: content)
                if !message.toolCalls.isEmpty {
                    append(template: "\n\n<\(DSML.bar)function_calls>\n")
                    for call in message.toolCalls {
                        appendInvocation(call)
                        append(template: "\n")
                    }
                    append(template: "</\(DSML.bar)function_calls>")
                }
                append(template: Mark.end)
            case "tool":
                append(template: (previous == "tool" ? "" : "\n\n<function_results>") + "\n<result>")
                append(content: content)
                append(template: "</result>")
            default: break
            }
        }
        let last = messages.last?.role
        if last == "tool" { append(template: "\n</function_results>") }
        guard conversation.addsGenerationPrompt else { return }
        switch last {
        case "user", "developer": append(template: Mark.assistant + opening)
        case "tool": append(template: "\n\n" + opening)
        default: break
        }
    }

    /// V4. Results of tools are turns of the user; thoughts are kept behind the user's last turn, or with tools everywhere.
    mutating func appendV4(_ conversation: ChatConversation) {
        let isThinking = conversation.isThinking
        let lastUser = conversation.lastUserIndex
        append(template: Mark.begin)
        if isThinking, conversation.variables["reasoning_effort"] == "max" {
            append(template: DSML.maximumEffort)
        }
        append(content: conversation.systemText)
        if !conversation.tools.isEmpty {
            append(template: (conversation.systemText.isEmpty ? "" : "\n\n") + DSML.toolsHeaderOfV4)
            for function in conversation.functions {
                append(content: function.pythonText())
                append(template: "\n")
            }
            append(template: DSML.toolsFooterOfV4)
        }
        if let schema = conversation.variables["response_format"], !schema.isNull {
            append(template: DSML.responseFormat)
            append(content: schema.pythonText())
        }
        var isInUserTurn = false
        for (index, message) in conversation.inOrderOfCalls.enumerated() {
            let content = message.content ?? ""
            switch message.role {
            case "user", "developer", "tool":
                append(template: isInUserTurn ? "\n\n" : Mark.user)
                isInUserTurn = true
                if message.role == "tool" { append(template: "<tool_result>") }
                append(content: content)
                if message.role == "tool" { append(template: "</tool_result>") }
            case "assistant":
                isInUserTurn = false
                append(template: Mark.assistant)
                appendThoughts(message, isKept: isThinking && (index > lastUser || !conversation.tools.isEmpty))
                append(content: content)
                if !message.toolCalls.isEmpty {
                    append(template: "\n\n<\(DSML.bar)tool_calls>\n")
                    for call in message.toolCalls {
                        appendInvocation(call)
                        append(template: "\n")
                    }
                    append(template: "</\(DSML.bar)tool_calls>")
                }
                append(template: Mark.end)
            case "latest_reminder":
                isInUserTurn = false
                append(template: "<｜latest_reminder｜>")
                append(content: content)
            default: break
            }
        }
        if conversation.addsGenerationPrompt {
            append(template: Mark.assistant + (isThinking ? Mark.thinkBegin : Mark.thinkEnd))
        }
    }

    private mutating func appendThoughts(_ message: ChatMessage, isKept: Bool) {
        if isKept {
            append(template: Mark.thinkBegin)
            append(content: message.reasoning ?? "")
        }
        append(template: Mark.thinkEnd)
    }

    private mutating func appendInvocation(_ call: ChatMessage.ToolCall) {
        append(template: "<\(DSML.bar)invoke name=\"")
        append(content: call.name)
        append(template: "\">\n")
        for (name, value) in call.argumentObject {
            append(template: "<\(DSML.bar)parameter name=\"")
            append(content: name)
            append(template: "\" string=\"\(value.stringValue != nil)\">")
            append(content: value.stringValue ?? value.pythonText())
            append(template: "</\(DSML.bar)parameter>\n")
        }
        append(template: "</\(DSML.bar)invoke>")
    }
}

extension ChatConversation {
    /// The messages, with the results of one assistant turn in the order of its calls.
    fileprivate var inOrderOfCalls: [ChatMessage] {
        var ordered = messages
        var calls: [String: Int] = [:]
        var start = 0
        while start < ordered.count {
            if ordered[start].role == "assistant" {
                calls = [:]
                for (index, call) in ordered[start].toolCalls.enumerated() { calls[call.id ?? ""] = index }
            }
            let end = ordered[start...].firstIndex { $0.role != "tool" } ?? ordered.count
            if end - start > 1 {
                let results = ordered[start..<end].enumerated().sorted { left, right in
                    let places = [left, right].map { calls[$0.element.toolCallID ?? ""] ?? .max }
                    return places[0] == places[1] ? left.offset < right.offset : places[0] < places[1]
                }
                ordered.replaceSubrange(start..<end, with: results.map(\.element))
            }
            start = max(end, start + 1)
        }
        return ordered
    }
}
