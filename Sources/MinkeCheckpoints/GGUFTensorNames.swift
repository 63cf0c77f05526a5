/// The names of tensors in GGUF files beside those in Hugging Face's checkpoints, in both directions.
public enum GGUFTensorNames {
    /// Where a GGUF file keeps a tensor.
    public struct Place: Equatable, Sendable {
        /// The name in the file.
        public let name: String
        /// Which of the stacked experts; `nil` when the tensor is the whole of it.
        public let expert: Int?
    }

    /// Tensors outside the layers: name in Hugging Face's checkpoints, name in the file.
    private static let outer = [
        ("model.embed_tokens.weight", "token_embd.weight"),
        ("model.norm.weight", "output_norm.weight"),
        ("lm_head.weight", "output.weight"),
    ]

    /// Tensors of a layer: what follows `model.layers.N.`, what follows `blk.N.`.
    private static let inner = [
        ("input_layernorm.weight", "attn_norm.weight"),
        ("post_attention_layernorm.weight", "ffn_norm.weight"),
        ("self_attn.q_proj.weight", "attn_q.weight"),
        ("self_attn.q_a_proj.weight", "attn_q_a.weight"),
        ("self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight"),
        ("self_attn.q_b_proj.weight", "attn_q_b.weight"),
        ("self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight"),
        ("self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight"),
        ("self_attn.kv_b_proj.weight", "attn_kv_b.weight"),
        // The two halves of kv_b_proj: per head, the first transposed.
        ("self_attn.k_b_proj.weight", "attn_k_b.weight"),
        ("self_attn.v_b_proj.weight", "attn_v_b.weight"),
        ("self_attn.k_proj.weight", "attn_k.weight"),
        ("self_attn.v_proj.weight", "attn_v.weight"),
        ("self_attn.o_proj.weight", "attn_output.weight"),
        // Of models with attention_bias; llama.cpp names them so in other architectures.
        ("self_attn.q_a_proj.bias", "attn_q_a.bias"),
        ("self_attn.kv_a_proj_with_mqa.bias", "attn_kv_a_mqa.bias"),
        ("self_attn.o_proj.bias", "attn_output.bias"),
        ("mlp.gate_proj.weight", "ffn_gate.weight"),
        ("mlp.up_proj.weight", "ffn_up.weight"),
        ("mlp.down_proj.weight", "ffn_down.weight"),
        ("mlp.gate.weight", "ffn_gate_inp.weight"),
        ("mlp.gate.e_score_correction_bias", "exp_probs_b.bias"),
        ("mlp.shared_experts.gate_proj.weight", "ffn_gate_shexp.weight"),
        ("mlp.shared_experts.up_proj.weight", "ffn_up_shexp.weight"),
        ("mlp.shared_experts.down_proj.weight", "ffn_down_shexp.weight"),
        ("eh_proj.weight", "nextn.eh_proj.weight"),
        ("enorm.weight", "nextn.enorm.weight"),
        ("hnorm.weight", "nextn.hnorm.weight"),
        ("embed_tokens.weight", "nextn.embed_tokens.weight"),
        ("shared_head.norm.weight", "nextn.shared_head_norm.weight"),
        ("shared_head.head.weight", "nextn.shared_head_head.weight"),
    ]

    /// Matrices of the experts: what follows `model.layers.N.mlp.experts.E.`, what follows `blk.N.`.
    private static let experts = [
        ("gate_proj.weight", "ffn_gate_exps.weight"),
        ("up_proj.weight", "ffn_up_exps.weight"),
        ("down_proj.weight", "ffn_down_exps.weight"),
    ]

    /// Files may keep gate and up of every expert as one matrix: the rows of the gate, then those of up.
    private static let merged = (name: "ffn_gate_up_exps.weight", parts: ["gate_proj.weight", "up_proj.weight"])

    private static let expertPrefix = "mlp.experts."

    private static let outerPlaces = Dictionary(uniqueKeysWithValues: outer)
    private static let innerPlaces = Dictionary(uniqueKeysWithValues: inner)
    private static let expertPlaces = Dictionary(uniqueKeysWithValues: experts)
    private static let outerNames = Dictionary(uniqueKeysWithValues: outer.map { ($1, $0) })
    private static let innerNames = Dictionary(uniqueKeysWithValues: inner.map { ($1, $0) })
    private static let expertNames = Dictionary(uniqueKeysWithValues: experts.map { ($1, $0) })

    /// Where a GGUF file keeps the tensor that Hugging Face's checkpoints call `name`; `nil` for names that have no place.
    public static func place(of name: String) -> Place? {
        if let outer = outerPlaces[name] { return Place(name: outer, expert: nil) }
        guard let (layer, rest) = split(name, after: "model.layers.") else { return nil }
        if let inner = innerPlaces[String(rest)] { return Place(name: "blk.\(layer).\(inner)", expert: nil) }
        guard let (expert, matrix) = split(rest, after: expertPrefix), let stack = expertPlaces[String(matrix)] else {
            return nil
        }
        return Place(name: "blk.\(layer).\(stack)", expert: expert)
    }

    /// Where files that merge gate and up of the experts keep the tensor `name`, and which half of the expert's rows it is
    /// there; `nil` for everything else.
    static func mergedPlace(of name: String) -> (place: Place, half: Int)? {
        guard let (layer, rest) = split(name, after: "model.layers."),
            let (expert, matrix) = split(rest, after: expertPrefix),
            let half = merged.parts.firstIndex(of: String(matrix))
        else { return nil }
        return (Place(name: "blk.\(layer).\(merged.name)", expert: expert), half)
    }

    /// What Hugging Face's checkpoints call the tensor `name` of a GGUF file; `nil` for unknown names.
    ///
    /// - Parameter expert: which one of stacked experts; a stack has no name of its own.
    public static func huggingFaceName(of name: String, expert: Int? = nil) -> String? {
        if let outer = outerNames[name] { return outer }
        guard let (layer, rest) = split(name, after: "blk.") else { return nil }
        if let inner = innerNames[String(rest)] { return "model.layers.\(layer).\(inner)" }
        guard let expert, let matrix = expertNames[String(rest)] else { return nil }
        return "model.layers.\(layer).\(expertPrefix)\(expert).\(matrix)"
    }

    /// Whether the tensor `name` of a GGUF file holds one matrix per expert.
    public static func isStacked(_ name: String) -> Bool {
        split(name, after: "blk.").map { expertNames[String($0.rest)] != nil } ?? false
    }

    /// The number that follows `prefix` in `name`, and what follows the point behind it.
    private static func split(
        _ name: some StringProtocol, after prefix: String
    ) -> (number: Int, rest: Substring)? {
        guard name.hasPrefix(prefix) else { return nil }
        let tail = Substring(name).dropFirst(prefix.count)
        guard let point = tail.firstIndex(of: "."), let number = Int(tail[..<point]), number >= 0,
            String(number) == tail[..<point]
        else { return nil }
        return (number, tail[tail.index(after: point)...])
    }
}
