import MinkeFiles

/// Prompts up to V3.1: turns between tags, tools between tool tokens.
extension ChatPrompt {
    private typealias Mark = ChatFamily.Mark

    /// Turns named in words.
    mutating func appendV2(_ conversation: ChatConversation) {
        append(template: Mark.begin)
        for message in conversation.messages {
            let content = message.content ?? ""
            switch message.role {
            case "user":
                append(template: "User: ")
                append(content: content)
                append(template: "\n\n")
            case "assistant":
                append(template: "Assistant: ")
                append(content: content)
                append(template: Mark.end)
            default:
                // The system's, which has no name.
                append(content: content)
                append(template: "\n\n")
            }
        }
        if conversation.addsGenerationPrompt { append(template: "Assistant:") }
    }

    /// V2.5, V3 and R1.
    ///
    /// As the published template does, the first call of the whole conversation opens the list of calls, and every further
    /// one closes it; likewise for results.
    mutating func appendV3(_ conversation: ChatConversation, isReasoner: Bool) {
        let messages = conversation.messages
        append(template: Mark.begin)
        append(
            content: isReasoner
                ? messages.last { $0.role == "system" }?.content ?? "" : conversation.systemText)
        var hasCalls = false
        var hasOutputs = false
        var isAfterTool = false
        for message in messages {
            let content = message.content ?? ""
            switch message.role {
            case "user", "developer":
                isAfterTool = false
                append(template: Mark.user)
                append(content: content)
            case "assistant" where !message.toolCalls.isEmpty:
                isAfterTool = false
                for call in message.toolCalls {
                    append(template: hasCalls ? "\n" : Mark.assistant)
                    if !hasCalls {
                        append(content: content)
                        append(template: Mark.callsBegin)
                    }
                    appendFenced(call)
                    if hasCalls { append(template: Mark.callsEnd + Mark.end) }
                    hasCalls = true
                }
            case "assistant":
                if isAfterTool {
                    append(template: Mark.outputsEnd)
                    append(content: content)
                } else {
                    append(template: Mark.assistant)
                    append(content: isReasoner ? content.suffix(after: Mark.thinkEnd, last: true) : content)
                }
                isAfterTool = false
                append(template: Mark.end)
            case "tool":
                isAfterTool = true
                append(template: (hasOutputs ? "\n" : Mark.outputsBegin) + Mark.outputBegin)
                append(content: content)
                append(template: Mark.outputEnd)
                hasOutputs = true
            default: break
            }
        }
        if isAfterTool {
            append(template: Mark.outputsEnd)
        } else if conversation.addsGenerationPrompt {
            append(template: Mark.assistant + (isReasoner ? Mark.thinkBegin + "\n" : ""))
        }
    }

    private mutating func appendFenced(_ call: ChatMessage.ToolCall) {
        append(template: Mark.callBegin + "function" + Mark.separator)
        append(content: call.name)
        append(template: "\n```json\n")
        append(content: call.argumentText)
        append(template: "\n```" + Mark.callEnd)
    }

    /// V3.1, whose answers begin with thoughts or an empty pair of think tags.
    mutating func appendV31(_ conversation: ChatConversation) {
        let isThinking = conversation.isThinking
        let withoutThoughts = Mark.thinkBegin + Mark.thinkEnd
        append(template: Mark.begin)
        append(content: conversation.systemText)
        appendToolsOfV31(conversation)
        var isAfterUser = false
        var isAfterTool = false
        for message in conversation.messages {
            let content = message.content ?? ""
            switch message.role {
            case "user", "developer":
                append(template: Mark.user)
                append(content: content)
                isAfterUser = true
                isAfterTool = false
            case "assistant":
                if isAfterUser {
                    let continues = message.isPrefix && isThinking && message.toolCalls.isEmpty
                    append(template: Mark.assistant + (continues ? Mark.thinkBegin : withoutThoughts))
                }
                if message.toolCalls.isEmpty {
                    append(content: isAfterTool ? content : content.suffix(after: Mark.thinkEnd, last: false))
                } else {
                    append(content: content)
                    append(template: Mark.callsBegin)
                    for call in message.toolCalls {
                        append(template: Mark.callBegin)
                        append(content: call.name)
                        append(template: Mark.separator)
                        append(content: call.arguments.pythonText())
                        append(template: Mark.callEnd)
                    }
                    append(template: Mark.callsEnd)
                }
                append(template: Mark.end)
                isAfterUser = false
                isAfterTool = false
            case "tool":
                append(template: Mark.outputBegin)
                append(content: content)
                append(template: Mark.outputEnd)
                isAfterUser = false
                isAfterTool = true
            default: break
            }
        }
        if conversation.addsGenerationPrompt, isAfterUser {
            append(template: Mark.assistant + (isThinking ? Mark.thinkBegin : withoutThoughts))
        }
    }

    private mutating func appendToolsOfV31(_ conversation: ChatConversation) {
        if conversation.tools.isEmpty { return }
        // The model's card puts the empty line there without a system text, too.
        append(template: "\n\n## Tools\nYou have access to the following tools:\n")
        for function in conversation.functions {
            append(template: "\n### ")
            append(content: function["name"]?.stringValue ?? "")
            append(template: "\nDescription: ")
            append(content: function["description"]?.stringValue ?? "")
            append(template: "\n\nParameters: ")
            append(content: (function["parameters"] ?? [:]).pythonText())
            append(template: "\n")
        }
        append(
            template: """

                IMPORTANT: ALWAYS adhere to this exact format for tool use:
                \(Mark.callsBegin)\(Mark.callBegin)tool_call_name\(Mark.separator)tool_call_arguments\
                \(Mark.callEnd){additional_tool_calls}\(Mark.callsEnd)

                Where:
                - `tool_call_name` must be an exact match to one of the available tools
                - `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters Schema
                - For multiple tool calls, chain them directly without separators or spaces
                """)
    }
}
