import MinkeFiles
import MinkeTokenization

/// Writes a streamed message: its start, blocks one after the other, and why it stopped.
struct MessagesWriter: FrameWriter {
    private let envelope: MessageEnvelope
    private let promptTokens: Int
    /// The block that is being written.
    private var block: Block?
    private var blockCount = 0
    private var hasBegun = false
    private var hasFailed = false

    private enum Block { case text, thinking, toolUse }

    init(_ envelope: MessageEnvelope, promptTokens: Int) {
        self.envelope = envelope
        self.promptTokens = promptTokens
    }

    mutating func append(_ step: AnswerStep) -> [UInt8] {
        if hasFailed { return [] }
        if case .failed(let error)? = step.end?.reason {
            hasFailed = true
            return Self.event("error", error.json(for: .anthropic))
        }
        var bytes: [UInt8] = []
        if !hasBegun { bytes += begin(cachedTokens: step.cachedTokens ?? step.end?.summary.cachedTokens ?? 0) }
        for event in step.events { bytes += write(event) }
        if let end = step.end { bytes += close() + finish(end) }
        return bytes
    }

    func finish() -> [UInt8] { [] }

    private mutating func begin(cachedTokens: Int) -> [UInt8] {
        hasBegun = true
        let usage = MessageEnvelope.usage(prompt: promptTokens, cached: cachedTokens, output: 0)
        return Self.event("message_start", ["type": "message_start", "message": envelope.message([], nil, usage)])
    }

    private mutating func write(_ event: AnswerParser.Event) -> [UInt8] {
        switch event {
        case .reasoning(let text):
            return open(.thinking, ["type": "thinking", "thinking": "", "signature": ""])
                + delta(["type": "thinking_delta", "thinking": .string(text)])
        case .content(let text):
            return open(.text, ["type": "text", "text": ""]) + delta(["type": "text_delta", "text": .string(text)])
        case .toolCallBegan(_, let id, let name):
            return close()
                + open(.toolUse, ["type": "tool_use", "id": .string(id), "name": .string(name), "input": [:]])
        case .toolCallArguments(_, let text):
            return delta(["type": "input_json_delta", "partial_json": .string(text)])
        case .toolCallEnded: return close()
        }
    }

    private mutating func open(_ kind: Block, _ content: JSON) -> [UInt8] {
        if block == kind { return [] }
        let closing = close()
        block = kind
        let start = Self.event(
            "content_block_start",
            ["type": "content_block_start", "index": .integer(blockCount), "content_block": content])
        return closing + start + (blockCount == 0 ? Self.event("ping", ["type": "ping"]) : [])
    }

    private func delta(_ delta: JSON) -> [UInt8] {
        Self.event(
            "content_block_delta", ["type": "content_block_delta", "index": .integer(blockCount), "delta": delta])
    }

    private mutating func close() -> [UInt8] {
        guard block != nil else { return [] }
        block = nil
        defer { blockCount += 1 }
        return Self.event("content_block_stop", ["type": "content_block_stop", "index": .integer(blockCount)])
    }

    private func finish(_ end: AnswerEnd) -> [UInt8] {
        let (reason, sequence) = MessageEnvelope.stop(end.reason)
        let delta = Self.event(
            "message_delta",
            [
                "type": "message_delta", "delta": ["stop_reason": reason, "stop_sequence": sequence],
                "usage": MessageEnvelope.usage(end),
            ])
        return delta + Self.event("message_stop", ["type": "message_stop"])
    }

    private static func event(_ name: String, _ json: JSON) -> [UInt8] {
        Array("event: \(name)\ndata: \(json.text())\n\n".utf8)
    }
}

/// What streamed and whole messages have in common.
struct MessageEnvelope: Sendable {
    let id: String
    let model: String

    /// - Parameter stop: the reason and the stop sequence; nil while the message is not over.
    func message(_ content: [JSON], _ stop: (reason: JSON, sequence: JSON)?, _ usage: JSON) -> JSON {
        [
            "id": .string(id), "type": "message", "role": "assistant", "model": .string(model),
            "content": .array(content), "stop_reason": stop?.reason ?? .null, "stop_sequence": stop?.sequence ?? .null,
            "usage": usage,
        ]
    }

    /// The whole message.
    func message(_ answer: ChatAnswer) throws -> JSON {
        let end = try answer.checkedEnd()
        var blocks: [JSON] = []
        if !answer.reasoning.isEmpty {
            blocks.append(["type": "thinking", "thinking": .string(answer.reasoning), "signature": ""])
        }
        if !answer.content.isEmpty { blocks.append(["type": "text", "text": .string(answer.content)]) }
        for call in answer.calls {
            // Arguments that were cut off are no object.
            let input = (try? JSON(parsing: call.arguments)).flatMap { $0.objectValue }
            blocks.append([
                "type": "tool_use", "id": .string(call.id), "name": .string(call.name), "input": .object(input ?? [:]),
            ])
        }
        return message(blocks, Self.stop(end.reason), Self.usage(end))
    }

    static func stop(_ reason: AnswerEnd.Reason) -> (reason: JSON, sequence: JSON) {
        switch reason {
        case .stop: ("end_turn", .null)
        case .stopString(let string): ("stop_sequence", .string(string))
        case .length: ("max_tokens", .null)
        case .toolCalls: ("tool_use", .null)
        case .failed: (.null, .null)
        }
    }

    static func usage(_ end: AnswerEnd) -> JSON {
        usage(
            prompt: end.summary.promptTokens, cached: end.summary.cachedTokens, output: end.summary.completionTokens)
    }

    /// Here tokens from the cache do not count as input.
    static func usage(prompt: Int, cached: Int, output: Int) -> JSON {
        [
            "input_tokens": .integer(prompt - cached), "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": .integer(cached), "output_tokens": .integer(output),
        ]
    }
}
