import MinkeFiles

extension ModelShape {
    /// The shape that a `config.json` describes, of any family with these keys: latent or grouped attention, SwiGLU
    /// layers, experts under any of their usual names.
    ///
    /// - Parameter place: the file, for errors.
    /// - Throws: ``InputError`` naming the key that is missing or wrong.
    public init(configuration: JSON.Object, name: String, at place: String) throws {
        // Models with towers for images keep the language model's part apart.
        let keys =
            configuration["hidden_size"] == nil
            ? configuration["text_config"]?.objectValue ?? configuration : configuration
        func number(_ names: String...) throws -> Double? {
            for name in names {
                guard let value = keys[name], !value.isNull, value != 0 else { continue }
                guard let number = value.intValue, (1...1_000_000_000).contains(number) else {
                    throw InputError("\"\(name)\" is not a whole number from 1 to 1,000,000,000", at: place)
                }
                return Double(number)
            }
            return nil
        }
        func required(_ name: String) throws -> Double {
            guard let value = try number(name) else { throw InputError("\"\(name)\" is missing", at: place) }
            return value
        }
        let hidden = try required("hidden_size")
        let heads = try required("num_attention_heads")
        let layers = try required("num_hidden_layers")
        let attention: Attention
        if let rank = try number("kv_lora_rank") {
            attention = .latent(
                queryRank: try number("q_lora_rank"), rank: rank, nope: try number("qk_nope_head_dim") ?? 0,
                rope: try required("qk_rope_head_dim"), value: try required("v_head_dim"))
        } else {
            attention = .grouped(
                keyValueHeads: try number("num_key_value_heads") ?? heads,
                headDimension: try number("head_dim") ?? (hidden / heads).rounded(.down))
        }
        let width = try required("intermediate_size")
        var experts: Experts?
        if let routed = try number("n_routed_experts", "num_experts", "num_local_experts"), routed > 1 {
            let expertWidth = try number("moe_intermediate_size") ?? width
            let sharedWidth = try number("shared_expert_intermediate_size").map { $0 / expertWidth }
            let sparse = Experts(
                routed: routed, shared: try number("n_shared_experts", "num_shared_experts") ?? sharedWidth ?? 0,
                perToken: try required("num_experts_per_tok"), width: expertWidth)
            guard sparse.perToken <= routed else {
                throw InputError("\"num_experts_per_tok\" is more than all experts", at: place)
            }
            experts = sparse
        }
        let leading = min(layers, try number("first_k_dense_replace") ?? 0)
        let frequency = try number("moe_layer_freq", "decoder_sparse_step") ?? 1
        let denseLayers = leading + (layers - leading - ((layers - leading) / frequency).rounded(.up))
        self.init(
            name: name, hidden: hidden, layers: layers, heads: heads, attention: attention,
            vocabulary: try required("vocab_size"), denseWidth: width, denseLayers: denseLayers, experts: experts)
        hasTiedEmbeddings = keys["tie_word_embeddings"]?.boolValue ?? false
        predictionModules = try number("num_nextn_predict_layers") ?? 0
        source = place
    }
}
