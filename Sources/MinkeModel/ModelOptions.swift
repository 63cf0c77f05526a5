import MinkeTensors

/// How a model computes.
public struct ModelOptions: Equatable, Sendable {
    public var precision: Precision
    /// Whether matrices stay in their files, in the format they have there, instead of being expanded to `float32`.
    /// Such a model cannot be trained.
    public var keepsStoredWeights: Bool

    /// How the weights are parted between memory and disk; nil: all stay mapped. Takes effect where
    /// ``keepsStoredWeights`` is set.
    public var memory: MemoryPlan?

    public init(precision: Precision = .float32, keepsStoredWeights: Bool = false, memory: MemoryPlan? = nil) {
        self.precision = precision
        self.keepsStoredWeights = keepsStoredWeights
        self.memory = memory
    }
}

/// The arithmetic of the products.
public enum Precision: String, CaseIterable, Sendable {
    /// Operands in `float32`: as exact as the weights.
    case float32 = "f32"
    /// Operands as narrow as the weights allow; sums stay `float32`.
    case fast

    /// The type of activations and operands.
    public var computeType: ElementType { self == .float32 ? .float32 : .bfloat16 }
}
