import MinkeCheckpoints
import MinkeFiles
import MinkeTensors

/// How a model is parted between memory and disk, so that weights and caches keep to a budget.
///
/// Everything but the routed experts is always in memory. Where the rest of the budget does not hold all experts, it
/// becomes slots for some of them.
public struct MemoryPlan: Equatable, Sendable {
    /// Slots of one size. Layers whose experts are stored in different types have different sizes.
    public struct SlotClass: Equatable, Sendable {
        /// Bytes of one slot: an expert's matrices, in whole blocks of the file.
        public let slotBytes: Int
        /// Experts of this size, in all layers.
        public internal(set) var experts: Int
        public internal(set) var slots: Int
    }

    public let budget: Int
    /// Weights that are always in memory.
    public let residentBytes: Int
    /// Room for the rows of the tokens before.
    public let cacheBytes: Int
    /// Bytes of all routed experts.
    public let expertBytes: Int
    /// Smallest first; empty where everything fits.
    public let slotClasses: [SlotClass]
    /// The least budget with which the model can run.
    public let leastBudget: Int
    /// Bytes of experts that decoding one token uses.
    public let expertBytesPerToken: Int

    /// Whether the model can run with the budget; otherwise the plan is that of ``leastBudget``.
    public var isEnough: Bool { budget >= leastBudget }
    /// Whether experts are read when they are needed; otherwise the whole model fits.
    public var isStreamed: Bool { !slotClasses.isEmpty }
    public var slots: Int { slotClasses.reduce(0) { $0 + $1.slots } }
    public var experts: Int { slotClasses.reduce(0) { $0 + $1.experts } }
    /// The share of the experts that are in memory at a time: the hit rate if all were chosen equally often.
    public var residentShare: Double { experts > 0 ? min(1, Double(slots) / Double(experts)) : 1 }

    /// Slots beyond those of one token's experts: what is read while they are in use.
    private static let readingRoom = 2

    /// - Parameters:
    ///   - cacheBytes: for the tokens before, as ``ModelCosts`` counts them.
    ///   - precision: in which key projections are kept where they must be transposed.
    /// - Throws: ``InputError`` when the checkpoint lacks experts. That the budget is too small is no error here: see
    ///   ``requireEnough(for:)``.
    public init(
        _ checkpoint: Checkpoint, _ configuration: ModelConfiguration, budget: Int, cacheBytes: Int,
        precision: Precision = .fast
    ) throws {
        let layers = try Self.layers(checkpoint, configuration)
        let total = try checkpoint.storedTensors().reduce(0) { $0 + $1.bytes.count }
        expertBytes = layers.reduce(0) { $0 + $1.bytes }
        residentBytes =
            total - expertBytes + Self.transposedBytes(checkpoint, configuration, precision.computeType.byteWidth)
        self.budget = budget
        self.cacheBytes = cacheBytes
        let chosen = configuration.numExpertsPerTok
        expertBytesPerToken = layers.prefix { $0.isDecoded }.reduce(0) { $0 + $1.bytes / max(1, $1.experts) * chosen }
        let rest = residentBytes + cacheBytes
        let sizes = Dictionary(grouping: layers, by: \.slotBytes).sorted { $0.key < $1.key }
        var classes = sizes.map {
            SlotClass(slotBytes: $0.key, experts: $0.value.reduce(0) { $0 + $1.experts }, slots: 0)
        }
        for index in classes.indices {
            classes[index].slots = min(classes[index].experts, chosen + Self.readingRoom)
        }
        let least = classes.reduce(0) { $0 + $1.slotBytes * $1.slots }
        leastBudget = rest + min(least, expertBytes)
        if rest + expertBytes <= budget {
            slotClasses = []
            return
        }
        guard budget >= rest + least else {
            slotClasses = classes
            return
        }
        // Beyond the least, every class gets the same share of its experts.
        let all = classes.reduce(0) { $0 + $1.slotBytes * $1.experts }
        for index in classes.indices {
            let more = classes[index].experts - classes[index].slots
            classes[index].slots += min(more, (budget - rest - least) * more / max(1, all - least))
        }
        slotClasses = classes
    }

    /// - Throws: ``InputError`` naming the least budget, when this one is below it.
    public func requireEnough(for checkpoint: Checkpoint) throws {
        if isEnough { return }
        let forExperts = leastBudget - residentBytes - cacheBytes
        throw InputError(
            "a memory of \(budget) bytes is too small for the model", at: checkpoint.path,
            remedy: "give at least \((leastBudget + 999_999) / 1_000_000)MB: \(residentBytes) bytes of weights "
                + "that every token needs, \(cacheBytes) of cache, and \(forExperts) for experts")
    }

    private struct Layer {
        let experts: Int
        let bytes: Int
        let slotBytes: Int
        /// Not a prediction module's.
        let isDecoded: Bool
    }

    private static func layers(_ checkpoint: Checkpoint, _ c: ModelConfiguration) throws -> [Layer] {
        try (0..<c.numHiddenLayers + c.numNextnPredictLayers).filter(c.isSparse).map { layer in
            var bytes = 0
            var slotBytes = 0
            for expert in 0..<c.nRoutedExperts {
                let ranges = try (c.extensions.activation.inputs + ["down_proj"]).map { name in
                    try checkpoint.tensor("model.layers.\(layer).mlp.experts.\(expert).\(name).weight").place?.range
                        ?? 0..<0
                }
                bytes += ranges.reduce(0) { $0 + $1.count }
                // Offsets within blocks differ from expert to expert: the largest that any can need.
                slotBytes = max(
                    slotBytes,
                    ranges.reduce(0) { $0 + ($1.count / DirectFile.alignment + 2) * DirectFile.alignment })
            }
            return Layer(
                experts: c.nRoutedExperts, bytes: bytes, slotBytes: slotBytes, isDecoded: layer < c.numHiddenLayers)
        }
    }

    /// Key projections are transposed in memory where the file has them joined with the values'.
    private static func transposedBytes(_ checkpoint: Checkpoint, _ c: ModelConfiguration, _ width: Int) -> Int {
        guard c.family.isLatent else { return 0 }
        return (0..<c.numHiddenLayers + c.numNextnPredictLayers).reduce(0) { bytes, layer in
            let isJoined = checkpoint.hasTensor("model.layers.\(layer).self_attn.kv_b_proj.weight")
            return bytes + (isJoined ? c.numAttentionHeads * c.qkNopeHeadDim * c.kvLoraRank * width : 0)
        }
    }
}
