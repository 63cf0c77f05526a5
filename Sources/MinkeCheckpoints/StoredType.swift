/// How the elements of a stored tensor are encoded. Raw values are the names in a safetensors header.
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

    /// Bytes per element.
    public var byteWidth: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .float8E4M3, .float8E5M2, .float8E8M0, .int8, .uint8, .bool: 1
        }
    }

    /// The bytes that a tensor of this type and `shape` takes; `nil` when a dimension is negative or a number
    /// overflows.
    ///
    /// A zero among the dimensions does not excuse an overflow in the rest.
    public func byteCount(shape: [Int]) -> Int? {
        var count = byteWidth
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
        return isEmpty ? 0 : count
    }
}
