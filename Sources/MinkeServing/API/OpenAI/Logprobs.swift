import MinkeEngine
import MinkeFiles
import MinkeTokenization

/// Log-probabilities of an answer's tokens in the form of chat completions.
struct ChatLogprobs: Sendable {
    private var content: [JSON] = []
    private var reasoning: [JSON] = []

    var isEmpty: Bool { content.isEmpty && reasoning.isEmpty }

    /// Adds a token; those of tool calls are not told.
    mutating func add(_ token: EngineToken, _ part: AnswerParser.Part, _ tokenizer: Tokenizer?) {
        guard let logprob = token.logprob else { return }
        func entry(_ bytes: [UInt8], _ logprob: Float) -> JSON.Object {
            [
                "token": .string(String(decoding: bytes, as: UTF8.self)), "logprob": JSON(logprob: logprob),
                "bytes": .array(bytes.map { .integer(Int($0)) }),
            ]
        }
        var object = entry(token.bytes, logprob)
        object["top_logprobs"] = .array(
            token.top.map { alternative in
                let bytes = tokenizer?.decodeBytes(CollectionOfOne(alternative.id)) ?? []
                return .object(entry(bytes, alternative.logprob))
            })
        switch part {
        case .content: content.append(.object(object))
        case .reasoning: reasoning.append(.object(object))
        case .toolCalls: break
        }
    }

    /// Of thoughts there is something only where there were thoughts.
    var json: JSON {
        var object: JSON.Object = ["content": .array(content)]
        if !reasoning.isEmpty { object["reasoning_content"] = .array(reasoning) }
        return .object(object)
    }
}

extension JSON {
    /// A log-probability in its shortest form; what cannot come has OpenAI's -9999.
    init(logprob: Float) { self = .number(logprob.isFinite ? Double("\(logprob)") ?? Double(logprob) : -9999) }
}
