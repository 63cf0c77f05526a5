import CMinkeKernels

/// How the elements of a stored tensor are encoded.
///
/// Raw values are the names in a safetensors header, and those of GGML for its block types, which a safetensors file
/// cannot hold.
public enum StoredType: String, Sendable, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    /// One sign, four exponent and three fraction bits; no infinities (the `e4m3fn` of PyTorch).
    case float8E4M3 = "F8_E4M3"
    /// One sign, five exponent and two fraction bits.
    case float8E5M2 = "F8_E5M2"
    /// A power of two: eight exponent bits and nothing else, used for scales.
    case float8E8M0 = "F8_E8M0"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint64 = "U64"
    case uint32 = "U32"
    case uint16 = "U16"
    case uint8 = "U8"
    case bool = "BOOL"
    // The names of GGML without the underscore: Q4_0 is q40.
    case q40 = "Q4_0"
    case q41 = "Q4_1"
    case q50 = "Q5_0"
    case q51 = "Q5_1"
    case q80 = "Q8_0"
    case q2K = "Q2_K"
    case q3K = "Q3_K"
    case q4K = "Q4_K"
    case q5K = "Q5_K"
    case q6K = "Q6_K"
    case iq4NL = "IQ4_NL"
    case iq4XS = "IQ4_XS"
    /// Groups of 32 four-bit floats under a shared power of two.
    case mxfp4 = "MXFP4"

    /// Elements per block: a row is a whole number of blocks. 1 for plain types.
    public var blockElements: Int {
        switch self {
        case .q40, .q41, .q50, .q51, .q80, .iq4NL, .mxfp4: 32
        case .q2K, .q3K, .q4K, .q5K, .q6K, .iq4XS: 256
        default: 1
        }
    }

    /// Bytes per block; of a plain type, per element.
    public var blockBytes: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float8E4M3, .float8E5M2, .float8E8M0, .int8, .uint8, .bool: 1
        case .mxfp4: 17
        case .q40, .iq4NL: 18
        case .q41: 20
        case .q50: 22
        case .q51: 24
        case .q80: 34
        case .q2K: 84
        case .q3K: 110
        case .iq4XS: 136
        case .q4K: 144
        case .q5K: 176
        case .q6K: 210
        }
    }

    /// Whether elements come in blocks that share scales.
    public var isBlocked: Bool { blockElements > 1 }

    /// The code by which the kernels know the format (`minke_blocks.h`); `nil` for types that they cannot use.
    public var formatCode: Int32? {
        let code =
            switch self {
            case .float32: MinkeStoredF32
            case .float16: MinkeStoredF16
            case .bfloat16: MinkeStoredBF16
            case .float8E4M3: MinkeStoredE4M3
            case .q40: MinkeStoredQ4_0
            case .q41: MinkeStoredQ4_1
            case .q50: MinkeStoredQ5_0
            case .q51: MinkeStoredQ5_1
            case .q80: MinkeStoredQ8_0
            case .q2K: MinkeStoredQ2_K
            case .q3K: MinkeStoredQ3_K
            case .q4K: MinkeStoredQ4_K
            case .q5K: MinkeStoredQ5_K
            case .q6K: MinkeStoredQ6_K
            case .iq4NL: MinkeStoredIQ4_NL
            case .iq4XS: MinkeStoredIQ4_XS
            case .mxfp4: MinkeStoredMXFP4
            default: nil as Int?
            }
        return code.map(Int32.init)
    }

    /// The bytes that a tensor of this type and `shape` takes; `nil` when a dimension is negative, a number overflows,
    /// or the last dimension is no whole number of blocks.
    ///
    /// A zero among the dimensions does not excuse an overflow in the rest.
    public func byteCount(shape: [Int]) -> Int? {
        guard (shape.last ?? 1).isMultiple(of: blockElements) else { return nil }
        var count = 1
        var isEmpty = false
        for dimension in shape {
            if dimension < 0 { return nil }
            if dimension == 0 {
                isEmpty = true
                continue
            }
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
            if overflow { return nil }
            count = product
        }
        let (bytes, overflow) = (count / blockElements).multipliedReportingOverflow(by: blockBytes)
        if overflow { return nil }
        return isEmpty ? 0 : bytes
    }
}
