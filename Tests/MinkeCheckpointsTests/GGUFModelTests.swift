import MinkeFiles
import Testing

@testable import MinkeCheckpoints

@Suite struct GGUFModelTests {
    /// The keys that a configuration read from GGUF must share with the one of Hugging Face.
    static let keys = [
        "model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "intermediate_size", "max_position_embeddings", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim",
        "qk_rope_head_dim", "v_head_dim", "n_routed_experts", "n_shared_experts", "num_experts_per_tok",
        "moe_intermediate_size", "first_k_dense_replace", "moe_layer_freq", "n_group", "topk_group", "topk_method",
        "scoring_func", "norm_topk_prob", "routed_scaling_factor", "rms_norm_eps", "rope_theta", "tie_word_embeddings",
        "bos_token_id", "eos_token_id", "hidden_act",
    ]

    @Test(arguments: [
        ("gguf_v2_lite", "f32"), ("gguf_v2_lite", "f16"), ("gguf_v2_lite", "bf16"), ("gguf_v2_lite", "q8_0"),
        ("gguf_v2_lite", "q4_0-00001-of-00002"), ("gguf_v2_lite", "mxfp4"), ("gguf_v3_kquants", "mixed"),
    ])
    func configurationEqualsHuggingFaces(folder: String, name: String) throws {
        guard let root = Fixtures.directory(folder) else { return }
        let expected = try JSON(parsing: FileSystem.readAll(FileSystem.join(root, "hf_config.json")))
        let model = try GGUFModel(path: FileSystem.join(root, "\(name).gguf"))
        func same(_ left: JSON?, _ right: JSON?) -> Bool {
            if let left = left?.doubleValue, let right = right?.doubleValue { return left == right }
            return left == right
        }
        for key in Self.keys { #expect(same(model.configuration[key], expected[key]), "\(key)") }
        let yarn = model.configuration["rope_scaling"]
        for key in try #require(expected["rope_scaling"]?.objectValue).keys {
            #expect(same(yarn?[key], expected["rope_scaling"]?[key]), "\(key)")
        }
    }

    @Test func tensorsHaveHuggingFacesShapes() throws {
        guard let root = Fixtures.directory("gguf_v3_kquants") else { return }
        let model = try GGUFModel(path: FileSystem.join(root, "mixed.gguf"))
        let layer = "model.layers.1."
        for (name, shape) in [
            ("model.embed_tokens.weight", [512, 256]), ("model.norm.weight", [256]),
            (layer + "self_attn.k_b_proj.weight", [512, 32]), (layer + "self_attn.v_b_proj.weight", [128, 256]),
            (layer + "mlp.gate.weight", [4, 256]), (layer + "mlp.gate.e_score_correction_bias", [4]),
            (layer + "mlp.experts.3.down_proj.weight", [256, 256]),
        ] {
            #expect(model.hasTensor(name))
            #expect(try model.tensor(name).shape == shape)
        }
        for name in [layer + "mlp.experts.4.up_proj.weight", layer + "self_attn.kv_b_proj.weight", "model.layers.01.x"]
        {
            #expect(!model.hasTensor(name))
            #expect(throws: InputError.self) { try model.tensor(name) }
        }
        let stack = try model.file.tensor("blk.1.ffn_down_exps.weight").floats()
        #expect(try model.tensor(layer + "mlp.experts.2.down_proj.weight").floats() == Array(stack[131_072..<196_608]))
    }

    @Test func namesTranslateBothWays() throws {
        for name in ["model.norm.weight", "model.layers.12.self_attn.kv_b_proj.weight", "model.layers.61.enorm.weight"]
        {
            let place = try #require(GGUFTensorNames.place(of: name))
            #expect(place.expert == nil)
            #expect(GGUFTensorNames.huggingFaceName(of: place.name) == name)
        }
        let name = "model.layers.3.mlp.experts.255.up_proj.weight"
        #expect(GGUFTensorNames.place(of: name) == .init(name: "blk.3.ffn_up_exps.weight", expert: 255))
        #expect(GGUFTensorNames.huggingFaceName(of: "blk.3.ffn_up_exps.weight", expert: 255) == name)
        #expect(GGUFTensorNames.huggingFaceName(of: "blk.3.ffn_up_exps.weight") == nil)
    }

    /// A file from before the keys for heads, gating and groups, with unsplit `kv_b`.
    func oldFile() -> GGUFBytes {
        var bytes = GGUFBytes()
        bytes.set("general.architecture", "deepseek2")
        for (key, value) in [
            ("block_count", 1), ("context_length", 64), ("embedding_length", 4), ("feed_forward_length", 8),
            ("attention.head_count", 2), ("attention.head_count_kv", 2), ("attention.kv_lora_rank", 4),
            ("attention.key_length", 6), ("attention.value_length", 3), ("rope.dimension_count", 2),
            ("expert_count", 2), ("expert_used_count", 1), ("expert_feed_forward_length", 2),
        ] as [(String, UInt32)] { bytes.set("deepseek2." + key, value) }
        bytes.set("deepseek2.attention.layer_norm_rms_epsilon", 1e-6 as Float)
        bytes.add("token_embd.weight", [5, 4], [Float](repeating: 1, count: 20))
        bytes.add("blk.0.ffn_gate_inp.weight", [2, 4], [Float](repeating: 1, count: 8))
        return bytes
    }

    func model(_ bytes: GGUFBytes) throws -> GGUFModel {
        let directory = try TemporaryDirectory()
        try AtomicFile.write(bytes.bytes, to: directory("model.gguf"))
        return try GGUFModel(path: directory("model.gguf"))
    }

    @Test func oldFiles() throws {
        let model = try model(oldFile())
        let json = model.configuration
        #expect(json["model_type"] == "deepseek_v2" && json["topk_method"] == "greedy" && json["n_group"] == 1)
        #expect(json["qk_nope_head_dim"] == 4 && json["v_head_dim"] == 3 && json["vocab_size"] == 5)
        #expect(json["q_lora_rank"] == .null && json["tie_word_embeddings"] == true && json["rope_scaling"] == nil)
        #expect(!model.hasTensor("model.layers.0.mlp.gate.e_score_correction_bias"))
    }

    @Test func sigmoidWithoutBiasHasZeros() throws {
        var bytes = oldFile()
        bytes.set("deepseek2.expert_gating_func", 2 as UInt32)
        let model = try model(bytes)
        #expect(model.configuration["model_type"] == "deepseek_v3")
        let name = "model.layers.0.mlp.gate.e_score_correction_bias"
        #expect(model.hasTensor(name))
        #expect(try model.tensor(name).floats() == [0, 0])
        #expect(throws: InputError.self) { try model.tensor("model.layers.1.mlp.gate.e_score_correction_bias") }
    }

    /// Gate and up of every expert in one tensor, as llama.cpp's converter writes them when asked to fuse.
    @Test func mergedExpertsAreTakenApart() throws {
        var bytes = oldFile()
        bytes.add("blk.0.ffn_gate_up_exps.weight", [2, 4, 4], (0..<32).map { Float($0) })
        bytes.add("blk.1.ffn_gate_up_exps.weight", [2, 3, 4], [Float](repeating: 0, count: 24))
        let model = try model(bytes)
        func name(_ layer: Int, _ expert: Int, _ part: String) -> String {
            "model.layers.\(layer).mlp.experts.\(expert).\(part)_proj.weight"
        }
        for (expert, part, first) in [(0, "gate", 0), (0, "up", 8), (1, "gate", 16), (1, "up", 24)] {
            #expect(model.hasTensor(name(0, expert, part)))
            let tensor = try model.tensor(name(0, expert, part))
            #expect(tensor.shape == [2, 4])
            #expect(try tensor.floats() == (first..<first + 8).map { Float($0) })
        }
        #expect(!model.hasTensor(name(0, 2, "gate")) && !model.hasTensor(name(0, 0, "down")))
        for missing in [name(0, 2, "gate"), name(0, 0, "down"), name(1, 0, "up")] {
            #expect(throws: InputError.self) { try model.tensor(missing) }
        }
    }

    @Test func biasesOfTheAttentionAreSeen() throws {
        #expect(try model(oldFile()).configuration["attention_bias"] == false)
        var bytes = oldFile()
        bytes.add("blk.0.attn_kv_a_mqa.bias", [6], [Float](repeating: 1, count: 6))
        let model = try model(bytes)
        #expect(model.configuration["attention_bias"] == true)
        #expect(try model.tensor("model.layers.0.self_attn.kv_a_proj_with_mqa.bias").shape == [6])
    }

    @Test(arguments: ["deepseek32", "deepseek4", "qwen3"]) func otherArchitecturesAreNamed(name: String) throws {
        var bytes = GGUFBytes()
        bytes.set("general.architecture", name)
        #expect { try model(bytes) } throws: { "\($0)".contains("\"\(name)\" is not supported") }
    }
}
