import MinkeEngine
import MinkeFiles
import MinkeTokenization

/// What there is to know about the model, and what it makes of texts beside answers.
extension ModelService {
    func listModels(_ request: APIRequest) throws -> APIReply { .json(["object": "list", "data": [modelCard]]) }

    func describeModel(_ request: APIRequest) throws -> APIReply {
        try check(model: request.parameter)
        return .json(modelCard)
    }

    private var modelCard: JSON {
        let configuration = engine.model.configuration
        return [
            "id": .string(name), "object": "model", "created": .integer(created), "owned_by": "minke",
            // The name that vLLM's clients look for.
            "max_model_len": .integer(engine.contextLength),
            "meta": [
                "architecture": .string(configuration.family.rawValue),
                "vocab_size": .integer(configuration.vocabSize),
                "hidden_size": .integer(configuration.hiddenSize),
                "context_length": .integer(engine.contextLength),
                "chat": .bool(chats),
            ],
        ]
    }

    // MARK: Embeddings

    private enum EncodingFormat: String, CaseIterable { case float, base64 }

    /// The mean over a text's tokens of the states after the final norm, not normalised.
    func embed(_ request: APIRequest) async throws -> APIReply {
        let fields = try Fields(request.body)
        try check(model: fields.string("model"))
        let format = try fields.word("encoding_format", EncodingFormat.self) ?? .float
        let width = engine.model.configuration.hiddenSize
        if fields["dimensions"] != nil, try fields.integer("dimensions", width...width) == nil {
            throw fields.failure("dimensions", "\(width)")
        }
        let (vectors, tokens) = try await embeddings(fields, request)
        let data: [JSON] = vectors.enumerated().map { index, vector in
            [
                "object": "embedding", "index": .integer(index),
                "embedding": format == .float
                    ? .array(vector.map { .number(Double("\($0)") ?? Double($0)) })
                    : .string(Base64.text(of: vector)),
            ]
        }
        return .json([
            "object": "list", "data": .array(data), "model": .string(name),
            "usage": ["prompt_tokens": .integer(tokens), "total_tokens": .integer(tokens)],
        ])
    }

    /// The embeddings of the field `input`, and how many tokens it has.
    func embeddings(_ fields: Fields, _ request: APIRequest) async throws -> (vectors: [[Float]], tokens: Int) {
        guard let input = fields["input"] else {
            throw fields.failure("input", "a string, an array of strings, or token ids")
        }
        let texts = try CompletionRequest.prompts(
            input, fields, "input", vocabulary: engine.model.configuration.vocabSize
        ).map { prompt in
            switch prompt {
            case .ids(let ids): return ids
            case .text(let text):
                guard let tokenizer = engine.model.tokenizer else { throw fields.failure("input", "token ids") }
                let ids = tokenizer.encode(text, parsingSpecialTokens: false)
                let beginning = tokenizer.addsBOS ? [tokenizer.bosToken].compactMap { $0 } : []
                guard !text.isEmpty else { throw fields.failure("input", "texts that are not empty") }
                return beginning + ids
            }
        }
        let tokens = texts.reduce(0) { $0 + $1.count }
        request.record.update { $0.promptTokens = tokens }
        let vectors: [[Float]]
        do {
            vectors = try await engine.embeddings(of: texts, scope: request.scope)
        } catch is CancellationError where !Task.isCancelled {
            throw APIError.shuttingDown
        }
        request.record.update { $0.finishReason = "stop" }
        return (vectors, tokens)
    }

    // MARK: Tokens

    /// The tokens of a text, or of a conversation as the model gets it. Text is named `prompt` (vLLM) or `content`
    /// (llama.cpp).
    func tokenize(_ request: APIRequest) throws -> APIReply {
        let fields = try Fields(request.body)
        try check(model: fields.string("model"))
        let tokenizer = try tokenizer()
        let ids: [Int32]
        if fields["messages"] != nil {
            let job = try ChatRequest(request.body, vocabulary: engine.model.configuration.vocabSize).job
            ids = try generation(job, scope: request.scope).requests[0].prompt
        } else {
            guard let text = try fields.string("prompt") ?? fields.string("content") else {
                throw fields.failure("prompt", "a string, or content or messages given instead")
            }
            let addsBeginning =
                try fields.bool("add_special_tokens") ?? fields.bool("add_special") ?? tokenizer.addsBOS
            let parses = try fields.bool("parse_special") ?? true
            let plain = tokenizer.encode(text, parsingSpecialTokens: parses)
            let beginning = addsBeginning ? [tokenizer.bosToken].compactMap { $0 } : []
            ids = (plain.first == beginning.first ? [] : beginning) + plain
        }
        var object: JSON.Object = [
            "tokens": .array(ids.map { .integer(Int($0)) }), "count": .integer(ids.count),
            "max_model_len": .integer(engine.contextLength),
        ]
        if try fields.bool("return_token_strs") ?? fields.bool("with_pieces") ?? false {
            object["token_strs"] = .array(
                ids.map { .string(String(decoding: tokenizer.decodeBytes(CollectionOfOne($0)), as: UTF8.self)) })
        }
        return .json(.object(object))
    }

    func detokenize(_ request: APIRequest) throws -> APIReply {
        let fields = try Fields(request.body)
        try check(model: fields.string("model"))
        let tokenizer = try tokenizer()
        let list = try fields.list("tokens")
        let vocabulary = engine.model.configuration.vocabSize
        guard let list,
            let ids = list.isEmpty ? [] : try CompletionRequest.ids(list, fields, "tokens", vocabulary: vocabulary)
        else { throw fields.failure("tokens", "an array of token ids") }
        let text = JSON.string(tokenizer.decode(ids))
        return .json(["prompt": text, "content": text])
    }
}

/// Bytes as text (RFC 4648).
enum Base64 {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Numbers as little-endian IEEE 754.
    static func text(of numbers: [Float]) -> String {
        text(of: numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> ($0 * 8)) } })
    }

    static func text(of bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << (16 - 8 * UInt32($1.offset)) }
            for place in 0..<4 {
                let letter = letters[Int(bits >> (18 - 6 * UInt32(place)) & 63)]
                text.append(place <= group.count ? letter : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
