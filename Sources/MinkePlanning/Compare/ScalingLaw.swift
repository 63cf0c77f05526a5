#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
import MinkeFiles

/// A fit of the loss by size and data: L(N, D) = E + A / N^a + B / D^b, in nats per token of the authors' text.
public struct ScalingLaw: Sendable, Equatable {
    public var name: String
    public var irreducible: Double
    public var sizeFactor: Double
    public var sizeExponent: Double
    public var dataFactor: Double
    public var dataExponent: Double
    public var confidence: Confidence
    public var source: String

    public init(
        name: String, irreducible: Double, sizeFactor: Double, sizeExponent: Double, dataFactor: Double,
        dataExponent: Double, confidence: Confidence, source: String
    ) {
        self.name = name
        self.irreducible = irreducible
        self.sizeFactor = sizeFactor
        self.sizeExponent = sizeExponent
        self.dataFactor = dataFactor
        self.dataExponent = dataExponent
        self.confidence = confidence
        self.source = source
    }

    public static let hoffmann = ScalingLaw(
        name: "hoffmann", irreducible: 1.69, sizeFactor: 406.4, sizeExponent: 0.34, dataFactor: 410.7,
        dataExponent: 0.28, confidence: .a, source: "Hoffmann et al. 2022, approach 3")

    /// The fit that agrees with about 20 tokens per parameter at Chinchilla's own budget.
    public static let epoch = ScalingLaw(
        name: "epoch", irreducible: 1.8172, sizeFactor: 482.01, sizeExponent: 0.3478, dataFactor: 2085.43,
        dataExponent: 0.3658, confidence: .c, source: "Besiroglu et al. (Epoch) 2024")

    public static let known = [epoch, hoffmann]

    public func loss(parameters: Double, tokens: Double) -> Double {
        irreducible + sizeFactor / pow(parameters, sizeExponent) + dataFactor / pow(tokens, dataExponent)
    }

    /// The best size and number of tokens for a budget of `operations` = 6 N D.
    public func optimum(operations: Double) -> (parameters: Double, tokens: Double) {
        let sum = sizeExponent + dataExponent
        let g = pow(sizeExponent * sizeFactor / (dataExponent * dataFactor), 1 / sum)
        let parameters = g * pow(operations / 6, dataExponent / sum)
        return (parameters, operations / 6 / parameters)
    }

    /// The tokens that bring a model of this size to `loss`; nil where no number of them does.
    public func tokens(parameters: Double, loss: Double) -> Double? {
        let remainder = loss - irreducible - sizeFactor / pow(parameters, sizeExponent)
        guard remainder > 0 else { return nil }
        let tokens = pow(dataFactor / remainder, 1 / dataExponent)
        return tokens.isFinite ? tokens : nil
    }
}

/// How large a dense model a sparse one equals on the same tokens.
///
/// Efficiency leverage – dense over sparse arithmetic at equal loss – grows with the ratio of all to active parameters.
/// No published law of it was established, so that it is interpolated: leverage = ratio^e through 1 for a dense model
/// and through a published pair. Each pair gives an exponent; that they differ is the uncertainty.
public struct SparseAnchor: Sendable {
    /// A sparse and a dense model that reach the same quality on the same tokens.
    public struct Pair: Sendable {
        public let total: Double
        public let active: Double
        public let dense: Double
        public let source: String

        /// e of leverage = (total / active)^e.
        public var exponent: Double { log(dense / active) / log(total / active) }
    }

    /// 0.85 B active of 17.5 B equals 6.1 B dense on the same 10¹² tokens.
    public static let ling = Pair(
        total: 17.5e9, active: 0.85e9, dense: 6.1e9, source: "Ling, arXiv 2507.17702: more than 7 × less compute")
    /// 2.8 B active of 16.4 B equals Llama 2 7B with 74.4 against 187.9 TFLOP per 4,096 tokens.
    public static let deepSeekMoE = Pair(
        total: 16.4e9, active: 2.8e9, dense: 2.8e9 * 187.9 / 74.4,
        source: "DeepSeekMoE-16B, arXiv 2401.06066: about 40 % of Llama 2 7B's compute")

    /// Exponents: the weakest, the stated, the strongest.
    public var low: Double
    public var middle: Double
    public var high: Double

    /// The stated anchor, down to the weaker pair and as far up.
    public init(low: Double? = nil, middle: Double? = nil, high: Double? = nil) {
        self.middle = middle ?? Self.ling.exponent
        self.low = low ?? min(self.middle, Self.deepSeekMoE.exponent)
        self.high = high ?? 2 * self.middle - self.low
    }

    /// Dense over sparse arithmetic at equal loss; 1 for a model without experts.
    public func leverage(_ shape: ModelShape, exponent: Double) -> Double {
        guard shape.experts != nil else { return 1 }
        return pow(max(1, shape.totalParameters / shape.multipliedParameters), exponent)
    }

    /// The dense model that `shape` equals.
    public func denseEquivalent(_ shape: ModelShape, exponent: Double) -> Double {
        shape.multipliedParameters * leverage(shape, exponent: exponent)
    }
}
