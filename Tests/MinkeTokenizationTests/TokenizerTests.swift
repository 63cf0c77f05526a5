import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct TokenizerTests {
    @Test func anyBytesComeBack() throws {
        var random = SeededGenerator(state: 7)
        let alphabet: [UInt8] = Array("the whale 12 \r\n鯨é\u{1F40B}".utf8) + [0x80, 0xC3, 0xE3, 0xF0, 0xFF, 0x00]
        for preTokenizer in [PreTokenizer.deepSeek, .gpt2, .none] {
            let tokenizer = try smallTokenizer(preTokenizer)
            let encoder = TokenEncoder(tokenizer)
            for round in 0..<200 {
                let bytes = (0..<round % 40).map { _ in
                    round % 2 == 0
                        ? alphabet.randomElement(using: &random) ?? 0 : UInt8.random(in: 0...255, using: &random)
                }
                var ids: [Int32] = []
                bytes.withUnsafeBytes { encoder.encode($0, into: &ids) }
                #expect(tokenizer.decodeBytes(ids) == bytes)
                #expect(bytes.withUnsafeBytes { tokenizer.encode($0) } == ids)
            }
        }
    }

    @Test func byteTokenizer() throws {
        let tokenizer = Tokenizer.bytes
        #expect(tokenizer.vocabularySize == 259)
        #expect([tokenizer.bosToken, tokenizer.eosToken, tokenizer.padToken] == [256, 257, 258])
        #expect(tokenizer.encode("é\n") == [0xC3, 0xA9, 10])
        #expect(tokenizer.encode("<｜end▁of▁sentence｜>a") == [257, 97])
        let everyByte = (0...255).map { UInt8($0) }
        #expect(everyByte.withUnsafeBytes { tokenizer.encode($0) } == (0...255).map { Int32($0) })
        #expect(tokenizer.token(for: 32) == "Ġ" && tokenizer.id(of: "Ġ") == 32)
        #expect(tokenizer.token(for: 259) == nil && tokenizer.token(for: -1) == nil)
        let reread = try Tokenizer(parsing: JSON(parsing: tokenizer.json.text()))
        #expect(reread.fingerprint == tokenizer.fingerprint)
        #expect(reread.bosToken == 256)
        #expect(tokenizer.fingerprint != (try smallTokenizer().fingerprint))
    }

    @Test func typedSpecialTokensStayText() throws {
        let tokenizer = try smallTokenizer()
        let text = "a<｜User｜><｜begin▁of▁sentence｜>the<｜User｜"
        let parsed = tokenizer.encode(text)
        #expect(parsed.filter { $0 < 4 } == [3, 0])
        #expect(tokenizer.decode(parsed) == text)
        #expect(tokenizer.decode(parsed, skippingSpecialTokens: true) == "athe<｜User｜")
        let plain = tokenizer.encode(text, parsingSpecialTokens: false)
        #expect(plain.allSatisfy { $0 >= 4 })
        #expect(tokenizer.decode(plain) == text)
    }

    /// A vocabulary in which merging alone would reach a control token.
    @Test func mergesCannotMakeAddedTokens() throws {
        var json = Tokenizer.bytes.json
        try json.edit("model", "vocab") { $0 = $0.adding("ab", .integer(300)) }
        try json.edit("model", "merges") { $0 = [["a", "b"]] }
        #expect(try Tokenizer(parsing: json).encode("ab") == [300])
        try json.edit("added_tokens") { $0 = .array(($0.arrayValue ?? []) + [AddedToken(id: 300, content: "ab").json]) }
        let tokenizer = try Tokenizer(parsing: json)
        #expect(tokenizer.encode("cab") == [99, 300])
        #expect(tokenizer.encode("cab", parsingSpecialTokens: false) == [99, 97, 98])
    }

    @Test func addedTokensAreFoundLongestFirst() throws {
        var json = Tokenizer.bytes.json
        let tokens = [("<a", 300, false), ("<ab>", 301, false), ("b>", 302, true), ("<b", 303, true)].map {
            AddedToken(id: $0.1, content: $0.0, isSpecial: false, isNormalized: $0.2).json
        }
        try json.edit("added_tokens") { $0 = .array(tokens) }
        let tokenizer = try Tokenizer(parsing: json)
        #expect(tokenizer.encode("<ab><abc<b>ab>") == [301, 300, 98, 99, 303, 62, 97, 302])
        #expect(tokenizer.decode([301, 999, 300], skippingSpecialTokens: true) == "<ab><a")
    }

    @Test func longPieces() throws {
        let tokenizer = try smallTokenizer()
        for unit in ["a", "the", " ", "\n", "鯨"] {
            let text = String(repeating: unit, count: 20_000)
            #expect(tokenizer.decode(tokenizer.encode(text)) == text)
        }
    }

    @Test func streamedTextEqualsDecodedText() throws {
        var random = SeededGenerator(state: 3)
        let tokenizer = try smallTokenizer()
        var whale = StreamDecoder(tokenizer)
        #expect("鯨".utf8.map { whale.append(tokenizer.byteTokens[Int($0)]) } == ["", "", "鯨"])
        var cut = StreamDecoder(tokenizer)
        #expect(cut.append(tokenizer.byteTokens[0xE9]) == "")
        #expect(cut.append(tokenizer.byteTokens[0x41]) == "\u{FFFD}A")
        for _ in 0..<200 {
            let ids = (0..<30).map { _ in Int32.random(in: 0..<Int32(tokenizer.vocabularySize), using: &random) }
            for skipping in [false, true] {
                var stream = StreamDecoder(tokenizer, skippingSpecialTokens: skipping)
                let text = ids.map { stream.append($0) }.joined() + stream.finish()
                #expect(text.utf8.elementsEqual(tokenizer.decode(ids, skippingSpecialTokens: skipping).utf8))
            }
        }
    }

    @Test func configurationNamesRoles() throws {
        let tokenizer = try smallTokenizer()
        let configuration = tokenizer.configuration(maximumLength: 2048)
        #expect(configuration["model_max_length"] == 2048)
        #expect(configuration["bos_token"] == "<｜begin▁of▁sentence｜>")
        #expect(configuration["tokenizer_class"] == "PreTrainedTokenizerFast")
        #expect(tokenizer.specialTokensMap["pad_token"] == "<｜▁pad▁｜>")
        let other: JSON = ["eos_token": ["content": "<｜User｜>"], "pad_token": .null, "add_bos_token": true]
        let reread = try Tokenizer(parsing: tokenizer.json, configuration: other)
        #expect([reread.bosToken, reread.eosToken, reread.padToken] == [0, 3, nil])
        #expect(reread.addsBOS)
        #expect(throws: InputError.self) {
            try Tokenizer(parsing: tokenizer.json, configuration: ["bos_token": "missing"])
        }
    }

    @Test func unsupportedPiecesAreNamed() throws {
        let edits: [(path: [String], value: JSON, name: String)] = [
            (["normalizer"], ["type": "NFC"], "NFC"),
            (["post_processor"], ["type": "BertProcessing"], "BertProcessing"),
            (["decoder"], ["type": "WordPiece"], "decoder"),
            (["pre_tokenizer"], ["type": "Metaspace"], "Metaspace"),
            (["pre_tokenizer"], ["type": "Digits"], "ByteLevel"),
            (["pre_tokenizer"], ["type": "ByteLevel", "add_prefix_space": true], "add_prefix_space"),
            (["pre_tokenizer"], ["type": "Split", "pattern": ["Regex": "a"], "behavior": "Removed"], "Removed"),
            (["model", "type"], "Unigram", "Unigram"),
            (["model", "byte_fallback"], true, "byte_fallback"),
            (["model", "end_of_word_suffix"], "</w>", "end_of_word_suffix"),
            (["model", "vocab"], ["a": 0], "byte 0"),
            (["model", "merges"], [["a", "b"]], "merges[0]"),
            (["added_tokens"], [["id": 1, "content": "x", "lstrip": true]], "lstrip"),
        ]
        for edit in edits {
            var json = Tokenizer.bytes.json
            try json.edit(edit.path) { $0 = edit.value }
            let error = #expect(throws: InputError.self) { try Tokenizer(parsing: json) }
            #expect(error?.description.contains(edit.name) == true, "\(edit.name): \(error?.description ?? "")")
        }
    }
}

extension JSON {
    /// Changes the value under a path of keys.
    mutating func edit(_ path: [String], _ change: (inout JSON) -> Void) throws {
        guard let key = path.first else { return change(&self) }
        var object = try #require(objectValue)
        var value = object[key] ?? .null
        try value.edit(Array(path.dropFirst()), change)
        object[key] = value
        self = .object(object)
    }

    mutating func edit(_ path: String..., change: (inout JSON) -> Void) throws { try edit(path, change) }

    func adding(_ key: String, _ value: JSON) -> JSON {
        var object = objectValue ?? [:]
        object[key] = value
        return .object(object)
    }
}
