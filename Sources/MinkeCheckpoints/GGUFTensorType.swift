/// The types that GGML stores tensors in, by the number that a GGUF file gives them.
struct GGUFTensorType: Sendable {
    /// GGML's name.
    let name: String
    let blockElements: Int
    let blockBytes: Int

    /// `nil` for numbers that were never given or are given no longer.
    init?(code: UInt32) {
        guard let (name, blockElements, blockBytes) = Self.known[code] else { return nil }
        self.name = name
        self.blockElements = blockElements
        self.blockBytes = blockBytes
    }

    /// What tensors of this type are read as; `nil` when they cannot be.
    var storedType: StoredType? { Self.storedTypes[name] }

    private static let storedTypes: [String: StoredType] = {
        let plain: [StoredType] = [.float32, .float16, .bfloat16, .float64, .int8, .int16, .int32, .int64]
        return Dictionary(
            uniqueKeysWithValues: (plain + StoredType.allCases.filter(\.isBlocked)).map { ($0.rawValue, $0) })
    }()

    /// Names, elements and bytes of a block.
    private static let known: [UInt32: (String, Int, Int)] = [
        0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
        7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
        12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
        16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
        20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
        24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
        29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
        39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
    ]
}
