import MinkeGeneration
import MinkeModel
import MinkeTokenization

/// A short text from a model under training.
enum TextSample {
    private static let length = 200

    /// Text that follows a line break, drawn at a moderate temperature.
    static func text(from model: LanguageModel, tokenizer: Tokenizer, seed: Int) throws -> String {
        let start = tokenizer.encode("\n").first ?? 0
        let options = GenerationOptions(
            maximumTokens: min(length, model.configuration.maxPositionEmbeddings - 1),
            sampling: SamplingOptions(temperature: 0.8, seed: UInt64(seed)), ignoresStopTokens: true)
        return try TextModel(model, tokenizer: tokenizer).generate(ids: [start], options: options).text
    }
}
