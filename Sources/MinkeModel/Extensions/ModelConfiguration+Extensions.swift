import MinkeFiles
import MinkeTensors

/// The object `minke` of a `config.json` whose `model_type` is `minke`:
///
/// | key | meaning |
/// |---|---|
/// | `version` | 1 |
/// | `base_model_type` | the released architecture that the rest of the file describes |
/// | `ngram_max_order`, `ngram_table_rows`, `ngram_hashes` | tables of hashed n-grams, see ``NgramHash`` |
/// | `value_embedding_order` | rows of tokens or n-grams added to the values |
/// | `qk_norm` | normalised queries and rotary keys |
/// | `logit_softcap` | c of c·tanh(z/c) |
/// | `hidden_act` | `silu` or `relu2` |
///
/// Keys that are absent have the defaults of ``ModelConfiguration/Extensions``; keys that are unknown are refused.
extension ModelConfiguration {
    /// The type of models with extensions.
    static let extendedType = "minke"

    /// The `model_type` that is written.
    public var modelType: String { extensions.isEmpty ? family.rawValue : Self.extendedType }

    private static let version = 1

    /// Reads the object `minke`, if the file is of that type.
    mutating func readExtensions(_ keys: ConfigurationKeys) throws {
        guard try keys.optionalString("model_type") == Self.extendedType else {
            guard try keys.object(Self.extendedType) == nil else {
                throw InputError(
                    "\(family.rawValue) has no object \"minke\"", at: "model_type", remedy: "write model_type minke")
            }
            return
        }
        guard let own = try keys.object(Self.extendedType) else {
            throw InputError("the object \"minke\" is missing", at: Self.extendedType)
        }
        let known = Set(Extensions().json(base: family).keys)
        if let unknown = own.json.keys.first(where: { !known.contains($0) }) {
            throw InputError(
                "the extension \"\(unknown.prefix(40))\" is unknown", at: "minke.\(unknown.prefix(40))",
                remedy: "a newer Minke may know it")
        }
        guard try own.integer("version") == Self.version else {
            throw InputError("version \(try own.integer("version")) is unknown", at: "minke.version")
        }
        extensions.ngramMaxOrder = try own.integer("ngram_max_order", default: 0)
        extensions.ngramTableRows = try own.integer("ngram_table_rows", default: 0)
        extensions.ngramHashes = try own.integer("ngram_hashes", default: 1)
        extensions.valueEmbeddingOrder = try own.integer("value_embedding_order", default: 0)
        extensions.normalizesQueries = try own.flag("qk_norm", default: false)
        extensions.logitSoftcap = try own.number("logit_softcap", default: 0)
        extensions.activation = try own.choice("hidden_act", default: .swiGLU)
    }

    /// Throws ``InputError`` naming the key for extensions that no model can have.
    func validateExtensions(
        _ require: (Bool, String, String) throws -> Void, _ inRange: (Int, ClosedRange<Int>, String) throws -> Void
    ) throws {
        let e = extensions
        if e.ngramMaxOrder != 0 { try inRange(e.ngramMaxOrder, 2...8, "ngram_max_order") }
        try inRange(e.valueEmbeddingOrder, 0...8, "value_embedding_order")
        if e.precedingTokens > 0 {
            try inRange(e.ngramTableRows, 1...1 << 27, "ngram_table_rows")
            try inRange(e.ngramHashes, 1...64, "ngram_hashes")
        } else {
            try require(e.ngramTableRows == 0, "ngram_table_rows", "must be 0 without n-grams")
            try require(e.ngramHashes == 1, "ngram_hashes", "must be 1 without n-grams")
        }
        if e.ngramMaxOrder > 0 {
            try require(hiddenSize % e.ngramHashes == 0, "ngram_hashes", "must divide hidden_size (\(hiddenSize))")
            try require(
                e.ngramTableRows * e.ngramHashes <= Int(Int32.max), "ngram_table_rows",
                "times ngram_hashes is too large")
        } else {
            try require(e.ngramHashes == 1, "ngram_hashes", "must be 1 without ngram_max_order")
        }
        try require(e.logitSoftcap >= 0 && e.logitSoftcap < 1e6, "logit_softcap", "must be a number from 0 up")
        if e.normalizesQueries {
            try require(
                yarn == nil && !attentionBias, "qk_norm", "does not go together with YaRN or attention_bias")
        }
    }
}

extension ModelConfiguration.Extensions {
    /// The object `minke`.
    func json(base: ModelConfiguration.Family) -> JSON.Object {
        [
            "version": 1, "base_model_type": .string(base.rawValue),
            "ngram_max_order": .integer(ngramMaxOrder), "ngram_table_rows": .integer(ngramTableRows),
            "ngram_hashes": .integer(ngramHashes), "value_embedding_order": .integer(valueEmbeddingOrder),
            "qk_norm": .bool(normalizesQueries), "logit_softcap": .number(logitSoftcap),
            "hidden_act": .string(activation.rawValue),
        ]
    }
}
