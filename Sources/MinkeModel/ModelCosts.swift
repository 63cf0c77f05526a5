/// What a configuration costs, counted from its shapes.
public struct ModelCosts: Sendable {
    /// One line of the count.
    public struct Part: Sendable {
        public let name: String
        /// All weights of the part.
        public let total: Int
        /// Weights that one token uses.
        public let active: Int
    }

    /// Parts in the order of the model. Prediction modules are listed but not active.
    public let parts: [Part]
    /// Weights of matrices that one token is multiplied with, the output head included.
    private let multiplied: Int
    /// Weights of tables that are read row by row.
    private let tableParameters: Int
    private let configuration: ModelConfiguration

    public init(_ c: ModelConfiguration) {
        configuration = c
        let h = c.hiddenSize
        let heads = c.numAttentionHeads
        let attention: Int
        let attentionNorms: Int
        if c.family.isLatent {
            let queries = heads * c.qkHeadDim
            let queryWeights = c.qLoraRank.map { h * $0 + $0 * queries } ?? h * queries
            attention =
                queryWeights + h * (c.kvLoraRank + c.qkRopeHeadDim)
                + c.kvLoraRank * heads * (c.qkNopeHeadDim + c.vHeadDim) + heads * c.vHeadDim * h
            attentionNorms = (c.qLoraRank ?? 0) + c.kvLoraRank
        } else {
            attention = 4 * h * heads * c.vHeadDim
            attentionNorms = 0
        }
        let matrices = c.extensions.activation.inputs.count + 1
        let dense = matrices * h * c.intermediateSize
        let expert = matrices * h * c.moeIntermediateSize
        let router = h * c.nRoutedExperts
        let sparseLayers = (0..<c.numHiddenLayers).filter { c.isSparse(layer: $0) }.count
        let denseLayers = c.numHiddenLayers - sparseLayers
        let n = c.numHiddenLayers
        let headNorms =
            !c.extensions.normalizesQueries ? 0 : c.family.isLatent ? c.qkHeadDim + c.qkRopeHeadDim : 2 * c.vHeadDim
        let norms = n * (2 * h + attentionNorms + headNorms) + h
        let activeExperts = c.numExpertsPerTok + c.nSharedExperts
        let bias = c.topkMethod == .biased ? c.nRoutedExperts : 0
        var parts = [
            Part(name: "embedding", total: c.vocabSize * h, active: h),
            Part(name: "attention", total: n * attention, active: n * attention),
        ]
        let orders = c.extensions.ngramOrders.count
        let values = c.extensions.valueEmbeddingOrder > 0 ? n : 0
        let valueWidth = c.family.isLatent ? c.kvLoraRank : heads * c.vHeadDim
        tableParameters =
            orders * h * c.extensions.ngramTableRows
            + values * valueWidth * c.extensions.valueEmbeddingRows(vocabSize: c.vocabSize)
        if tableParameters > 0 {
            parts.append(
                Part(name: "conditional memory", total: tableParameters, active: orders * h + values * valueWidth))
        }
        if denseLayers > 0 {
            parts.append(Part(name: "dense feed-forward", total: denseLayers * dense, active: denseLayers * dense))
        }
        if sparseLayers > 0 {
            parts += [
                Part(name: "routers", total: sparseLayers * (router + bias), active: sparseLayers * (router + bias)),
                Part(
                    name: "shared experts", total: sparseLayers * expert * c.nSharedExperts,
                    active: sparseLayers * expert * c.nSharedExperts),
                Part(
                    name: "routed experts", total: sparseLayers * expert * c.nRoutedExperts,
                    active: sparseLayers * expert * c.numExpertsPerTok),
            ]
        }
        parts.append(Part(name: "norms", total: norms, active: norms))
        let head = c.vocabSize * h
        parts.append(Part(name: "output head", total: c.tieWordEmbeddings ? 0 : head, active: head))
        if c.numNextnPredictLayers > 0 {
            let layer =
                attention + attentionNorms + headNorms + 2 * h
                + (c.nRoutedExperts > 0 ? router + bias + expert * (c.nRoutedExperts + c.nSharedExperts) : dense)
            parts.append(
                Part(
                    name: "prediction modules", total: c.numNextnPredictLayers * (layer + 2 * h * h + 3 * h), active: 0)
            )
        }
        self.parts = parts
        multiplied =
            n * attention + denseLayers * dense + sparseLayers * (router + expert * activeExperts) + head
    }

    /// All weights, those shared between parts counted once.
    public var totalParameters: Int { parts.reduce(0) { $0 + $1.total } }
    /// Weights one token uses: one row of the embedding, the whole head, the chosen experts.
    public var activeParameters: Int { parts.reduce(0) { $0 + $1.active } }

    /// Multiplications and additions of one token's forward pass in a context of `length` tokens, averaged over the
    /// causal window (half of it).
    public func forwardFLOPs(length: Int) -> Double {
        let c = configuration
        let widths = c.family.isLatent ? c.qkHeadDim + c.vHeadDim : 2 * c.vHeadDim
        let attention = 2.0 * Double(c.numAttentionHeads * widths) * Double(length) / 2 * Double(c.numHiddenLayers)
        return 2 * Double(multiplied) + attention
    }

    /// The same for running a prompt of `length` tokens, all tokens together: the head runs on the last one only.
    public func promptFLOPs(length: Int) -> Double {
        let head = 2 * Double(configuration.vocabSize) * Double(configuration.hiddenSize)
        return (forwardFLOPs(length: length) - head) * Double(length) + head
    }

    /// The same for one token that is decoded after `depth` others. Latent attention works on the cached latents
    /// themselves: its keys and values are as wide as the latent.
    public func decodingFLOPs(depth: Int) -> Double {
        let c = configuration
        let widths = c.family.isLatent ? 2 * c.kvLoraRank + c.qkRopeHeadDim : 2 * c.vHeadDim
        return 2 * Double(multiplied)
            + 2 * Double(c.numAttentionHeads * widths) * Double(depth) * Double(c.numHiddenLayers)
    }

    /// The same for training: forward, and twice as much backward, prediction modules with their pass through the head
    /// included.
    public func trainingFLOPs(length: Int) -> Double {
        3 * (forwardFLOPs(length: length) + predictorFLOPs(length: length))
    }

    /// Multiplications and additions of the prediction modules, which only training runs.
    private func predictorFLOPs(length: Int) -> Double {
        let c = configuration
        guard c.numNextnPredictLayers > 0 else { return 0 }
        // A module is a model of one layer, and the projection of the joined embedding and state.
        var one = c
        one.numHiddenLayers = 1
        one.firstKDenseReplace = c.nRoutedExperts > 0 ? 0 : 1
        one.numNextnPredictLayers = 0
        let projection = 4 * Double(c.hiddenSize) * Double(c.hiddenSize)
        return Double(c.numNextnPredictLayers) * (ModelCosts(one).forwardFLOPs(length: length) + projection)
    }

    /// Values that the cache keeps per token, all layers.
    public var cachedValuesPerToken: Int {
        let c = configuration
        let row = c.family.isLatent ? c.kvLoraRank + c.qkRopeHeadDim : 2 * c.numAttentionHeads * c.vHeadDim
        return c.numHiddenLayers * row
    }

    /// Values that multi-head attention with the same heads would keep per token.
    public var multiHeadCachedValuesPerToken: Int {
        let c = configuration
        let widths = c.family.isLatent ? c.qkHeadDim + c.vHeadDim : 2 * c.vHeadDim
        return c.numHiddenLayers * c.numAttentionHeads * widths
    }
}

extension ModelCosts {
    /// About what training needs in memory, in bytes: master weights, gradients, the optimiser's two moments and two
    /// packed bfloat16 copies of every weight (20 bytes), and the activations of a pass.
    public func trainingBytes(tokensPerPass: Int) -> Double {
        let c = configuration
        let attention = c.numAttentionHeads * (2 * c.qkHeadDim + 3 * c.vHeadDim) + c.kvLoraRank + (c.qLoraRank ?? 0)
        let experts = c.numExpertsPerTok * (2 * c.hiddenSize + 3 * c.moeIntermediateSize)
        let feedForward =
            c.nRoutedExperts > 0 ? experts + 3 * c.moeIntermediateSize * c.nSharedExperts : 3 * c.intermediateSize
        let perToken =
            Double(c.numHiddenLayers + c.numNextnPredictLayers) * Double(6 * c.hiddenSize + attention + feedForward)
        // Two to four bytes a value, and the gradients of one layer at a time.
        // Tables have neither dense gradients nor packed copies.
        return 20 * Double(totalParameters) - 8 * Double(tableParameters) + 4 * perToken * Double(tokensPerPass) + 512
            * 6 * Double(c.vocabSize)
    }
}
