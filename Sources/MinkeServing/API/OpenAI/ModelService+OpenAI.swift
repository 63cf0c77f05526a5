import MinkeEngine
import MinkeFiles
import MinkeTokenization

extension ModelService {
    var openAIRoutes: [APIRoute] {
        [
            route(.post, "/v1/chat/completions") { try await $0.completeChat($1) },
            route(.post, "/v1/completions") { try await $0.complete($1) },
            // Where DeepSeek has the beginnings of answers and suffixes.
            route(.post, "/beta/chat/completions") { try await $0.completeChat($1) },
            route(.post, "/beta/completions") { try await $0.complete($1) },
            route(.get, "/v1/models") { try $0.listModels($1) },
            route(.get, "/v1/models/{id}") { try $0.describeModel($1) },
            route(.post, "/v1/embeddings") { try await $0.embed($1) },
            route(.post, "/v1/tokenize") { try $0.tokenize($1) },
            route(.post, "/v1/detokenize") { try $0.detokenize($1) },
        ]
    }

    private func completeChat(_ request: APIRequest) async throws -> APIReply {
        let chatRequest = try ChatRequest(request.body, vocabulary: engine.model.configuration.vocabSize)
        try check(model: chatRequest.model)
        let job = chatRequest.job
        let running = try answers(generation(job, scope: request.scope), for: request)
        let envelope = Envelope(id: "chatcmpl-" + clock.makeID(), service: self)
        if chatRequest.isStreamed {
            let writer = ChatChunkWriter(
                envelope, count: job.settings.count, includesUsage: chatRequest.includesUsage,
                hasLogprobs: job.settings.logprobs != nil)
            return .stream(.events, Self.frames(running, writer))
        }
        var answers = [ChatAnswer](repeating: ChatAnswer(), count: job.settings.count)
        for await step in running.steps { answers[step.index].add(step, envelope.tokenizer) }
        try Task.checkCancellation()
        return .json(try ChatAnswer.response(answers, envelope, hasLogprobs: job.settings.logprobs != nil))
    }

    /// What the engine is asked for by a turn of a conversation.
    func generation(_ job: ChatJob, scope: String) throws -> Generation {
        _ = try tokenizer()
        guard let chat else {
            throw APIError.invalid(
                "the model has no chat template: use /v1/completions, or start the server with --template",
                parameter: "messages", code: "no_chat_template")
        }
        let prompt = try chat.prompt(job)
        let reader = try chat.reader(job, behind: prompt)
        let constraint = try chat.constraint(job, behind: prompt, reader: reader) { tokenTrie(chat.tokenizer) }
        var request = engineRequest(chat.tokenizer.encode(prompt), job.settings, scope: scope)
        request.stopTokens = chat.endTokens
        request.constraint = constraint
        return Generation(requests: request.drawn(job.settings.count), reader: reader)
    }

    /// A request of the engine with all settings but stop strings.
    func engineRequest(_ prompt: [Int32], _ settings: GenerationSettings, scope: String) -> EngineRequest {
        EngineRequest(
            prompt: prompt, maximumTokens: settings.maximumTokens ?? .max, sampling: settings.sampling,
            presencePenalty: settings.presencePenalty, frequencyPenalty: settings.frequencyPenalty,
            logitBias: settings.logitBias, ignoresStopTokens: settings.ignoresEnd, logprobs: settings.logprobs,
            scope: scope)
    }

    /// The frames that a writer makes of answers, as they come.
    static func frames(_ answers: Answers, _ writer: some FrameWriter) -> AsyncStream<[UInt8]> {
        let (frames, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        let task = Task {
            var writer = writer
            let opening = writer.begin()
            if !opening.isEmpty { continuation.yield(opening) }
            for await step in answers.steps {
                let bytes = writer.append(step)
                if !bytes.isEmpty { continuation.yield(bytes) }
            }
            continuation.yield(writer.finish())
            continuation.finish()
        }
        continuation.onTermination = { reason in
            guard case .cancelled = reason else { return }
            answers.cancel()
            task.cancel()
        }
        return frames
    }
}

/// Writes an answer as the frames of a stream.
protocol FrameWriter: Sendable {
    /// What comes in front of everything.
    mutating func begin() -> [UInt8]
    mutating func append(_ step: AnswerStep) -> [UInt8]
    /// What ends the stream.
    mutating func finish() -> [UInt8]
}

extension FrameWriter {
    mutating func begin() -> [UInt8] { [] }
}

extension EngineRequest {
    /// As many requests, each with a seed of its own, the first with this one's.
    func drawn(_ count: Int) -> [EngineRequest] {
        (0..<count).map { index in
            var request = self
            request.sampling.seed &+= UInt64(index)
            return request
        }
    }
}

/// What all parts of a reply have in common.
struct Envelope: Sendable {
    let id: String
    let created: Int
    let model: String
    let fingerprint: String
    let tokenizer: Tokenizer?

    init(id: String, service: ModelService) {
        self.id = id
        created = service.clock.seconds()
        model = service.name
        fingerprint = service.fingerprint
        tokenizer = service.engine.model.tokenizer
    }

    /// A reply of some kind around its choices.
    func object(_ kind: String, choices: [JSON]) -> JSON.Object {
        [
            "id": .string(id), "object": .string(kind), "created": .integer(created), "model": .string(model),
            "system_fingerprint": .string(fingerprint), "choices": .array(choices),
        ]
    }
}

extension JSON {
    /// A server-sent event of this value.
    var event: [UInt8] { Array("data: \(text())\n\n".utf8) }
}

enum EventStream {
    static let done = Array("data: [DONE]\n\n".utf8)
}
