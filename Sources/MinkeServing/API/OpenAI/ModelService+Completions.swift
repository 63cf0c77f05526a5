import MinkeEngine
import MinkeFiles
import MinkeTokenization

extension ModelService {
    /// A prompt of a completion: its tokens, and what a client sees of it.
    struct CompletionPrompt: Sendable {
        let ids: [Int32]
        /// The text as it was given, or that of its tokens.
        let text: String
        /// Tokens in front that the client did not give.
        let added: Int
    }

    func complete(_ request: APIRequest) async throws -> APIReply {
        let wanted = try CompletionRequest(request.body, vocabulary: engine.model.configuration.vocabSize)
        try check(model: wanted.model)
        let prompts = try wanted.prompts.map { try prompt($0, suffix: wanted.suffix) }
        // A chosen few are the likeliest a token.
        let ranks = wanted.candidates > wanted.settings.count
        var requests: [EngineRequest] = []
        for prompt in prompts {
            var engineRequest = engineRequest(prompt.ids, wanted.settings, scope: request.scope)
            engineRequest.stopStrings = wanted.settings.stop
            engineRequest.logprobs = wanted.settings.logprobs ?? (ranks ? 0 : nil)
            engineRequest.promptLogprobs = wanted.echoes && wanted.settings.logprobs != nil
            requests += engineRequest.drawn(wanted.candidates)
        }
        let answers = try answers(Generation(requests: requests), for: request)
        let envelope = Envelope(id: "cmpl-" + clock.makeID(), service: self)
        var choices = (0..<requests.count).map { index in
            CompletionChoice(
                prompts[index / wanted.candidates], echoes: wanted.echoes,
                hasLogprobs: wanted.settings.logprobs != nil, tokenizer: envelope.tokenizer)
        }
        if wanted.isStreamed {
            return .stream(
                .events,
                Self.frames(
                    answers,
                    CompletionChunkWriter(
                        envelope, choices, perPrompt: wanted.candidates, includesUsage: wanted.includesUsage)))
        }
        for await step in answers.steps { _ = choices[step.index].add(step) }
        try Task.checkCancellation()
        return .json(try Self.response(choices, wanted, envelope))
    }

    private static func response(
        _ choices: [CompletionChoice], _ wanted: CompletionRequest, _ envelope: Envelope
    ) throws -> JSON {
        var usage = Usage()
        var told: [JSON] = []
        for first in stride(from: 0, to: choices.count, by: wanted.candidates) {
            let candidates = choices[first..<first + wanted.candidates]
            for (index, choice) in candidates.enumerated() {
                usage.add(try choice.checkedEnd(), countsPrompt: index == 0)
            }
            let best =
                wanted.candidates > wanted.settings.count
                ? candidates.sorted { $0.meanLogprob > $1.meanLogprob } : Array(candidates)
            for choice in best.prefix(wanted.settings.count) { told.append(try choice.json(index: told.count)) }
        }
        var object = envelope.object("text_completion", choices: told)
        object["usage"] = usage.json
        return .object(object)
    }

    // MARK: Prompts

    /// The tokens of what a client wants continued.
    func prompt(_ prompt: CompletionRequest.Prompt, suffix: String?) throws -> CompletionPrompt {
        switch prompt {
        case .ids(let ids):
            guard suffix == nil else {
                throw APIError.invalid("suffix needs a prompt of text", parameter: "suffix")
            }
            return CompletionPrompt(ids: ids, text: engine.model.tokenizer?.decode(ids) ?? "", added: 0)
        case .text(let text):
            let tokenizer = try tokenizer()
            if let suffix {
                let ids = try Self.fillInTheMiddle(text, suffix, tokenizer)
                return CompletionPrompt(ids: ids, text: text, added: 0)
            }
            // The whole prompt is the client's own, so control tokens count in it.
            let plain = tokenizer.encode(text)
            let ids = try engine.model.encode(text)
            guard !ids.isEmpty else { throw APIError.invalid("the prompt is empty", parameter: "prompt") }
            return CompletionPrompt(ids: ids, text: text, added: ids.count - plain.count)
        }
    }

    /// The prompt for what stands between two texts, in neither of which control tokens count.
    private static func fillInTheMiddle(_ prefix: String, _ suffix: String, _ tokenizer: Tokenizer) throws -> [Int32] {
        let names = ["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"]
        let marks = names.compactMap { name in tokenizer.addedTokens.first { $0.content == name }?.id }
        guard marks.count == names.count else {
            throw APIError.invalid(
                "the model's vocabulary has no tokens for filling in the middle", parameter: "suffix",
                code: "suffix_not_supported")
        }
        let beginning = tokenizer.addsBOS ? [tokenizer.bosToken].compactMap { $0 } : []
        return beginning + [marks[0]] + tokenizer.encode(prefix, parsingSpecialTokens: false)
            + [marks[1]] + tokenizer.encode(suffix, parsingSpecialTokens: false) + [marks[2]]
    }
}
