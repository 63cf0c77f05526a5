import MinkeCheckpoints

/// What the weights of a model are converted to: one type, or a mixture of types.
public enum TargetType: String, Sendable, CaseIterable {
    case f32, f16, bf16
    case q80 = "q8_0"
    case q40 = "q4_0"
    case q4K = "q4_k"
    case q5K = "q5_k"
    case q6K = "q6_k"
    /// Q4_K, with Q6_K for the head and for half of the down projections.
    case q4KM = "q4_k_m"

    /// Whether Hugging Face folders can hold it.
    public var isPlain: Bool { self == .f32 || self == .f16 || self == .bf16 }

    /// The type of every matrix where nothing speaks against it.
    var base: StoredType {
        switch self {
        case .f32: .float32
        case .f16: .float16
        case .bf16: .bfloat16
        case .q80: .q80
        case .q40: .q40
        case .q4K, .q4KM: .q4K
        case .q5K: .q5K
        case .q6K: .q6K
        }
    }

    /// The number under `general.file_type`, by which llama.cpp names the whole file.
    var fileType: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q40: 2
        case .q80: 7
        case .q4K: 14
        case .q4KM: 15
        case .q5K: 16
        case .q6K: 18
        case .bf16: 32
        }
    }

    /// The type of one tensor of a GGUF file.
    ///
    /// Norms, other vectors and routers stay F32. A row that is no whole number of blocks takes the next finer type with
    /// smaller blocks, else F16, as llama.cpp decides it.
    ///
    /// - Parameters:
    ///   - name: the tensor's name in GGUF.
    ///   - shape: its dimensions, outermost first.
    ///   - layers: layers of the model.
    func type(ofGGUF name: String, shape: [Int], layers: Int) -> StoredType {
        if shape.count < 2 || WeightKind(ofGGUF: name, shape: shape) == .router { return .float32 }
        var type = base
        if self == .q4KM, Self.isFiner(name, layers: layers) { type = .q6K }
        // The head decides every token: llama.cpp gives it six bits in all files of four and five.
        if name == "output.weight", type == .q4K || type == .q5K { type = .q6K }
        let columns = shape.last ?? 1
        if !columns.isMultiple(of: type.blockElements), let fallback = Self.fallback[type] { type = fallback }
        return columns.isMultiple(of: type.blockElements) ? type : .float16
    }

    private static let fallback: [StoredType: StoredType] = [.q4K: .q50, .q5K: .q51, .q6K: .q80]

    /// The first and last eighth of the layers, and every third between, have finer down projections.
    private static func isFiner(_ name: String, layers: Int) -> Bool {
        if name == "output.weight" { return true }
        guard name.contains("ffn_down") || name.contains("attn_kv_b") || name.contains("attn_v."),
            let layer = name.split(separator: ".").dropFirst().first.flatMap({ Int($0) })
        else { return false }
        return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
    }
}
