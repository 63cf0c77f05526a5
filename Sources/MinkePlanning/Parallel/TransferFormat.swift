/// How activations are written when they are sent.
public enum TransferFormat: String, CaseIterable, Sendable {
    /// A byte a value, and a float32 scale for every 128 values.
    case fp8
    /// Two bytes a value.
    case bf16

    /// Bytes of one vector.
    public func bytes(_ hiddenSize: Int) -> Double {
        switch self {
        case .fp8: Double(hiddenSize) + 4 * Double((hiddenSize + 127) / 128)
        case .bf16: 2 * Double(hiddenSize)
        }
    }
}
