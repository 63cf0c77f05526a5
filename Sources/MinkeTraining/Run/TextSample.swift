import MinkeModel
import MinkeTensors
import MinkeTokenization

/// A short text from a model under training.
enum TextSample {
    private static let length = 200
    private static let temperature: Float = 0.8

    /// Text that starts from the beginning-of-sequence token, drawn at a moderate temperature.
    static func text(from model: LanguageModel, tokenizer: Tokenizer, seed: Int) throws -> String {
        let start = tokenizer.id(of: "\n") ?? tokenizer.encode("\n").first ?? 0
        let length = min(Self.length, model.configuration.maxPositionEmbeddings - 1)
        let cache = model.makeCache(capacity: length + 1)
        var ids: [Int32] = []
        var random = CounterRandom(seed: UInt64(seed), purpose: "sample")
        var logits = model.next([start], cache: cache)
        while ids.count < length {
            let next = draw(logits, uniform: random.uniform(), excluding: tokenizer)
            ids.append(next)
            if ids.count < length { logits = model.next([next], cache: cache) }
        }
        return tokenizer.decode(ids, skippingSpecialTokens: true)
    }

    private static func draw(_ logits: [Float], uniform: Float, excluding tokenizer: Tokenizer) -> Int32 {
        let top = logits.max() ?? 0
        let weights = logits.indices.map { index -> Double in
            tokenizer.isSpecial(Int32(index)) ? 0 : exponential(Double((logits[index] - top) / temperature))
        }
        var left = Double(uniform) * weights.reduce(0, +)
        for (index, weight) in weights.enumerated() {
            left -= weight
            if left < 0 { return Int32(index) }
        }
        return Int32(weights.indices.max { weights[$0] < weights[$1] } ?? 0)
    }
}
