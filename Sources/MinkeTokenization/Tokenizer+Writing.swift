import MinkeFiles

extension Tokenizer {
    /// The content of a `tokenizer.json` that the `tokenizers` library reads as the same tokenizer. It has no post-processor:
    /// whether ``bosToken`` comes first is told by ``configuration(maximumLength:)``.
    public var json: JSON {
        let byteLevel: JSON = ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true]
        var spellings = JSON.Object()
        // Added tokens too: the library numbers those that are missing here anew.
        for id in 0..<Int32(vocabularySize) {
            if let spelling = token(for: id) { spellings[spelling] = .integer(Int(id)) }
        }
        let merges: [JSON] = rules.rules.map { rule in
            [.string(token(for: rule.left) ?? ""), .string(token(for: rule.right) ?? "")]
        }
        return [
            "version": "1.0", "truncation": .null, "padding": .null,
            "added_tokens": .array(addedTokens.map(\.json)),
            "normalizer": .null, "pre_tokenizer": preTokenizer.json, "post_processor": .null, "decoder": byteLevel,
            "model": [
                "type": "BPE", "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
                "end_of_word_suffix": .null, "fuse_unk": false, "byte_fallback": false,
                "ignore_merges": .bool(ignoresMerges), "vocab": .object(spellings), "merges": .array(merges),
            ],
        ]
    }

    /// The content of a `tokenizer_config.json`.
    ///
    /// - Parameter maximumLength: the longest sequence of the model, in tokens.
    public func configuration(maximumLength: Int) -> JSON {
        var object: JSON.Object = [
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": .integer(maximumLength),
            "clean_up_tokenization_spaces": false, "add_bos_token": .bool(addsBOS), "add_eos_token": false,
        ]
        for (key, name) in roleNames { object[key] = .string(name) }
        return .object(object)
    }

    /// The content of a `special_tokens_map.json`.
    public var specialTokensMap: JSON {
        var object = JSON.Object()
        for (key, name) in roleNames { object[key] = .string(name) }
        return .object(object)
    }

    private var roleNames: [(key: String, name: String)] {
        [("bos_token", bosToken), ("eos_token", eosToken), ("pad_token", padToken)].compactMap { key, id in
            id.flatMap { token(for: $0) }.map { (key, $0) }
        }
    }

    /// A hash of everything that decides how text is encoded, as 16 hexadecimal digits (FNV-1a): equal for tokenizers
    /// that encode alike, so that a corpus encoded by another one is noticed.
    public var fingerprint: String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
        func mix(_ number: Int) {
            withUnsafeBytes(of: Int64(number).littleEndian) { mix($0) }
        }
        for id in 0..<Int32(vocabularySize) {
            var bytes: [UInt8] = []
            vocabulary.appendBytes(of: id, to: &bytes)
            mix(bytes.count)
            mix(bytes)
        }
        for rule in rules.rules {
            mix(Int(rule.left))
            mix(Int(rule.right))
        }
        for token in addedTokens.sorted(by: { $0.id < $1.id }) {
            mix(Int(token.id))
            mix(token.content.utf8)
            mix((token.isSpecial ? 1 : 0) + (token.isNormalized ? 2 : 0))
        }
        for expression in preTokenizer.expressions { mix(expression.pattern.utf8) }
        mix(ignoresMerges ? 1 : 0)
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
