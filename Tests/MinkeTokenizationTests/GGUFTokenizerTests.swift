import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct GGUFTokenizerTests {
    static let tokens =
        Tokenizer.defaultSpecialTokens + (0...255).map { ByteAlphabet.spelling(of: [UInt8($0)]) } + ["ab", "abc"]
    static let types = [3, 3, 4] + [Int](repeating: 1, count: 258)

    func tokenizer(
        tokens: [String] = tokens, types: [Int] = types, merges: [String] = ["a b", "ab c"],
        pre: String = "deepseek-v3",
        bos: Int? = 0
    ) throws -> Tokenizer {
        try Tokenizer(
            ggufTokens: tokens, tokenTypes: types, merges: merges, preTokenizer: pre, bosToken: bos, addsBOS: true)
    }

    @Test func smallVocabulary() throws {
        let tokenizer = try tokenizer()
        #expect(tokenizer.encode("abcab") == [260, 259])
        #expect(tokenizer.bosToken == 0 && tokenizer.eosToken == 1 && tokenizer.padToken == 2 && tokenizer.addsBOS)
        #expect(tokenizer.encode(Self.tokens[2] + "ab") == [2, 259])
        #expect(tokenizer.isSpecial(0) && !tokenizer.isSpecial(2) && tokenizer.vocabularySize == 261)
        // A merge that would make a control token is left out.
        var types = Self.types
        types[260] = 3
        #expect(try self.tokenizer(types: types).encode("abc", parsingSpecialTokens: false) == [259, 102])
    }

    /// tiktoken's own rule, word for word: the adjacent pair whose joined bytes have the lowest rank, the leftmost first.
    static func mergedByRank(_ piece: [UInt8], _ ranks: [[UInt8]: Int]) -> [Int] {
        if let whole = ranks[piece] { return [whole] }
        var parts = piece.map { [$0] }
        while true {
            let candidates = parts.indices.dropLast().compactMap { index in
                ranks[parts[index] + parts[index + 1]].map { (rank: $0, index: index) }
            }
            guard let best = candidates.min(by: { ($0.rank, $0.index) < ($1.rank, $1.index) }) else { break }
            parts[best.index] += parts.remove(at: best.index + 1)
        }
        return parts.compactMap { ranks[$0] }
    }

    /// Kimi K2's vocabulary is one of ranks: what merges is what is a token when joined.
    @Test func withoutMergesIdsAreRanks() throws {
        let words = [
            "aa", "ab", "aaa", "abab", "ba", "aab", "baa", "aaaa", "bab", "hello", "he", "ll", "llo", "lo", " a", " ab",
        ].map { Array($0.utf8) }
        let ranked = (0...255).map { [UInt8($0)] } + words
        let ranks = Dictionary(uniqueKeysWithValues: ranked.enumerated().map { ($1, $0) })
        let tokens = ranked.map { ByteAlphabet.spelling(of: $0) } + ["[BOS]", "[EOS]", "aba", "[PAD]"]
        let types = [Int](repeating: 1, count: ranked.count) + [3, 3, 5, 5]
        let tokenizer = try Tokenizer(
            ggufTokens: tokens, tokenTypes: types, merges: nil, preTokenizer: "kimi-k2", bosToken: ranked.count,
            addsBOS: false)
        var generator = SeededGenerator(state: 7)
        for _ in 0..<500 {
            let text = String(
                (0..<Int.random(in: 1...12, using: &generator)).map { _ in
                    "aabblohe".randomElement(using: &generator) ?? "a"
                })
            let expected = Self.mergedByRank(Array(text.utf8), ranks).map { Int32($0) }
            #expect(tokenizer.encode(text) == expected, "\(text)")
            #expect(tokenizer.decode(expected) == text)
        }
        // A piece that is a token is that token, even where merging would not come upon it.
        #expect(tokenizer.encode("hello") == [Int32(256 + 9)])
        #expect(tokenizer.encode("[BOS]a") == [Int32(ranked.count), 97])
        let long = tokens + [String(repeating: "a", count: 1025)]
        #expect(throws: InputError.self) {
            try Tokenizer(
                ggufTokens: long, tokenTypes: types + [1], merges: nil, preTokenizer: "kimi-k2", addsBOS: false)
        }
    }

    @Test func faultsAreNamed() throws {
        func expectFault(_ place: String, _ body: () throws -> Tokenizer) {
            #expect { try body() } throws: {
                ($0 as? InputError)?.location?.hasPrefix("tokenizer.ggml." + place) == true
            }
        }
        expectFault("token_type") { try tokenizer(types: [1]) }
        expectFault("merges") { try tokenizer(merges: ["ab"]) }
        expectFault("merges") { try tokenizer(merges: ["a bb"]) }
        expectFault("pre") { try tokenizer(pre: "whale") }
        expectFault("bos_token_id") { try tokenizer(bos: 261) }
        expectFault("bos_token_id") { try tokenizer(bos: .max) }
        expectFault("tokens") { try tokenizer(tokens: ["a"], types: [1], merges: []) }
        expectFault("tokens") { try tokenizer(tokens: Self.tokens + ["<｜▁pad▁｜>"], types: Self.types + [3]) }
    }

    @Test func equalsTheTokenizerOfHuggingFace() throws {
        guard let bytes = Fixtures.bytes("tokenizer_deepseek/tokenizer.json"),
            let rows = try Fixtures.rows("tokenizer_deepseek/encode.jsonl")
        else { return }
        let json = try JSON(parsing: bytes)
        var tokens = [String](repeating: "", count: 129_280)
        var types = [Int](repeating: 1, count: tokens.count)
        for (token, id) in try #require(json["model"]?["vocab"]?.objectValue) {
            tokens[try #require(id.intValue)] = token
        }
        for entry in try #require(json["added_tokens"]?.arrayValue) {
            let id = try #require(entry["id"]?.intValue)
            tokens[id] = try #require(entry["content"]?.stringValue)
            types[id] = entry["special"] == true ? 3 : 4
        }
        let merges = try #require(json["model"]?["merges"]?.arrayValue).map { merge in
            merge.stringValue ?? (merge.arrayValue ?? []).compactMap(\.stringValue).joined(separator: " ")
        }
        let tokenizer = try Tokenizer(
            ggufTokens: tokens, tokenTypes: types, merges: merges, preTokenizer: "deepseek-v3", bosToken: 0,
            eosToken: 1, addsBOS: false)
        let encoder = TokenEncoder(tokenizer)
        for row in rows {
            let text = try #require(row["text"]?.stringValue)
            #expect(encoder.encode(text) == row["ids"]?.ids, "\(text.debugDescription)")
        }
    }

    @Test(arguments: [
        // Later expressions cut the words of earlier ones: from ":" to "~" there are letters, too.
        ("deepseek-llm", ["Hi", " gr", "öß", "e", ",", " ", "1", "2", "\n", "世界", " x", "!?", "  "]),
        ("deepseek-coder", ["Hi", " größe", ",", " ", "1", "2", "\n", "世界", " x", "!?", "  "]),
        ("llama-bpe", ["Hi", " größe", ",", " ", "12", "\n", "世界", " x", "!?", "  "]),
        ("kimi-k2", ["Hi", " größe", ",", " ", "12", "\n", "世界", " x", "!?", "  "]),
        ("gpt-2", ["Hi", " größe", ",", " 12", "\n", "世界", " x", "!?", "  "]),
    ])
    func splits(name: String, pieces: [String]) throws {
        #expect(try split(pieces.joined(), name) == pieces)
    }

    @Test func splitsThatDiffer() throws {
        #expect(try split("don't DON'T 12345", "glm4") == ["don", "'t", " DON", "'T", " ", "123", "45"])
        #expect(
            try split("don't HelloWorld漢字kana 12345", "kimi-k2") == [
                "don't", " Hello", "World", "漢字", "kana", " ", "123", "45",
            ])
        #expect(try split("ªᾼ𐐀ა \u{2126}", "deepseek-llm") == ["ª", "ᾼ", "𐐀", "ა", " ", "\u{2126}"])
    }

    func split(_ text: String, _ name: String) throws -> [String] {
        var splitter = TextSplitter(try PreTokenizer(ggufName: name))
        var pieces: [String] = []
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            splitter.split(bytes, 0..<bytes.count) { pieces.append(String(decoding: bytes[$0], as: UTF8.self)) }
        }
        return pieces
    }
}
