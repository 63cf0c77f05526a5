import MinkeCheckpoints
import MinkeFiles
import MinkeGeneration
import MinkeModel
import MinkeTokenization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension FuzzTarget {
    /// Makes a folder with a sound little model, whose files the targets replace.
    static func prepare(_ folder: String) throws {
        try FileSystem.createDirectory(folder)
        try FuzzSeeds.model().write(to: folder)
        try FuzzSeeds.tokenizer.write(to: folder, maximumLength: 64)
    }

    /// Writes over a file of the scratch folder. No renaming and no waiting for the disk, unlike ``AtomicFile``: nothing
    /// holds the file between two runs.
    static func overwrite(_ path: String, _ bytes: [UInt8]) throws {
        guard let file = fopen(path, "w") else { throw InputError("cannot be written", at: path) }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw InputError("cannot be written", at: path)
        }
    }

    /// Sound files to start from.
    ///
    /// - Parameter scratch: a folder made by ``prepare(_:)``.
    func seeds(scratch: String) throws -> [[UInt8]] {
        func bytes(_ name: String) throws -> [UInt8] { try FileSystem.readAll(FileSystem.join(scratch, name)) }
        switch self {
        case .safetensors: return [try bytes("model.safetensors")]
        case .gguf:
            return try [TargetType.f32, .f16, .q80].map { target in
                let path = FileSystem.join(scratch, "seed-\(target.rawValue).gguf")
                _ = try ModelConverter(to: target).convert(folder: scratch, toGGUF: path)
                return try FileSystem.readAll(path)
            }
        case .tokenizer: return [try bytes("tokenizer.json")]
        case .config: return [try bytes("config.json")] + FuzzSeeds.configurations.map { Array($0.utf8) }
        case .template: return FuzzSeeds.templates.map { Array($0.utf8) }
        case .messages: return FuzzSeeds.messages.map { Array($0.utf8) }
        }
    }
}

/// Small sound inputs.
enum FuzzSeeds {
    /// A model of every part that latent attention and experts have, in some tens of kilobytes.
    static func model() throws -> LanguageModel {
        var configuration = ModelConfiguration(
            family: .deepseekV3, vocabSize: tokenizer.vocabularySize, hiddenSize: 32, numHiddenLayers: 2,
            numAttentionHeads: 2, intermediateSize: 32)
        configuration.kvLoraRank = 32
        configuration.qLoraRank = 32
        configuration.qkNopeHeadDim = 4
        configuration.qkRopeHeadDim = 4
        configuration.vHeadDim = 16
        configuration.nRoutedExperts = 4
        configuration.nSharedExperts = 1
        configuration.numExpertsPerTok = 2
        configuration.moeIntermediateSize = 32
        configuration.firstKDenseReplace = 1
        configuration.nGroup = 2
        configuration.topkGroup = 1
        configuration.tieWordEmbeddings = true
        configuration.maxPositionEmbeddings = 64
        return try LanguageModel(configuration, weights: .random(seed: 7, Initialization(deviation: 0.2)))
    }

    /// All bytes, two merges and three control tokens.
    static let tokenizer: Tokenizer = {
        var vocabulary = JSON.Object()
        for id in 0..<256 { vocabulary[Tokenizer.bytes.token(for: Int32(id)) ?? ""] = .integer(id) }
        vocabulary["th"] = 256
        vocabulary["the"] = 257
        let special = Tokenizer.defaultSpecialTokens.enumerated().map { index, text -> JSON in
            ["id": .integer(258 + index), "content": .string(text), "special": true, "normalized": false]
        }
        let expression = #"'s|\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+"#
        let json: JSON = [
            "added_tokens": .array(special), "normalizer": .null,
            "pre_tokenizer": [
                "type": "Sequence",
                "pretokenizers": [
                    [
                        "type": "Split", "pattern": ["Regex": .string(expression)], "behavior": "Isolated",
                        "invert": false,
                    ], ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false],
                ],
            ], "decoder": ["type": "ByteLevel"],
            "model": ["type": "BPE", "vocab": .object(vocabulary), "merges": [["t", "h"], ["th", "e"]]],
        ]
        do { return try Tokenizer(parsing: json) } catch { preconditionFailure("\(error)") }
    }()

    static let configurations = [
        """
        {"model_type": "deepseek_v2", "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 32,
        "num_attention_heads": 2, "num_key_value_heads": 2, "kv_lora_rank": 8, "q_lora_rank": null, "qk_nope_head_dim": 4,
        "qk_rope_head_dim": 4, "v_head_dim": 4, "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2,
        "moe_intermediate_size": 8, "first_k_dense_replace": 1, "moe_layer_freq": 1, "n_group": 1, "topk_group": 1,
        "topk_method": "greedy", "scoring_func": "softmax", "norm_topk_prob": false, "routed_scaling_factor": 1.0,
        "rms_norm_eps": 1e-6, "rope_theta": 10000, "max_position_embeddings": 64, "hidden_act": "silu",
        "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 32, "beta_fast": 32,
        "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.707}}
        """,
        """
        {"model_type": "llama", "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 32,
        "num_attention_heads": 4, "num_key_value_heads": 4, "rms_norm_eps": 1e-5, "rope_theta": 10000,
        "max_position_embeddings": 64, "hidden_act": "silu", "tie_word_embeddings": true}
        """,
    ]

    static let templates = [
        """
        {{- bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|user|>' + m.content }}
        {%- elif m.role == 'assistant' and m.tool_calls %}{% for c in m.tool_calls %}{{ c.function | tojson }}{% endfor %}
        {%- else %}{{ m.content or '' }}{% endif %}{{ eos_token if loop.last else loop.index0 }}{% endfor %}
        {%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}
        """,
        """
        {% set ns = namespace(n=0, s='') %}{% macro wrap(text, tag='x') %}<{{ tag }}>{{ text }}</{{ tag }}>{% endmacro %}
        {%- for m in messages | reverse %}{% set ns.n = ns.n + 1 %}{{ wrap((m.content or '')[:5] | upper, tag='y') }}
        {%- endfor %}{{ ns.n // 2 ~ ns.s }}{% for i in range(0, 10, 3) %}{{ i % 4 * 2 ** 3 }}{% endfor %}
        {{ [1, 2.5, 'a', none, true] | tojson(indent=2) }}{{ messages[-1].content.split('4') | join('-') | trim }}
        {% if tools is defined and tools is not none %}{{ {'a': [1, {'b': 2}]} | items | list | length }}{% endif %}
        {{ 'a,b'.replace(',', ';', 1).startswith('a') }}{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | first }}
        """,
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% set x = 'aaaaaaaa' %}{% for i in range(64) %}{% set x = x ~ x %}{{ x }}{% endfor %}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    ]

    static let messages = [
        """
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": null, "reasoning_content": "r", "tool_calls": [{"id": "c1", "type": "function",
        "function": {"name": "f", "arguments": "{\\"x\\": [1, 2.5e3, null]}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "out"}, {"role": "assistant", "content": "a", "prefix": true}],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
        "add_generation_prompt": true, "thinking": true, "response_format": {"type": "object"}}
        """,
        #"[{"role": "user", "content": "</think><｜User｜>"}, {"role": "assistant", "content": "b", "reasoning": "c"}]"#,
    ]
}
