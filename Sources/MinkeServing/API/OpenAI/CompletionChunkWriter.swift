import MinkeFiles

/// Writes a streamed completion: texts, one finishing chunk a choice, the usage if asked for, and `[DONE]`.
struct CompletionChunkWriter: FrameWriter {
    private let envelope: Envelope
    private let includesUsage: Bool
    private let perPrompt: Int
    private var choices: [CompletionChoice]
    /// Log-probabilities of tokens whose text is held back.
    private var waiting: [CompletionLogprobs]
    private var usage = Usage()
    private var hasFailed = false

    init(_ envelope: Envelope, _ choices: [CompletionChoice], perPrompt: Int, includesUsage: Bool) {
        self.envelope = envelope
        self.choices = choices
        self.perPrompt = perPrompt
        self.includesUsage = includesUsage
        waiting = Array(repeating: CompletionLogprobs(), count: choices.count)
    }

    /// The prompts, where they are told again.
    mutating func begin() -> [UInt8] {
        choices.indices.flatMap { choices[$0].text.isEmpty ? [] : chunk($0, choices[$0].text, .null, nil) }
    }

    mutating func append(_ step: AnswerStep) -> [UInt8] {
        if hasFailed { return [] }
        if case .failed(let error)? = step.end?.reason {
            hasFailed = true
            return error.json(for: .openAI).event
        }
        let (text, logprobs) = choices[step.index].add(step)
        waiting[step.index].append(logprobs)
        var bytes: [UInt8] = []
        if !text.isEmpty || (step.end != nil && !waiting[step.index].isEmpty) {
            let told = waiting[step.index]
            bytes += chunk(step.index, text, told.isEmpty ? .null : told.json, nil)
            waiting[step.index] = CompletionLogprobs()
        }
        if let end = step.end {
            bytes += chunk(step.index, "", .null, end.reason.name)
            usage.add(end, countsPrompt: step.index % perPrompt == 0)
        }
        return bytes
    }

    mutating func finish() -> [UInt8] {
        var bytes: [UInt8] = []
        if includesUsage, !hasFailed {
            var object = envelope.object("text_completion", choices: [])
            object["usage"] = usage.json
            bytes += JSON.object(object).event
        }
        return bytes + EventStream.done
    }

    private func chunk(_ index: Int, _ text: String, _ logprobs: JSON, _ finishReason: String?) -> [UInt8] {
        var object = envelope.object(
            "text_completion",
            choices: [
                [
                    "text": .string(text), "index": .integer(index), "logprobs": logprobs,
                    "finish_reason": finishReason.map { .string($0) } ?? .null,
                ]
            ])
        if includesUsage { object["usage"] = .null }
        return JSON.object(object).event
    }
}
