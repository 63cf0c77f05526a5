import MinkeModel
import MinkeTensors

/// How a checkpoint is opened for text.
public struct LoadOptions: Equatable, Sendable {
    /// The arithmetic; nil chooses: exact `float32` for weights below ``exactBytes``, fast above.
    public var precision: Precision?
    /// The type in which caches keep their rows; nil chooses: `float32` with exact arithmetic, else `bfloat16`.
    public var cacheType: CacheType?

    public init(precision: Precision? = nil, cacheType: CacheType? = nil) {
        self.precision = precision
        self.cacheType = cacheType
    }

    /// Weights of fewer bytes than this are worked exactly unless asked otherwise: they are quick enough.
    public static let exactBytes = 256 << 20

    /// The precision for weights that take `bytes` in their file.
    func precision(weightBytes bytes: Int) -> Precision { precision ?? (bytes < Self.exactBytes ? .float32 : .fast) }

    /// The cache type that goes with a precision.
    func cacheType(for precision: Precision) -> CacheType {
        cacheType ?? (precision == .float32 ? .float32 : .bfloat16)
    }
}
