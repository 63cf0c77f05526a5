import CMinkeKernels

/// The type of a tensor's elements.
public enum ElementType: Sendable, Hashable {
    case float32
    /// The upper half of a `float32`: the same range, 8 bits of precision.
    case bfloat16

    /// Bytes of one element.
    public var byteWidth: Int { self == .float32 ? 4 : 2 }

    /// The kernels' number for this type.
    var code: Int32 { Int32(self == .float32 ? MinkeFloat32 : MinkeBFloat16) }
}
