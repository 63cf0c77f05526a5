import MinkeFiles

extension ChatPrompt {
    /// Kimi-K2. Without a system message at the beginning a default one is put there.
    mutating func appendKimi(_ conversation: ChatConversation) {
        if !conversation.tools.isEmpty {
            append(template: "<|im_system|>tool_declare<|im_middle|>")
            append(content: JSON.array(conversation.tools).pythonText())
            append(template: "<|im_end|>")
        }
        if let first = conversation.messages.first, first.role != "system" {
            append(template: "<|im_system|>system<|im_middle|>You are a helpful assistant<|im_end|>")
        }
        for message in conversation.messages {
            switch message.role {
            case "user": append(template: "<|im_user|>user<|im_middle|>")
            case "assistant": append(template: "<|im_assistant|>assistant<|im_middle|>")
            case "tool":
                // The published template spells the line break as two characters.
                append(template: #"<|im_system|>tool<|im_middle|>## Return of "#)
                append(content: message.toolCallID ?? "")
                append(template: #"\n"#)
            default: append(template: "<|im_system|>system<|im_middle|>")
            }
            append(content: message.content ?? "")
            appendKimi(message.toolCalls)
            append(template: "<|im_end|>")
        }
        if conversation.addsGenerationPrompt { append(template: "<|im_assistant|>assistant<|im_middle|>") }
    }

    private mutating func appendKimi(_ calls: [ChatMessage.ToolCall]) {
        if calls.isEmpty { return }
        append(template: "<|tool_calls_section_begin|>")
        for (index, call) in calls.enumerated() {
            append(template: "<|tool_call_begin|>functions.")
            append(content: call.name)
            append(template: ":\(index)<|tool_call_argument_begin|>")
            append(content: call.argumentText)
            append(template: "<|tool_call_end|>")
        }
        append(template: "<|tool_calls_section_end|>")
    }
}
