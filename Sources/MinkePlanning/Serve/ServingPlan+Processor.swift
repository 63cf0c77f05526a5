/// Weights of one type in a model's file.
public struct StoredPart: Sendable, Equatable {
    public enum Use: Sendable {
        /// Each token is multiplied with a few of them.
        case experts
        /// Only tokens whose successor is wanted are multiplied with them.
        case head
        /// Every token is multiplied with all of them.
        case others
    }

    public let type: String
    public let bytes: Double
    public let use: Use

    public init(type: String, bytes: Double, use: Use) {
        self.type = type
        self.bytes = bytes
        self.use = use
    }
}

/// Times of a processor whose products were measured: what it does, it does one after the other.
extension ServingPlan {
    /// Tokens of a prompt that are computed at once.
    static let promptChunk = 2048.0
    /// Queries that attention works on side by side, whether there are so many or not.
    private static let lanes = 16.0

    /// The weights of the file, or all in the planned bits.
    private var parts: [StoredPart] {
        guard storedParts.isEmpty else { return storedParts }
        let used = shape.experts.map { shape.routedParameters * $0.perToken / $0.routed } ?? 0
        let head = shape.vocabulary * shape.hidden
        let others = max(0, shape.multipliedParameters - used - head)
        return [(shape.routedParameters, .experts), (head, .head), (others, .others)].map { weights, use in
            StoredPart(type: "", bytes: weights * weightBits / 8, use: use)
        }
    }

    /// Seconds of the products of a pass over `tokens` tokens with the weights of these uses.
    private func productSeconds(_ rates: ProcessorRates, tokens: Double, _ uses: Set<StoredPart.Use>) -> Double {
        let coverage = coverage(tokens)
        let chosen = shape.experts.map { tokens * $0.perToken / $0.routed / coverage } ?? 0
        return parts.reduce(0) { sum, part in
            guard uses.contains(part.use) else { return sum }
            let product = rates.product(type: part.type, bits: weightBits)
            return part.use == .experts
                ? sum + part.bytes * coverage * product.secondsPerByte(rows: chosen)
                : sum + part.bytes * product.secondsPerByte(rows: tokens)
        }
    }

    /// A step of decoding.
    func step(batch: Double, _ rates: ProcessorRates) -> Step {
        var width = shape.decodingWidth
        if case .latent = shape.attention {
            width *= (shape.heads / Self.lanes).rounded(.up) * Self.lanes / shape.heads
        }
        return Step(
            batch: batch, coverage: coverage(batch),
            products: productSeconds(rates, tokens: batch, [.experts, .head, .others]) / count,
            attention: 2 * shape.layers * context * batch * width / rates.attention / count)
    }

    /// Seconds of a prompt.
    func promptSeconds(_ rates: ProcessorRates) -> Double {
        let chunks = (prompt / Self.promptChunk).rounded(.up)
        let attention =
            2 * shape.layers * AttentionCount.causal.keys(prompt) * prompt * shape.attentionWidth / rates.attention
        let products =
            chunks * productSeconds(rates, tokens: prompt / chunks, [.experts, .others])
            + productSeconds(rates, tokens: 1, [.head])
        return (products + attention) / count
    }
}
