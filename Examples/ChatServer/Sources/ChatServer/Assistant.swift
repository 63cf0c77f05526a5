import Hummingbird
import Minke

/// A model and the way it is talked to.
struct Assistant: Sendable {
    private let engine: Engine
    private let tokenizer: Tokenizer
    /// Nil for a model that only continues text.
    private let template: ChatTemplate?

    init(model path: String) throws {
        let model = try TextModel(contentsOf: path)
        guard let tokenizer = model.tokenizer else { throw InputError("the model has no tokenizer", at: path) }
        self.tokenizer = tokenizer
        template = try ChatTemplate(path: path, tokenizer: tokenizer)
        engine = Engine(model, options: EngineOptions(maximumSequences: 4, queueLimit: 16))
    }

    /// The answer to a question as it comes. All answers that are under way share the passes through the model.
    func answer(_ question: String) throws -> EngineStream {
        do {
            let prompt = try prompt(question)
            return try engine.submit(
                EngineRequest(prompt: prompt, maximumTokens: 512, sampling: SamplingOptions(temperature: 0.7)))
        } catch EngineError.queueFull(let wait) {
            let headers: HTTPFields = [.retryAfter: "\(max(1, wait.components.seconds))"]
            throw HTTPError(.tooManyRequests, headers: headers, message: "too many questions at once")
        } catch {
            throw HTTPError(.badRequest, message: "\(error)")
        }
    }

    private func prompt(_ question: String) throws -> [Int32] {
        guard let template else { return try engine.model.encode(question, parsingSpecialTokens: false) }
        let conversation = ChatConversation([ChatMessage(role: "user", content: question)])
        return tokenizer.encode(try template.render(conversation))
    }
}
