/// What part of a model a weight belongs to, where conversion treats or reports parts differently.
public enum WeightKind: String, Sendable, CaseIterable {
    case embedding
    case attention
    case feedForward = "feed-forward"
    case sharedExperts = "shared experts"
    case experts
    case router
    case prediction
    case head
    case norms
    case tables = "conditional memory"

    /// - Parameters:
    ///   - name: a tensor's name in GGUF.
    ///   - shape: its dimensions.
    public init(ofGGUF name: String, shape: [Int]) {
        func has(_ part: String) -> Bool { name.contains(part) }
        if has("ffn_gate_inp") || has("exp_probs_b") {
            self = .router
        } else if shape.count == 1 {
            self = .norms
        } else if has(".nextn.") {
            self = .prediction
        } else if has("_exps.") {
            self = .experts
        } else if has("_shexp.") {
            self = .sharedExperts
        } else if has(".ffn_") {
            self = .feedForward
        } else if has(".attn_") {
            self = .attention
        } else if name.hasPrefix("output.") {
            self = .head
        } else if name.hasPrefix("token_embd.") {
            self = .embedding
        } else {
            self = .norms
        }
    }
}
