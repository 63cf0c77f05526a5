import MinkeFiles
import MinkeTokenization

/// An answer as it is put together from its steps.
struct ChatAnswer: Sendable {
    struct Call: Sendable {
        let id: String
        let name: String
        var arguments = ""
    }

    private(set) var reasoning = ""
    private(set) var content = ""
    private(set) var calls: [Call] = []
    private(set) var logprobs = ChatLogprobs()
    /// Nil where the answer was not heard to its end.
    private(set) var end: AnswerEnd?

    mutating func add(_ step: AnswerStep, _ tokenizer: Tokenizer?) {
        for event in step.events {
            switch event {
            case .reasoning(let text): reasoning += text
            case .content(let text): content += text
            case .toolCallBegan(_, let id, let name): calls.append(Call(id: id, name: name))
            case .toolCallArguments(let index, let text): calls[index].arguments += text
            case .toolCallEnded: break
            }
        }
        if let (token, part) = step.token { logprobs.add(token, part, tokenizer) }
        if let end = step.end { self.end = end }
    }

    /// The end, which is not that something went wrong.
    func checkedEnd() throws -> AnswerEnd {
        guard let end else { throw CancellationError() }
        if case .failed(let error) = end.reason { throw error }
        return end
    }

    /// The whole reply with all answers to one prompt.
    static func response(_ answers: [ChatAnswer], _ envelope: Envelope, hasLogprobs: Bool) throws -> JSON {
        var usage = Usage()
        let choices: [JSON] = try answers.enumerated().map { index, answer in
            let end = try answer.checkedEnd()
            usage.add(end, countsPrompt: index == 0)
            return [
                "index": .integer(index), "message": answer.message,
                "logprobs": hasLogprobs ? answer.logprobs.json : .null, "finish_reason": .string(end.reason.name),
            ]
        }
        var object = envelope.object("chat.completion", choices: choices)
        object["usage"] = usage.json
        return .object(object)
    }

    private var message: JSON {
        var message: JSON.Object = [
            "role": "assistant", "content": content.isEmpty && !calls.isEmpty ? .null : .string(content),
            "refusal": .null,
        ]
        if !reasoning.isEmpty { message["reasoning_content"] = .string(reasoning) }
        if !calls.isEmpty {
            message["tool_calls"] = .array(
                calls.map { call in
                    [
                        "id": .string(call.id), "type": "function",
                        "function": ["name": .string(call.name), "arguments": .string(call.arguments)],
                    ]
                })
        }
        return .object(message)
    }
}
