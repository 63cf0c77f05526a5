import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct FixtureTests {
    @Test(arguments: [("", PreTokenizer.deepSeek), ("_gpt2", PreTokenizer.gpt2)])
    func trainerMatchesLibrary(suffix: String, preTokenizer: PreTokenizer) throws {
        guard let corpus = Fixtures.bytes("bpe_small/corpus.txt"),
            let expected = try Fixtures.bytes("bpe_small/tokenizer\(suffix).json").map({ try JSON(parsing: $0) }),
            let merges = Fixtures.bytes("bpe_small/merges\(suffix).txt"),
            let rows = try Fixtures.rows("bpe_small/encode\(suffix).jsonl")
        else { return }
        let names = try #require(expected["added_tokens"]?.arrayValue?.compactMap { $0["content"]?.stringValue })
        let trainer = BytePairTrainer(preTokenizer: preTokenizer, specialTokens: names)
        corpus.withUnsafeBytes { trainer.addLines(of: $0) }
        let tokenizer = try trainer.train(vocabularySize: 512)

        let json = tokenizer.json
        #expect(json["model"]?["merges"] == expected["model"]?["merges"])
        #expect(json["model"]?["vocab"] == expected["model"]?["vocab"])
        #expect(json["pre_tokenizer"] == expected["pre_tokenizer"])
        #expect(json["added_tokens"] == expected["added_tokens"])
        let lines = String(decoding: merges, as: UTF8.self).split(separator: "\n")
        let own = tokenizer.rules.rules.map {
            "\(tokenizer.token(for: $0.left) ?? "") \(tokenizer.token(for: $0.right) ?? "")"
        }
        #expect(own == lines.map(String.init))
        #expect(try Tokenizer(parsing: expected).fingerprint == tokenizer.fingerprint)
        #expect(try Tokenizer(parsing: JSON(parsing: json.text())).fingerprint == tokenizer.fingerprint)
        for row in rows {
            let text = try #require(row["text"]?.stringValue)
            #expect(tokenizer.encode(text) == row["ids"]?.ids, "\(text.debugDescription)")
        }
    }

    @Test func deepSeekMatchesLibrary() throws {
        guard let tokenizer = try Fixtures.tokenizer("tokenizer_deepseek/tokenizer.json"),
            let encodings = try Fixtures.rows("tokenizer_deepseek/encode.jsonl"),
            let decodings = try Fixtures.rows("tokenizer_deepseek/decode.jsonl")
        else { return }
        #expect(tokenizer.vocabularySize == 129_280)
        #expect(tokenizer.bosToken == 0 && tokenizer.eosToken == 1 && !tokenizer.addsBOS)
        #expect(tokenizer.id(of: "<think>") == 128_821 && !tokenizer.isSpecial(128_821))
        let encoder = TokenEncoder(tokenizer)
        for row in encodings {
            let text = try #require(row["text"]?.stringValue)
            let ids = encoder.encode(text)
            #expect(ids == row["ids"]?.ids, "\(text.debugDescription)")
            let decoded = row["decoded"]?.stringValue ?? text
            #expect(tokenizer.decode(ids).utf8.elementsEqual(decoded.utf8))
            let skipped = row["decoded_skip_special"]?.stringValue ?? decoded
            #expect(tokenizer.decode(ids, skippingSpecialTokens: true).utf8.elementsEqual(skipped.utf8))
            let plain = encoder.encode(text, parsingSpecialTokens: false)
            #expect(plain.allSatisfy { $0 > 2 && $0 < 128_000 })
            #expect(tokenizer.decodeBytes(plain) == Array(text.utf8))
        }
        for row in decodings {
            let ids = try #require(row["ids"]).ids
            let decoded = try #require(row["decoded"]?.stringValue)
            let skipped = try #require(row["decoded_skip_special"]?.stringValue)
            #expect(tokenizer.decode(ids).utf8.elementsEqual(decoded.utf8))
            #expect(tokenizer.decode(ids, skippingSpecialTokens: true).utf8.elementsEqual(skipped.utf8))
            var stream = StreamDecoder(tokenizer)
            let streamed = ids.map { stream.append($0) }.joined() + stream.finish()
            #expect(streamed.utf8.elementsEqual(skipped.utf8))
        }
        let configuration = try Fixtures.bytes("tokenizer_deepseek/tokenizer_config.json").map { try JSON(parsing: $0) }
        #expect(try TokenRoles(configuration: configuration).pad?.id(in: tokenizer.vocabulary) == 1)
    }

    @Test func malformedFiles() throws {
        guard let manifest = try Fixtures.bytes("malformed/manifest.json").map({ try JSON(parsing: $0) }) else {
            return
        }
        let cases = try #require(manifest.arrayValue ?? manifest["cases"]?.arrayValue)
        let base = try #require(try Fixtures.tokenizer("malformed/base_tokenizer/tokenizer.json"))
        var count = 0
        for entry in cases where entry["kind"] == "tokenizer" {
            let file = try #require(entry["file"]?.stringValue)
            let expectation = entry["expect"]?.stringValue
            let bytes = try #require(Fixtures.bytes("malformed/\(file)"))
            count += 1
            do {
                let tokenizer = try Tokenizer(parsing: bytes)
                #expect(expectation != "reject", "\(file) was read")
                let text = String(repeating: "a", count: 3_000) + "! the <｜User｜> 1234"
                #expect(tokenizer.decode(tokenizer.encode(text)) == text)
                if expectation == "accept" { #expect(tokenizer.encode(text) == base.encode(text)) }
            } catch let error as InputError {
                #expect(expectation != "accept", "\(file): \(error)")
                #expect(!error.description.isEmpty && !error.description.contains("\n"))
            }
        }
        #expect(count == 19)
    }
}
