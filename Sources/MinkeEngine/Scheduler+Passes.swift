import MinkeFiles
import MinkeModel
import MinkeTensors

/// The passes of a step.
extension Scheduler {
    /// Generated tokens of one sequence that are computed again in one pass.
    private static let repeatedTokens = 8

    /// One token for every sequence that decodes, in one pass.
    ///
    /// - Throws: ``InputError`` when weights could not be read.
    func decode(_ model: LanguageModel) throws {
        var batch: [ActiveSequence] = []
        // The oldest first: who loses its cache to another is younger, and not in the batch yet.
        for sequence in running where sequence.isDecoding && sequence.cache != nil {
            if reserve(1, for: sequence) { batch.append(sequence) }
        }
        guard !batch.isEmpty else { return }
        if counted.batchSizes.count <= batch.count {
            counted.batchSizes += Array(repeating: 0, count: batch.count + 1 - counted.batchSizes.count)
        }
        counted.batchSizes[batch.count] += 1
        let states = model.extend(
            batch.map { [$0.ids[$0.ids.count - 1]] }, caches: batch.compactMap(\.cache), keepsRowsApart: true)
        try model.checkReads()
        choose(batch, model.logits(of: states, keepsRowsApart: true))
    }

    /// A bounded piece of prompts, one pass after the other; sequences take turns.
    ///
    /// - Throws: ``InputError`` when weights could not be read.
    func runPrompts(_ model: LanguageModel) throws {
        var rest = chunk
        while rest > 0, let sequence = nextPrompt() {
            // A pass has its cost, however short it is.
            let tokens =
                sequence.cachedTokens < sequence.prompt.count
                ? try runPrompt(sequence, model) : try runAgain(sequence, model)
            rest -= max(tokens, chunk / 4)
        }
        tidy(ranPrompt: rest < chunk)
    }

    /// The next piece of a prompt. Returns how many tokens ran.
    private func runPrompt(_ sequence: ActiveSequence, _ model: LanguageModel) throws -> Int {
        let first = sequence.cachedTokens
        let end = min(sequence.prompt.count, (first / chunk + 1) * chunk)
        guard reserve(end - first, for: sequence), let cache = sequence.cache else { return 0 }
        let states = model.extend([Array(sequence.prompt[first..<end])], caches: [cache])
        try model.checkReads()
        if sequence.ticket.request.promptLogprobs { tellPrompt(sequence, first..<end, states, model) }
        if sequence.ticket.goal == .embedding { sequence.add(states) }
        share(sequence)
        guard end == sequence.prompt.count else { return end - first }
        switch sequence.ticket.goal {
        case .embedding:
            sequence.deliverEmbedding()
            self.end(sequence, .length)
        case .text where sequence.ticket.request.maximumTokens == 0:
            self.end(sequence, .length)
        case .text:
            // After it lost its cache, what comes next is known.
            guard sequence.ids.count == end else { break }
            choose([sequence], model.logits(of: states.rows(end - first - 1..<end - first), keepsRowsApart: true))
        }
        return end - first
    }

    /// Tokens that were generated before the sequence lost its cache, in the kind of pass in which they ran first.
    private func runAgain(_ sequence: ActiveSequence, _ model: LanguageModel) throws -> Int {
        let first = sequence.cachedTokens
        let end = min(sequence.ids.count - 1, first + Self.repeatedTokens)
        guard reserve(end - first, for: sequence), let cache = sequence.cache else { return 0 }
        _ = model.extend([Array(sequence.ids[first..<end])], caches: [cache], keepsRowsApart: true)
        try model.checkReads()
        return end - first
    }

    /// Chooses the next token of each sequence; one that fails disturbs no other.
    ///
    /// - Parameter logits: a row a sequence.
    private func choose(_ batch: [ActiveSequence], _ logits: Tensor) {
        var choices = [Result<TokenChooser.Choice, any Error>?](repeating: nil, count: batch.count)
        choices.withUnsafeMutableBufferPointer { choices in
            CPU.shared.parallel(batch.count) { row in
                choices[row] = Result { try batch[row].choose(logits.rows(row..<row + 1).values) }
            }
        }
        for (sequence, choice) in zip(batch, choices) {
            switch choice {
            case .success(let choice):
                counted.generatedTokens += 1
                let (token, reason) = sequence.take(choice)
                tell(sequence, .token(token))
                if let reason { end(sequence, reason) }
            case .failure(let error): fail(sequence, error)
            case nil: break
            }
        }
    }

    /// Rows of logits that exist at a time.
    private static let logitRows = 32

    /// Tells the prompt's tokens of some positions with their log-probabilities: the state before each says it.
    private func tellPrompt(
        _ sequence: ActiveSequence, _ range: Range<Int>, _ states: Tensor, _ model: LanguageModel
    ) {
        let prompt = sequence.prompt
        let alternatives = sequence.ticket.request.logprobs ?? 0
        if range.lowerBound == 0, sequence.toldPromptTokens == 0 {
            tell(sequence, .prompt([sequence.promptToken(TokenChooser.Choice(id: prompt[0]))]))
            sequence.toldPromptTokens = 1
        }
        let last = min(range.upperBound, prompt.count - 1)
        for first in stride(from: range.lowerBound, to: last, by: Self.logitRows) {
            let places = first..<min(last, first + Self.logitRows)
            // Told already before the cache was lost.
            guard places.upperBound >= sequence.toldPromptTokens else { continue }
            let rows = places.lowerBound - range.lowerBound..<places.upperBound - range.lowerBound
            let logits = model.logits(of: states.rows(rows))
            let tokens = places.map { place in
                let row = place - places.lowerBound
                return sequence.promptToken(
                    TokenChooser.logprobs(
                        of: prompt[place + 1], logits.rows(row..<row + 1).values, alternatives: alternatives))
            }
            tell(sequence, .prompt(tokens))
            sequence.toldPromptTokens = places.upperBound + 1
        }
    }

    /// What clients are told of an error: never a path.
    static func message(_ error: any Error) -> String {
        guard let error = error as? InputError else { return "the request could not be served" }
        return error.problem
    }
}
