import MinkeFiles
import MinkeGeneration

/// Serves many requests at once with one model: continuous batching over a shared cache.
///
/// ```swift
/// let engine = Engine(try TextModel(contentsOf: "models/whale"))
///
/// func answer(_ question: String, to user: String) async throws {
///     let prompt = try engine.model.encode(question)
///     for await event in try engine.submit(EngineRequest(prompt: prompt, maximumTokens: 100, scope: user)) {
///         if case .token(let token) = event { print(token.text, terminator: "") }
///     }
/// }
/// ```
public final class Engine: Sendable {
    public let model: TextModel
    public let options: EngineOptions

    /// - Parameter options: how requests share the model.
    public init(_ model: TextModel, options: EngineOptions = EngineOptions()) {
        self.model = model
        self.options = options
    }

    /// Tokens that a prompt and its answer have together at most.
    public var contextLength: Int { options.contextLength ?? model.configuration.maxPositionEmbeddings }

    /// Takes a request.
    ///
    /// - Returns: what happens to it; see ``EngineStream`` for how it is cancelled.
    public func submit(_ request: EngineRequest) throws(EngineError) -> EngineStream {
        throw .shuttingDown
    }

    /// The mean of the states after the final norm over each text's tokens.
    ///
    /// - Returns: one vector a text, `[hidden]`, not normalised.
    /// - Throws: ``EngineError``, ``InputError`` when weights could not be read, `CancellationError`.
    public func embeddings(of texts: [[Int32]], scope: String = "") async throws -> [[Float]] {
        throw EngineError.shuttingDown
    }

    /// What the engine does now and has done.
    public var statistics: EngineStatistics { EngineStatistics() }

    /// Takes no more requests, and waits until those that it took are over.
    public func drain() async {}

    /// Takes no more requests, cancels those that it took, and waits until they are gone.
    public func shutdown() async {}
}
