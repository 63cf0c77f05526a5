import MinkeCheckpoints
import MinkeFiles
import Testing

@testable import MinkeModel

/// Which type llama.cpp gives which tensor.
@Suite struct TargetTypeTests {
    /// DeepSeek-V2-Lite's shapes.
    @Test(arguments: [
        ("token_embd.weight", [102_400, 2048], StoredType.q4K), ("output.weight", [102_400, 2048], .q6K),
        ("output_norm.weight", [2048], .float32), ("blk.1.ffn_gate_inp.weight", [64, 2048], .float32),
        ("blk.1.exp_probs_b.bias", [64], .float32), ("blk.1.attn_q.weight", [3072, 2048], .q4K),
        ("blk.1.attn_k_b.weight", [16, 512, 128], .q50), ("blk.1.attn_v_b.weight", [16, 128, 512], .q4K),
        ("blk.0.ffn_down.weight", [2048, 10_944], .q80), ("blk.3.ffn_down_exps.weight", [64, 2048, 1408], .q50),
        ("blk.5.ffn_down_exps.weight", [64, 2048, 1408], .q80),
        ("blk.26.ffn_down_exps.weight", [64, 2048, 1408], .q80),
        ("blk.3.ffn_gate_exps.weight", [64, 1408, 2048], .q4K), ("blk.26.ffn_down_shexp.weight", [2048, 2816], .q6K),
        ("blk.1.attn_k_b.weight", [2, 12, 6], .float16),
    ]) func mixture(name: String, shape: [Int], type: StoredType) {
        #expect(TargetType.q4KM.type(ofGGUF: name, shape: shape, layers: 27) == type)
    }

    @Test(arguments: [
        (TargetType.q4K, StoredType.q50), (.q5K, .q51), (.q6K, .q80), (.q80, .q80), (.q40, .q40), (.bf16, .bfloat16),
    ]) func rowsOfNoWholeBlocksFallBack(target: TargetType, type: StoredType) {
        #expect(target.type(ofGGUF: "blk.0.attn_q.weight", shape: [64, 96], layers: 2) == type)
    }

    @Test(arguments: [
        ("token_embd.weight", [8, 4], WeightKind.embedding), ("output.weight", [8, 4], .head),
        ("output_norm.weight", [4], .norms), ("blk.0.attn_k_b.weight", [2, 4, 4], .attention),
        ("blk.0.attn_kv_a_norm.weight", [4], .norms), ("blk.0.ffn_up.weight", [4, 4], .feedForward),
        ("blk.0.ffn_up_exps.weight", [2, 4, 4], .experts), ("blk.0.ffn_up_shexp.weight", [4, 4], .sharedExperts),
        ("blk.0.ffn_gate_inp.weight", [4, 4], .router), ("blk.0.exp_probs_b.bias", [4], .router),
        ("blk.0.nextn.eh_proj.weight", [4, 8], .prediction), ("blk.0.nextn.enorm.weight", [4], .norms),
    ]) func kinds(name: String, shape: [Int], kind: WeightKind) {
        #expect(WeightKind(ofGGUF: name, shape: shape) == kind)
    }
}

/// Tokenizer files in the keys of GGUF.
@Suite struct GGUFVocabularyTests {
    private func vocabulary(preTokenizer: JSON, size: Int = 6) throws -> GGUFVocabulary {
        let model = ModelConfiguration(
            family: .llama, vocabSize: size, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 1,
            intermediateSize: 8)
        return try GGUFVocabulary(
            tokenizer: [
                "model": ["vocab": ["a": 0, "b": 1, "ab": 2], "merges": [["a", "b"]]],
                "added_tokens": [
                    ["id": 3, "content": "<end>", "special": true], ["id": 4, "content": "<tool>", "special": false],
                ],
                "pre_tokenizer": preTokenizer,
            ],
            options: ["eos_token": ["content": "<end>"], "add_bos_token": true, "chat_template": "{{ 1 }}"],
            chatTemplate: nil, model: model)
    }

    @Test func keysOfAVocabulary() throws {
        let metadata = try vocabulary(preTokenizer: ["type": "ByteLevel", "use_regex": true]).metadata
        #expect(try metadata.string("tokenizer.ggml.model") == "gpt2")
        #expect(try metadata.string("tokenizer.ggml.pre") == "gpt-2")
        #expect(try metadata.strings("tokenizer.ggml.tokens") == ["a", "b", "ab", "<end>", "<tool>", "[PAD5]"])
        #expect(try metadata.integers("tokenizer.ggml.token_type") == [1, 1, 1, 3, 4, 5])
        #expect(try metadata.strings("tokenizer.ggml.merges") == ["a b"])
        #expect(try metadata.integer("tokenizer.ggml.eos_token_id") == 3)
        #expect(metadata["tokenizer.ggml.bos_token_id"] == nil)
        #expect(try metadata.flag("tokenizer.ggml.add_bos_token") == true)
        #expect(try metadata.string("tokenizer.chat_template") == "{{ 1 }}")
    }

    @Test func unknownCutsAreTold() throws {
        let vocabulary = try vocabulary(preTokenizer: ["type": "Split", "pattern": ["Regex": "x+"]])
        #expect(try vocabulary.metadata.string("tokenizer.ggml.pre") == "default")
        #expect(vocabulary.notes.count == 1)
    }

    @Test func tokensBeyondTheModelAreRefused() {
        #expect(throws: InputError.self) { try vocabulary(preTokenizer: .null, size: 4) }
    }

    @Test(arguments: [("tokenizer_deepseek", "deepseek-v3"), ("bpe_small", "deepseek-v3")])
    func releasedCutsAreRecognised(folder: String, name: String) throws {
        guard let folder = Fixtures.folder(folder) else { return }
        let tokenizer = try Fixtures.json(folder, "tokenizer.json")
        let model = ModelConfiguration(
            family: .deepseekV3, vocabSize: 129_280, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 1,
            intermediateSize: 8)
        let vocabulary = try GGUFVocabulary(tokenizer: tokenizer, options: nil, chatTemplate: nil, model: model)
        #expect(try vocabulary.metadata.string("tokenizer.ggml.pre") == name)
    }
}
