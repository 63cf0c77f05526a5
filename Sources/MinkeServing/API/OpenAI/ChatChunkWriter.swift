import MinkeFiles
import MinkeTokenization

/// Writes a streamed chat completion.
///
/// Of every choice in this order: the role, what was said in deltas, and one chunk that finishes it with an empty delta.
/// Then the usage if it was asked for, and `[DONE]`. What goes wrong on the way is an error in a chunk's place.
struct ChatChunkWriter: FrameWriter {
    private let envelope: Envelope
    private let includesUsage: Bool
    private let hasLogprobs: Bool
    private var hasBegun: [Bool]
    /// Of tokens whose text is held back.
    private var logprobs: [ChatLogprobs]
    private var usage = Usage()
    private var hasFailed = false

    init(_ envelope: Envelope, count: Int, includesUsage: Bool, hasLogprobs: Bool) {
        self.envelope = envelope
        self.includesUsage = includesUsage
        self.hasLogprobs = hasLogprobs
        hasBegun = Array(repeating: false, count: count)
        logprobs = Array(repeating: ChatLogprobs(), count: count)
    }

    mutating func append(_ step: AnswerStep) -> [UInt8] {
        // After an error there is nothing more to say.
        if hasFailed { return [] }
        if case .failed(let error)? = step.end?.reason {
            hasFailed = true
            return error.json(for: .openAI).event
        }
        var bytes: [UInt8] = []
        if !hasBegun[step.index], step.token != nil || step.end != nil {
            hasBegun[step.index] = true
            bytes += chunk(step.index, ["role": "assistant", "content": ""])
        }
        if hasLogprobs, let (token, part) = step.token {
            logprobs[step.index].add(token, part, envelope.tokenizer)
        }
        for event in step.events {
            if let delta = Self.delta(event) { bytes += chunk(step.index, delta) }
        }
        if let end = step.end {
            if !logprobs[step.index].isEmpty { bytes += chunk(step.index, ["content": ""]) }
            bytes += chunk(step.index, [:], finishReason: end.reason.name)
            usage.add(end, countsPrompt: step.index == 0)
        }
        return bytes
    }

    mutating func finish() -> [UInt8] {
        var bytes: [UInt8] = []
        if includesUsage, !hasFailed {
            var object = envelope.object("chat.completion.chunk", choices: [])
            object["usage"] = usage.json
            bytes += JSON.object(object).event
        }
        return bytes + EventStream.done
    }

    private static func delta(_ event: AnswerParser.Event) -> JSON.Object? {
        switch event {
        case .reasoning(let text): ["reasoning_content": .string(text)]
        case .content(let text): ["content": .string(text)]
        case .toolCallBegan(let index, let id, let name):
            [
                "tool_calls": [
                    [
                        "index": .integer(index), "id": .string(id), "type": "function",
                        "function": ["name": .string(name), "arguments": ""],
                    ]
                ]
            ]
        case .toolCallArguments(let index, let text):
            ["tool_calls": [["index": .integer(index), "function": ["arguments": .string(text)]]]]
        case .toolCallEnded: nil
        }
    }

    private mutating func chunk(_ index: Int, _ delta: JSON.Object, finishReason: String? = nil) -> [UInt8] {
        var told: JSON = .null
        // The role tells of no token.
        if !logprobs[index].isEmpty, delta["role"] == nil, finishReason == nil {
            told = logprobs[index].json
            logprobs[index] = ChatLogprobs()
        }
        var object = envelope.object(
            "chat.completion.chunk",
            choices: [
                [
                    "index": .integer(index), "delta": .object(delta), "logprobs": told,
                    "finish_reason": finishReason.map { .string($0) } ?? .null,
                ]
            ])
        if includesUsage { object["usage"] = .null }
        return JSON.object(object).event
    }
}
