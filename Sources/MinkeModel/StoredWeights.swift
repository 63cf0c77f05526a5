import MinkeCheckpoints

/// What lies in a checkpoint's files: kinds of tensors, their types and sizes.
public struct StoredWeights: Sendable {
    /// The tensors of one kind that are stored in one type.
    public struct Part: Sendable {
        /// What they are for: `attention`, `routed experts`, …
        public let kind: String
        /// The name of the type in its format.
        public let type: String
        public internal(set) var tensors = 0
        public internal(set) var bytes = 0
    }

    /// Largest first.
    public let parts: [Part]
    /// Bytes of all tensors.
    public let bytes: Int
    /// Bytes that decoding one token reads: of the embedding one row, of the experts those chosen, of prediction modules
    /// none.
    public let bytesPerToken: Int

    /// - Throws: ``InputError`` naming a tensor of a type that cannot be used.
    public init(_ checkpoint: Checkpoint, _ configuration: ModelConfiguration) throws {
        var parts: [[String]: Part] = [:]
        var perToken = 0.0
        let chosen = Double(configuration.numExpertsPerTok) / Double(max(1, configuration.nRoutedExperts))
        for tensor in try checkpoint.storedTensors() {
            let kind = Self.kind(of: tensor.name, layers: configuration.numHiddenLayers)
            let key = [kind, tensor.type.rawValue]
            var part = parts[key] ?? Part(kind: kind, type: tensor.type.rawValue)
            part.tensors += 1
            part.bytes += tensor.bytes.count
            parts[key] = part
            let bytes = Double(tensor.bytes.count)
            switch kind {
            case Self.embedding:
                perToken += configuration.tieWordEmbeddings ? bytes : bytes / Double(max(1, configuration.vocabSize))
            case Self.experts: perToken += bytes * chosen
            case Self.modules: break
            case Self.tables:
                let rows = tensor.shape.first ?? 1
                let hashes = tensor.name.contains("ngram_tables") ? configuration.extensions.ngramHashes : 1
                perToken += bytes * Double(hashes) / Double(max(1, rows))
            default: perToken += bytes
            }
        }
        self.parts = parts.values.sorted { ($1.bytes, $0.kind, $0.type) < ($0.bytes, $1.kind, $1.type) }
        bytes = parts.values.reduce(0) { $0 + $1.bytes }
        bytesPerToken = Int(perToken)
    }

    private static let embedding = "embedding"
    private static let tables = "conditional memory"
    private static let experts = "routed experts"
    private static let modules = "prediction modules"

    /// Parts of names, of both layouts, and what they say; the first that occurs counts.
    private static let kinds: [(part: String, kind: String)] = [
        ("nextn.", modules), ("shared_head.", modules), ("eh_proj", modules),
        ("ngram_tables", tables), ("value_embedding", tables),
        ("embed_tokens", embedding), ("token_embd", embedding),
        ("lm_head", "output head"), ("attn_output", "attention"), ("norm", "norms"),
        ("self_attn", "attention"), ("attn_", "attention"),
        ("mlp.gate.", "routers"), ("ffn_gate_inp", "routers"), ("exp_probs_b", "routers"),
        ("shared_experts", "shared experts"), ("_shexp", "shared experts"),
        ("mlp.experts.", experts), ("_exps", experts),
        ("mlp.", "dense feed-forward"), ("ffn_", "dense feed-forward"), ("output", "output head"),
    ]

    private static func kind(of name: String, layers: Int) -> String {
        let words = name.split(separator: ".")
        let isLayer = words.first == "blk" || name.hasPrefix("model.layers.")
        if isLayer, let number = words.lazy.compactMap({ Int($0) }).first, number >= layers { return modules }
        return kinds.first { name.contains($0.part) }?.kind ?? "other"
    }
}
