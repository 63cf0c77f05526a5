import MinkeModel
import MinkeTensors

/// How a checkpoint is opened for text.
public struct LoadOptions: Equatable, Sendable {
    /// The arithmetic; nil chooses: exact `float32` for weights below ``exactBytes``, fast above.
    public var precision: Precision?
    /// The type in which caches keep their rows; nil chooses: `float32` with exact arithmetic, else `bfloat16`.
    public var cacheType: CacheType?

    /// Bytes for weights and caches; nil: what the machine has free. A model that needs more keeps its routed experts on
    /// disk and reads them when tokens are routed to them.
    public var memory: Int?

    public init(precision: Precision? = nil, cacheType: CacheType? = nil, memory: Int? = nil) {
        self.precision = precision
        self.cacheType = cacheType
        self.memory = memory
    }

    /// Weights of fewer bytes than this are worked exactly unless asked otherwise: they are quick enough.
    public static let exactBytes = 256 << 20

    /// The precision for weights that take `bytes` in their file.
    public func precision(weightBytes bytes: Int) -> Precision {
        precision ?? (bytes < Self.exactBytes ? .float32 : .fast)
    }

    /// Tokens for whose rows the memory has room beside the weights, unless the model's context is shorter.
    public static let plannedContext = 4096

    /// How the memory is parted; nil where nobody said how much there is and the weights are mapped whatever they need.
    ///
    /// - Throws: ``InputError`` when the memory that was asked for is not enough.
    public func memoryPlan(
        _ checkpoint: Checkpoint, _ configuration: ModelConfiguration, precision: Precision, cacheType: CacheType
    ) throws -> MemoryPlan? {
        if let memory {
            let plan = try plan(
                checkpoint, configuration, budget: memory, precision: precision, cacheType: cacheType)
            try plan.requireEnough(for: checkpoint)
            return plan
        }
        // Nobody asked for a budget: with too little memory for a plan the system may do what it can with the mapping.
        let plan = try? AvailableMemory.bytes.map {
            try self.plan(checkpoint, configuration, budget: $0, precision: precision, cacheType: cacheType)
        }
        return plan?.isEnough == true ? plan : nil
    }

    /// How a budget would be parted, be it enough or not.
    public func plan(
        _ checkpoint: Checkpoint, _ configuration: ModelConfiguration, budget: Int, precision: Precision,
        cacheType: CacheType
    ) throws -> MemoryPlan {
        let tokens = min(Self.plannedContext, configuration.maxPositionEmbeddings)
        let values = ModelCosts(configuration).cachedValuesPerToken * tokens
        let cacheBytes =
            switch cacheType {
            case .float32: values * 4
            case .bfloat16: values * 2
            case .q8: values + values / 16
            }
        return try MemoryPlan(
            checkpoint, configuration, budget: budget, cacheBytes: cacheBytes, precision: precision)
    }

    /// The cache type that goes with a precision.
    public func cacheType(for precision: Precision) -> CacheType {
        cacheType ?? (precision == .float32 ? .float32 : .bfloat16)
    }
}
