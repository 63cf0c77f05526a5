import MinkeFiles
import MinkePlanning
import Testing

@Suite struct ModelShapeTests {
    static let v3 = """
        {"model_type": "deepseek_v3", "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128,
        "num_key_value_heads": 128, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64, "v_head_dim": 128, "intermediate_size": 18432, "moe_intermediate_size": 2048,
        "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
        "moe_layer_freq": 1, "vocab_size": 129280, "num_nextn_predict_layers": 1, "tie_word_embeddings": false}
        """

    func shape(_ text: String) throws -> ModelShape {
        let object = try #require(try JSON(parsing: text).objectValue)
        return try ModelShape(configuration: object, name: "test", at: "config.json")
    }

    @Test func aConfigurationSaysWhatTheTableSays() throws {
        var read = try shape(Self.v3)
        let known = try #require(ModelShape.named("DeepSeek-V3"))
        read.name = known.name
        read.source = known.source
        #expect(read == known)
        let inner = try shape("{\"text_config\": \(Self.v3)}")
        #expect(inner.totalParameters == known.totalParameters)
    }

    @Test func otherFamiliesAreRead() throws {
        // Mixtral 8x7B and Qwen3-30B-A3B: 46.7 B / 12.9 B and 30.5 B / 3.3 B.
        let mixtral = try shape(
            """
            {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "intermediate_size": 14336, "num_local_experts": 8, "num_experts_per_tok": 2, "vocab_size": 32000}
            """)
        #expect(Quantity.count(mixtral.totalParameters, digits: 3) == "46.7B")
        #expect(Quantity.count(mixtral.multipliedParameters, digits: 3) == "12.7B")
        let qwen = try shape(
            """
            {"hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4,
            "head_dim": 128, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128,
            "num_experts_per_tok": 8, "vocab_size": 151936, "decoder_sparse_step": 1}
            """)
        #expect(Quantity.count(qwen.totalParameters, digits: 3) == "30.5B")
        #expect(qwen.cachedValues == 48 * 2 * 4 * 128)
    }

    @Test(arguments: [
        "{}", #"{"hidden_size": -1}"#, #"{"hidden_size": 1e30}"#, #"{"hidden_size": "wide"}"#,
        #"{"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}"#,
        #"""
        {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "intermediate_size": 9, "vocab_size": 9,
        "num_experts": 4, "num_experts_per_tok": 5}
        """#,
    ])
    func brokenConfigurationsAreRefused(text: String) {
        #expect(throws: InputError.self) { try shape(text) }
    }

    @Test func sizesAloneWillDo() throws {
        let shape = try ModelShape(parameters: 671e9, active: 37e9, layers: 61, experts: 256, perToken: 8)
        #expect(shape.totalParameters == 671e9 && shape.multipliedParameters == 37e9)
        // What is not active is routed experts: as many as V3 has, to a few per cent.
        let v3 = try #require(ModelShape.named("deepseek-v3"))
        #expect((shape.routedParameters / v3.routedParameters - 1).magnitude < 0.01)
        #expect(throws: InputError.self) { try ModelShape(parameters: 1e9, active: 2e9, layers: 3) }
        #expect(throws: InputError.self) {
            try ModelShape(parameters: 2e9, active: 1e9, layers: 3, experts: 8, perToken: 8)
        }
    }

    @Test func attentionIsHalfAsMuchWhenCausal() throws {
        let shape = try #require(ModelShape.named("llama-3.1-8b"))
        let weights = shape.forwardOperations(length: 4096, counting: .none)
        let causal = shape.forwardOperations(length: 4096) - weights
        let full = shape.forwardOperations(length: 4096, counting: .full) - weights
        #expect((full / causal - 2 * 4096 / 4097).magnitude < 1e-9)
        #expect(full == 2 * 32 * 4096 * 32 * 256)
    }
}
