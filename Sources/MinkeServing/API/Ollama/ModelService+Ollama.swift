import MinkeEngine
import MinkeFiles
import MinkeTokenization

extension ModelService {
    var ollamaRoutes: [APIRoute] {
        [
            route(.post, "/api/chat", dialect: .ollama) { try await $0.ollamaChat($1) },
            route(.post, "/api/generate", dialect: .ollama) { try await $0.ollamaGenerate($1) },
            route(.post, "/api/embed", dialect: .ollama) { try await $0.ollamaEmbed($1) },
            route(.get, "/api/tags", dialect: .ollama) { service, _ in .json(service.ollamaList) },
            route(.get, "/api/ps", dialect: .ollama) { service, _ in .json(service.ollamaList) },
            route(.post, "/api/show", dialect: .ollama) { try $0.ollamaShow($1) },
            route(.get, "/api/version", dialect: .ollama) { service, _ in .json(["version": .string(service.version)])
            },
        ]
    }

    /// Names without a tag mean the latest.
    private func check(ollamaModel name: String?) throws {
        try check(model: name.map { $0.hasSuffix(":latest") ? String($0.dropLast(":latest".count)) : $0 })
    }

    // MARK: Answers

    private func ollamaChat(_ request: APIRequest) async throws -> APIReply {
        let wanted = try OllamaRequest(request.body)
        try check(ollamaModel: wanted.model)
        let writer = OllamaWriter(.chat, model: wanted.model ?? name, clock: clock)
        guard let job = try wanted.chatJob() else { return .json(writer.loaded()) }
        return try await answer(generation(job, scope: request.scope), writer, wanted, request)
    }

    private func ollamaGenerate(_ request: APIRequest) async throws -> APIReply {
        let wanted = try OllamaRequest(request.body)
        try check(ollamaModel: wanted.model)
        let writer = OllamaWriter(.generate, model: wanted.model ?? name, clock: clock)
        let fields = wanted.fields
        let prompt = try fields.string("prompt") ?? ""
        guard !prompt.isEmpty else { return .json(writer.loaded()) }
        guard try (fields.list("images") ?? []).isEmpty else {
            throw APIError.invalid("images are not supported", parameter: "images")
        }
        let suffix = try fields.string("suffix").flatMap { $0.isEmpty ? nil : $0 }
        let isRaw = try fields.bool("raw") ?? false
        let system = try fields.string("system")
        let generation: Generation
        if chat != nil, !isRaw, suffix == nil {
            var messages = [ChatMessage(role: "user", content: prompt)]
            if let system, !system.isEmpty { messages.insert(ChatMessage(role: "system", content: system), at: 0) }
            generation = try self.generation(wanted.job(messages), scope: request.scope)
        } else {
            generation = try textGeneration(prompt, suffix: suffix, wanted, scope: request.scope)
        }
        return try await answer(generation, writer, wanted, request)
    }

    /// A text that is continued as it is.
    private func textGeneration(
        _ prompt: String, suffix: String?, _ wanted: OllamaRequest, scope: String
    ) throws -> Generation {
        let prompt = try self.prompt(.text(prompt), suffix: suffix)
        var request = engineRequest(prompt.ids, wanted.settings, scope: scope)
        request.stopStrings = wanted.settings.stop
        request.constraint = try textConstraint(wanted.format)
        return Generation(requests: [request])
    }

    /// What a text that is no answer must be.
    private func textConstraint(_ format: ChatJob.Format) throws -> (any TokenConstraint)? {
        if case .text = format { return nil }
        let tokenizer = try tokenizer()
        return try format.constraint(tokenTrie(tokenizer), endTokens: engine.model.stopTokens)
    }

    private func answer(
        _ generation: Generation, _ writer: OllamaWriter, _ wanted: OllamaRequest, _ request: APIRequest
    ) async throws -> APIReply {
        let answers = try answers(generation, for: request)
        if wanted.isStreamed { return .stream(.lines, Self.frames(answers, writer)) }
        var answer = ChatAnswer()
        for await step in answers.steps { answer.add(step, engine.model.tokenizer) }
        try Task.checkCancellation()
        return .json(try writer.whole(answer))
    }

    private func ollamaEmbed(_ request: APIRequest) async throws -> APIReply {
        let fields = try Fields(request.body)
        let name = try fields.string("model")
        try check(ollamaModel: name)
        let start = clock.nanoseconds()
        let (vectors, tokens) = try await embeddings(fields, request)
        return .json([
            "model": .string(name ?? self.name),
            "embeddings": .array(vectors.map { .array($0.map { .number(Double("\($0)") ?? Double($0)) }) }),
            "total_duration": .integer(clock.nanoseconds() - start), "load_duration": 0,
            "prompt_eval_count": .integer(tokens),
        ])
    }

    // MARK: The model

    private var ollamaDetails: JSON {
        let family = engine.model.configuration.family.rawValue
        return [
            "parent_model": "", "format": "", "family": .string(family), "families": [.string(family)],
            "parameter_size": .string(Self.size(parameterCount)), "quantization_level": "",
        ]
    }

    private static func size(_ count: Int) -> String {
        let units: [(Double, String)] = [(1e9, "B"), (1e6, "M"), (1e3, "K")]
        guard let (unit, name) = units.first(where: { Double(count) >= $0.0 }) else { return "\(count)" }
        return "\((Double(count) / unit * 10).rounded() / 10)\(name)"
    }

    private var ollamaList: JSON {
        [
            "models": [
                [
                    "name": .string(name), "model": .string(name),
                    "modified_at": .string(UTCTime.text(nanoseconds: created * 1_000_000_000)),
                    "size": .integer(weightBytes), "size_vram": 0, "digest": .string(digest),
                    "details": ollamaDetails, "context_length": .integer(engine.contextLength),
                ]
            ]
        ]
    }

    private func ollamaShow(_ request: APIRequest) throws -> APIReply {
        let fields = try Fields(request.body)
        try check(ollamaModel: fields.string("model") ?? fields.string("name"))
        let configuration = engine.model.configuration
        let family = configuration.family.rawValue
        var abilities: [JSON] = ["completion"]
        if let chat, chat.syntax.calls != .none { abilities.append("tools") }
        return .json([
            "modelfile": "", "parameters": "", "template": "", "details": ollamaDetails,
            "model_info": [
                "general.architecture": .string(family), "general.parameter_count": .integer(parameterCount),
                "\(family).context_length": .integer(engine.contextLength),
                "\(family).embedding_length": .integer(configuration.hiddenSize),
                "\(family).block_count": .integer(configuration.numHiddenLayers),
            ],
            "capabilities": .array(abilities),
            "modified_at": .string(UTCTime.text(nanoseconds: created * 1_000_000_000)),
        ])
    }
}
