import MinkeEngine
import MinkeFiles
import MinkeTokenization

/// A choice of a completion as it is put together.
struct CompletionChoice: Sendable {
    private let tokenizer: Tokenizer?
    private let hasLogprobs: Bool
    private(set) var text: String
    private var logprobs = CompletionLogprobs()
    private var logprobSum = 0.0
    private var tokenCount = 0
    private var end: AnswerEnd?
    /// Tokens of the prompt that are not told.
    private var hiddenTokens: Int

    init(_ prompt: ModelService.CompletionPrompt, echoes: Bool, hasLogprobs: Bool, tokenizer: Tokenizer?) {
        self.tokenizer = tokenizer
        self.hasLogprobs = hasLogprobs
        text = echoes ? prompt.text : ""
        hiddenTokens = prompt.added
        logprobs.offset = 0
    }

    /// Takes a step. Returns the text and the log-probabilities that came with it.
    mutating func add(_ step: AnswerStep) -> (text: String, logprobs: CompletionLogprobs) {
        var news = CompletionLogprobs(offset: logprobs.offset)
        for token in step.prompt {
            if hiddenTokens > 0 {
                hiddenTokens -= 1
            } else {
                news.add(token, tokenizer)
            }
        }
        var added = ""
        for case .content(let text) in step.events { added += text }
        if let (token, _) = step.token {
            if hasLogprobs { news.add(token, tokenizer) }
            logprobSum += Double(token.logprob ?? 0)
            tokenCount += 1
        }
        text += added
        logprobs.append(news)
        if let end = step.end { self.end = end }
        return (added, news)
    }

    /// How likely a token of the answer was, on the average and in logarithms.
    var meanLogprob: Double { tokenCount > 0 ? logprobSum / Double(tokenCount) : 0 }

    /// The end, which is not that something went wrong.
    func checkedEnd() throws -> AnswerEnd {
        guard let end else { throw CancellationError() }
        if case .failed(let error) = end.reason { throw error }
        return end
    }

    func json(index: Int) throws -> JSON {
        [
            "text": .string(text), "index": .integer(index), "logprobs": hasLogprobs ? logprobs.json : .null,
            "finish_reason": .string(try checkedEnd().reason.name),
        ]
    }
}

/// Log-probabilities in the form of completions: lists side by side.
struct CompletionLogprobs: Sendable {
    /// Where the next token begins in the choice's text, in Unicode scalars.
    var offset = 0
    private var tokens: [JSON] = []
    private var values: [JSON] = []
    private var alternatives: [JSON] = []
    private var offsets: [JSON] = []

    init(offset: Int = 0) { self.offset = offset }

    var isEmpty: Bool { tokens.isEmpty }

    /// Adds a token; the first of a prompt has no log-probability.
    mutating func add(_ token: EngineToken, _ tokenizer: Tokenizer?) {
        tokens.append(.string(Self.spelling(token.bytes)))
        values.append(token.logprob.map { JSON(logprob: $0) } ?? .null)
        offsets.append(.integer(offset))
        // Bytes that begin a character; its others follow in later tokens.
        offset += token.bytes.count { $0 & 0xC0 != 0x80 }
        guard token.logprob != nil else {
            alternatives.append(.null)
            return
        }
        var object = JSON.Object()
        for alternative in token.top {
            let bytes = tokenizer?.decodeBytes(CollectionOfOne(alternative.id)) ?? []
            object[Self.spelling(bytes)] = JSON(logprob: alternative.logprob)
        }
        alternatives.append(.object(object))
    }

    mutating func append(_ other: CompletionLogprobs) {
        tokens += other.tokens
        values += other.values
        alternatives += other.alternatives
        offsets += other.offsets
        offset = other.offset
    }

    /// Part of a character is spelled in bytes, as OpenAI does.
    private static func spelling(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        let digits = Array("0123456789abcdef")
        return "bytes:" + bytes.map { "\\x\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
    }

    var json: JSON {
        [
            "tokens": .array(tokens), "token_logprobs": .array(values), "top_logprobs": .array(alternatives),
            "text_offset": .array(offsets),
        ]
    }
}
