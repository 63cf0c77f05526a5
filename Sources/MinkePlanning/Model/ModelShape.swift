import MinkeFiles

/// What planning needs to know of a model: its sizes, in the field's names.
///
/// Counts are `Double`: they exceed what anyone multiplies exactly, and can be given instead of shapes.
public struct ModelShape: Sendable, Equatable {
    /// How queries, keys and values are made.
    public enum Attention: Sendable, Equatable {
        /// Multi-head latent attention; `queryRank` nil: queries come straight from the hidden state.
        case latent(queryRank: Double?, rank: Double, nope: Double, rope: Double, value: Double)
        /// Heads that share keys and values in groups; as many groups as heads is multi-head attention.
        case grouped(keyValueHeads: Double, headDimension: Double)
    }

    /// Feed-forward networks of which a token uses a few.
    public struct Experts: Sendable, Equatable {
        public var routed: Double
        public var shared: Double
        public var perToken: Double
        public var width: Double

        public init(routed: Double, shared: Double, perToken: Double, width: Double) {
            self.routed = routed
            self.shared = shared
            self.perToken = perToken
            self.width = width
        }
    }

    public var name: String
    public var hidden: Double
    public var layers: Double
    public var heads: Double
    public var attention: Attention
    public var vocabulary: Double
    /// Width of dense SwiGLU layers.
    public var denseWidth: Double
    /// Layers without experts; all of them where there are no experts.
    public var denseLayers: Double
    public var experts: Experts?
    public var hasTiedEmbeddings = false
    /// Modules behind the last layer that predict further tokens.
    public var predictionModules = 0.0
    /// Parameters in all and per token that were stated instead of counted.
    public var stated: Stated?
    public var confidence: Confidence = .a
    public var source = ""

    /// Sizes that were stated where the shapes are not known.
    public struct Stated: Sendable, Equatable {
        public var total: Double
        public var active: Double

        public init(total: Double, active: Double) {
            self.total = total
            self.active = active
        }
    }

    public init(
        name: String, hidden: Double, layers: Double, heads: Double, attention: Attention, vocabulary: Double,
        denseWidth: Double, denseLayers: Double? = nil, experts: Experts? = nil
    ) {
        self.name = name
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.attention = attention
        self.vocabulary = vocabulary
        self.denseWidth = denseWidth
        self.denseLayers = experts == nil ? layers : denseLayers ?? 0
        self.experts = experts
    }

    /// A model of which only sizes are known. Attention is taken to be multi-head with heads of 128 over `hidden`, or
    /// over the width that a dense model of the active size and this depth has: √(active / (12 · layers)).
    ///
    /// - Throws: ``InputError`` where the sizes contradict each other.
    public init(
        parameters: Double, active: Double? = nil, layers: Double, hidden: Double? = nil, experts: Double? = nil,
        perToken: Double? = nil
    ) throws {
        let active = active ?? parameters
        guard active <= parameters else {
            throw InputError("--active is more than --params", remedy: "active parameters are a part of all")
        }
        let hidden = hidden ?? (active / (12 * layers)).squareRoot()
        self.init(
            name: active < parameters
                ? "\(Quantity.count(parameters))-A\(Quantity.count(active))" : Quantity.count(parameters),
            hidden: hidden, layers: layers, heads: hidden / 128,
            attention: .grouped(keyValueHeads: hidden / 128, headDimension: 128), vocabulary: 0, denseWidth: 0,
            experts: active < parameters
                ? Experts(routed: experts ?? 256, shared: 0, perToken: perToken ?? 8, width: 0) : nil)
        stated = Stated(total: parameters, active: active)
        confidence = .d
        source = "sizes given by the user; width and heads estimated"
        if let sparse = self.experts, sparse.perToken >= sparse.routed {
            throw InputError("a token uses all experts", remedy: "--experts-per-token must be below --experts")
        }
    }
}

extension ModelShape {
    public var expertLayers: Double { experts == nil ? 0 : layers - denseLayers }

    /// Weights of one layer's attention.
    public var attentionParameters: Double {
        switch attention {
        case .latent(let queryRank, let rank, let nope, let rope, let value):
            let queries = heads * (nope + rope)
            return (queryRank.map { hidden * $0 + $0 * queries } ?? hidden * queries) + hidden * (rank + rope)
                + rank * heads * (nope + value) + heads * value * hidden
        case .grouped(let keyValueHeads, let dimension):
            return hidden * dimension * (2 * heads + 2 * keyValueHeads)
        }
    }

    /// Weights of one expert.
    public var expertParameters: Double {
        guard let experts else { return 0 }
        if let stated {
            // What a token does not use is routed experts: (total − active) = all of them · (1 − k/E).
            let routed = (stated.total - stated.active) / (1 - experts.perToken / experts.routed)
            return routed / experts.routed / max(1, expertLayers)
        }
        return 3 * hidden * experts.width
    }

    /// All routed experts' weights.
    public var routedParameters: Double { expertLayers * expertParameters * (experts?.routed ?? 0) }

    /// Weights of matrices that one token is multiplied with: the head included, the embedding's rows not.
    public var multipliedParameters: Double {
        if let stated { return stated.active }
        let sparse =
            experts.map { expertParameters * ($0.shared + $0.perToken) + hidden * $0.routed } ?? 0
        return layers * attentionParameters + denseLayers * 3 * hidden * denseWidth + expertLayers * sparse
            + vocabulary * hidden
    }

    /// All weights, embedding and norms included, without prediction modules.
    public var totalParameters: Double {
        if let stated { return stated.total }
        let latentNorms: Double =
            if case .latent(let queryRank, let rank, _, _, _) = attention { (queryRank ?? 0) + rank } else { 0 }
        let norms = layers * (2 * hidden + latentNorms) + hidden
        let unused = experts.map { expertLayers * expertParameters * ($0.routed - $0.perToken) } ?? 0
        return multipliedParameters + unused + (hasTiedEmbeddings ? 0 : vocabulary * hidden) + norms
    }

    /// Weights of the prediction modules: all, and those a token uses.
    public var predictionParameters: (total: Double, active: Double) {
        guard stated == nil, predictionModules > 0 else { return (0, 0) }
        let common = 2 * hidden * hidden + attentionParameters
        guard let experts else {
            let dense = common + 3 * hidden * denseWidth
            return (predictionModules * dense, predictionModules * (dense + vocabulary * hidden))
        }
        let router = hidden * experts.routed
        let all = common + router + expertParameters * (experts.routed + experts.shared)
        let active = common + router + expertParameters * (experts.perToken + experts.shared) + vocabulary * hidden
        return (predictionModules * all, predictionModules * active)
    }

    /// Widths of all heads' queries and values, as whole sequences use them (latents expanded).
    public var attentionWidth: Double {
        switch attention {
        case .latent(_, _, let nope, let rope, let value): heads * (nope + rope + value)
        case .grouped(_, let dimension): heads * 2 * dimension
        }
    }

    /// The same in decoding, where latent attention works on the cached latents themselves.
    public var decodingWidth: Double {
        switch attention {
        case .latent(_, let rank, _, let rope, _): heads * (2 * rank + rope)
        case .grouped: attentionWidth
        }
    }

    /// Values that the cache keeps of one token in all layers.
    public var cachedValues: Double {
        switch attention {
        case .latent(_, let rank, _, let rope, _): layers * (rank + rope)
        case .grouped(let keyValueHeads, let dimension): layers * 2 * keyValueHeads * dimension
        }
    }

    /// What the cache would keep with heads of the same widths in `groups` groups; nil: every head for itself.
    public func cachedValues(groups: Double?) -> Double {
        layers * attentionWidth * min(1, (groups ?? heads) / max(1, heads))
    }
}

/// Which keys a query attends to, for counting.
public enum AttentionCount: String, Sendable, CaseIterable {
    case causal
    /// As if every query attended to the whole sequence, as some papers count.
    case full
    /// Weights only.
    case none

    /// Mean number of keys of a query in a sequence of `length`.
    func keys(_ length: Double) -> Double {
        switch self {
        case .causal: (length + 1) / 2
        case .full: length
        case .none: 0
        }
    }
}

extension ModelShape {
    /// Multiplications and additions of one token's forward pass: 2 N + 2 L s_eff H (d_qk + d_v).
    public func forwardOperations(length: Double, counting: AttentionCount = .causal, predicting: Bool = false)
        -> Double
    {
        let depth = layers + (predicting ? predictionModules : 0)
        return 2 * (multipliedParameters + (predicting ? predictionParameters.active : 0))
            + 2 * depth * counting.keys(length) * attentionWidth
    }
}
