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
        let chosen = shape.experts.map { Self.binomial(tokens, $0.perToken / $0.routed) } ?? []
        return parts.reduce(0) { sum, part in
            guard uses.contains(part.use) else { return sum }
            let product = rates.product(type: part.type, bits: weightBits)
            return part.use == .experts
                ? chosen.reduce(sum) {
                    $0 + part.bytes * $1.probability * product.secondsPerByte(rows: $1.rows)
                } : sum + part.bytes * product.secondsPerByte(rows: tokens)
        }
    }

    /// How likely an expert is to get so many of `tokens` tokens, each of which chooses it with this chance. What is
    /// less than a billionth as likely as the likeliest number is left out, and so is none, which costs nothing.
    ///
    /// A product's time is no straight line of its rows, so that the mean number of rows would not give its mean.
    private static func binomial(_ tokens: Double, _ chance: Double) -> [(rows: Double, probability: Double)] {
        let (whole, mean) = (tokens.rounded(), tokens * chance)
        guard chance < 1, mean < longestRows else { return [(mean, 1)] }
        // By ratios of neighbours, from the likeliest outwards, since the likelihood of none may be too small to write.
        let likeliest = ((whole + 1) * chance).rounded(.down)
        var list = [(rows: likeliest, probability: 1.0)]
        while let last = list.last, last.rows < whole, last.probability > 1e-9 {
            let ratio = (whole - last.rows) / (last.rows + 1) * chance / (1 - chance)
            list.append((last.rows + 1, last.probability * ratio))
        }
        list.reverse()
        while let last = list.last, last.rows > 0, last.probability > 1e-9 {
            let ratio = last.rows / (whole - last.rows + 1) * (1 - chance) / chance
            list.append((last.rows - 1, last.probability * ratio))
        }
        let sum = list.reduce(0) { $0 + $1.probability }
        return list.filter { $0.rows > 0 }.map { ($0.rows, $0.probability / sum) }
    }

    /// Rows beyond which a product's time grows evenly.
    private static let longestRows = 256.0

    /// A step of decoding.
    func step(batch: Double, _ rates: ProcessorRates) -> Step {
        var width = shape.decodingWidth
        if case .latent = shape.attention {
            width *= (shape.heads / Self.lanes).rounded(.up) * Self.lanes / shape.heads
        }
        return Step(
            batch: batch, coverage: coverage(batch),
            products: productSeconds(rates, tokens: batch, [.experts, .head, .others]) / count / productShare,
            attention: 2 * shape.layers * context * batch * width / rates.attention / count / productShare)
    }

    /// Seconds of a prompt.
    func promptSeconds(_ rates: ProcessorRates) -> Double {
        let chunks = (prompt / Self.promptChunk).rounded(.up)
        let attention =
            2 * shape.layers * AttentionCount.causal.keys(prompt) * prompt * shape.attentionWidth / rates.attention
        let products =
            chunks * productSeconds(rates, tokens: prompt / chunks, [.experts, .others])
            + productSeconds(rates, tokens: 1, [.head])
        return (products + attention) / count / productShare
    }
}
