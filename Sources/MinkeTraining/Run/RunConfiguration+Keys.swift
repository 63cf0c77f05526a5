import MinkeFiles
import MinkeModel

extension RunConfiguration {
    /// One setting by its name on the command line and in configuration files.
    struct Key: Sendable {
        let name: String
        let get: @Sendable (RunConfiguration) -> JSON
        let set: @Sendable (inout RunConfiguration, JSON) throws -> Void
    }

    /// Every setting, in the order in which they are written.
    static let keys: [Key] = modelKeys + extensionKeys + dataKeys + optimizationKeys + intervalKeys

    private typealias Path<Value> = WritableKeyPath<RunConfiguration, Value> & Sendable

    private static let modelKeys: [Key] = [
        choice("model_type", \.model.family), integer("hidden_size", \.model.hiddenSize),
        integer("num_hidden_layers", \.model.numHiddenLayers),
        integer("num_attention_heads", \.model.numAttentionHeads),
        integer("intermediate_size", \.model.intermediateSize), optionalInteger("q_lora_rank", \.model.qLoraRank),
        integer("kv_lora_rank", \.model.kvLoraRank), integer("qk_nope_head_dim", \.model.qkNopeHeadDim),
        integer("qk_rope_head_dim", \.model.qkRopeHeadDim), integer("v_head_dim", \.model.vHeadDim),
        integer("n_routed_experts", \.model.nRoutedExperts), integer("n_shared_experts", \.model.nSharedExperts),
        integer("num_experts_per_tok", \.model.numExpertsPerTok),
        integer("moe_intermediate_size", \.model.moeIntermediateSize),
        integer("first_k_dense_replace", \.model.firstKDenseReplace), integer("n_group", \.model.nGroup),
        integer("topk_group", \.model.topkGroup), choice("topk_method", \.model.topkMethod),
        choice("scoring_func", \.model.scoringFunc), flag("norm_topk_prob", \.model.normTopkProb),
        number("routed_scaling_factor", \.model.routedScalingFactor),
        integer("num_nextn_predict_layers", \.model.numNextnPredictLayers),
        flag("tie_word_embeddings", \.model.tieWordEmbeddings),
        integer("max_position_embeddings", \.model.maxPositionEmbeddings), number("rope_theta", \.model.ropeTheta),
        number("rms_norm_eps", \.model.rmsNormEps), integer("vocab_size", \.model.vocabSize),
        number("init_std", \.initialization.deviation),
        optionalNumber("init_output_std", \.initialization.outputDeviation),
        optionalNumber("init_head_std", \.initialization.headDeviation),
        optionalNumber("init_embedding_std", \.initialization.embeddingDeviation),
    ]

    /// Parts that no released architecture has.
    private static let extensionKeys: [Key] = [
        integer("ngram_max_order", \.model.extensions.ngramMaxOrder),
        integer("ngram_table_rows", \.model.extensions.ngramTableRows),
        integer("ngram_hashes", \.model.extensions.ngramHashes),
        integer("value_embedding_order", \.model.extensions.valueEmbeddingOrder),
        flag("qk_norm", \.model.extensions.normalizesQueries),
        number("logit_softcap", \.model.extensions.logitSoftcap),
        choice("hidden_act", \.model.extensions.activation),
    ]

    private static let dataKeys: [Key] = [
        choice("tokenizer", \.tokenizer), integer("tokenizer_vocabulary", \.tokenizerVocabulary),
        number("validation_fraction", \.validationFraction), integer("sequence_length", \.sequenceLength),
        integer("batch_size", \.batchSize), integer("accumulation", \.accumulation), integer("steps", \.steps),
        integer("seed", \.seed),
    ]

    private static let optimizationKeys: [Key] = [
        choice("precision", \.precision), flag("muon", \.optimizer.usesMuon),
        number("learning_rate", \.optimizer.rate), number("muon_learning_rate", \.optimizer.muonRate),
        number("beta1", \.optimizer.beta1), number("beta2", \.optimizer.beta2), number("epsilon", \.optimizer.epsilon),
        choice("moments", \.optimizer.moments),
        number("momentum", \.optimizer.momentum), number("weight_decay", \.optimizer.decay),
        number("dropout", \.dropout),
        number("gradient_clip", \.gradientClip), choice("schedule", \.schedule.shape),
        integer("warmup_steps", \.schedule.warmupSteps), number("decay_fraction", \.schedule.decayFraction),
        number("final_rate", \.schedule.finalFactor), number("bias_update_rate", \.biasUpdateRate),
        number("balance_loss", \.balanceLoss), number("mtp_weight", \.predictionWeight),
        optionalNumber("embedding_learning_rate", \.optimizer.embeddingRate),
        optionalNumber("head_learning_rate", \.optimizer.headRate),
        optionalNumber("scalar_learning_rate", \.optimizer.scalarRate),
        optionalNumber("table_learning_rate", \.optimizer.tableRate), integer("muon_steps", \.optimizer.muonSteps),
        choice("muon_iteration", \.optimizer.muonIteration), integer("muon_interval", \.optimizer.muonInterval),
        optionalInteger("batch_start", \.sizes.firstBatch), number("batch_warmup", \.sizes.batchWarmup),
        optionalInteger("sequence_start", \.sizes.firstLength), number("sequence_warmup", \.sizes.lengthWarmup),
    ]

    /// Settings that do not change what is computed.
    private static let intervalKeys: [Key] = [
        integer("eval_interval", \.evaluationInterval), integer("eval_tokens", \.evaluationTokens),
        integer("sample_interval", \.sampleInterval), number("save_interval", \.saveInterval),
    ]

    /// The settings as JSON, in their fixed order.
    public var json: JSON.Object {
        var json = JSON.Object()
        for key in Self.keys { json[key.name] = key.get(self) }
        return json
    }

    /// Changes settings by name.
    ///
    /// - Throws: ``InputError`` for an unknown name, with the nearest known one, or a value of the wrong kind.
    public mutating func apply(_ settings: JSON.Object) throws {
        for (name, value) in settings {
            guard let key = Self.keys.first(where: { $0.name == name }) else {
                let nearest = Self.keys.min { Self.distance($0.name, name) < Self.distance($1.name, name) }
                throw InputError(
                    "unknown setting \"\(name)\"", remedy: nearest.map { "did you mean \($0.name)?" } ?? nil)
            }
            try key.set(&self, value)
        }
    }

    /// Changes one setting from `name=value`.
    public mutating func apply(assignment: String) throws {
        guard let separator = assignment.firstIndex(of: "="), separator != assignment.startIndex else {
            throw InputError("\"\(assignment)\" is not a setting", remedy: "write name=value, as in steps=500")
        }
        let text = String(assignment[assignment.index(after: separator)...])
        let value = (try? JSON(parsing: text)) ?? .string(text)
        try apply([String(assignment[..<separator]): value])
    }

    /// Names of settings in which two runs differ, but for those that do not change what is computed.
    public func differences(from other: RunConfiguration) -> [String] {
        let free = Set(Self.intervalKeys.map(\.name))
        return Self.keys.filter { !free.contains($0.name) && $0.get(self) != $0.get(other) }.map(\.name)
    }

    /// Settings from a file: an object of names and values.
    public mutating func apply(file path: String) throws {
        do {
            guard let object = try JSON(parsing: FileSystem.readAll(path)).objectValue else {
                throw InputError("the configuration must be an object of settings")
            }
            try apply(object)
        } catch let error as InputError {
            throw error.location == path ? error : error.located(at: path)
        }
    }

    /// Levenshtein distance, for naming the setting somebody meant.
    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        var row = Array(0...b.count)
        for i in 0..<a.count {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<b.count {
                let cost = min(row[j] + 1, row[j + 1] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
                diagonal = row[j + 1]
                row[j + 1] = cost
            }
        }
        return row[b.count]
    }

    private static func integer(_ name: String, _ path: Path<Int>) -> Key {
        Key(name: name, get: { .integer($0[keyPath: path]) }) {
            guard let value = $1.intValue else { throw wrong(name, $1, "a whole number") }
            $0[keyPath: path] = value
        }
    }

    private static func optionalInteger(_ name: String, _ path: Path<Int?>) -> Key {
        Key(name: name, get: { $0[keyPath: path].map { .integer($0) } ?? .null }) {
            guard $1.isNull || $1.intValue != nil else { throw wrong(name, $1, "a whole number or null") }
            $0[keyPath: path] = $1.intValue
        }
    }

    private static func number(_ name: String, _ path: Path<Double>) -> Key {
        Key(name: name, get: { .number($0[keyPath: path]) }) {
            guard let value = $1.doubleValue else { throw wrong(name, $1, "a number") }
            $0[keyPath: path] = value
        }
    }

    private static func optionalNumber(_ name: String, _ path: Path<Double?>) -> Key {
        Key(name: name, get: { $0[keyPath: path].map { .number($0) } ?? .null }) {
            guard $1.isNull || $1.doubleValue != nil else { throw wrong(name, $1, "a number or null") }
            $0[keyPath: path] = $1.doubleValue
        }
    }

    private static func flag(_ name: String, _ path: Path<Bool>) -> Key {
        Key(name: name, get: { .bool($0[keyPath: path]) }) {
            guard let value = $1.boolValue else { throw wrong(name, $1, "true or false") }
            $0[keyPath: path] = value
        }
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ path: Path<Choice>
    ) -> Key {
        Key(name: name, get: { .string($0[keyPath: path].rawValue) }) {
            guard let value = $1.stringValue.flatMap(Choice.init(rawValue:)) else {
                throw wrong(name, $1, "one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            $0[keyPath: path] = value
        }
    }

    private static func wrong(_ name: String, _ value: JSON, _ wanted: String) -> InputError {
        InputError("\(name) must be \(wanted), not \(value.text().prefix(40))", at: name)
    }
}
