import MinkeFiles

extension ModelService {
    var anthropicRoutes: [APIRoute] {
        [
            route(.post, "/v1/messages", dialect: .anthropic) { try await $0.createMessage($1) },
            route(.post, "/v1/messages/count_tokens", dialect: .anthropic) { try $0.countTokens($1) },
        ]
    }

    private func createMessage(_ request: APIRequest) async throws -> APIReply {
        let wanted = try MessagesRequest(request.body, needsLimit: true)
        try check(model: wanted.model)
        let generation = try generation(wanted.job, scope: request.scope)
        let answers = try answers(generation, for: request)
        let envelope = MessageEnvelope(id: "msg_" + clock.makeID(), model: name)
        if wanted.isStreamed {
            let writer = MessagesWriter(envelope, promptTokens: generation.requests[0].prompt.count)
            return .stream(.events, Self.frames(answers, writer))
        }
        var answer = ChatAnswer()
        for await step in answers.steps { answer.add(step, engine.model.tokenizer) }
        try Task.checkCancellation()
        return .json(try envelope.message(answer))
    }

    private func countTokens(_ request: APIRequest) throws -> APIReply {
        let wanted = try MessagesRequest(request.body, needsLimit: false)
        try check(model: wanted.model)
        let tokens = try generation(wanted.job, scope: request.scope).requests[0].prompt.count
        return .json(["input_tokens": .integer(tokens)])
    }
}
