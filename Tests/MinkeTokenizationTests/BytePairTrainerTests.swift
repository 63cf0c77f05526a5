import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct BytePairTrainerTests {
    /// Training as its definition says: counting all pairs anew for every merge.
    private func naiveMerges(_ words: [(bytes: [UInt8], count: Int)], merges: Int) -> [[[UInt8]]] {
        var ids: [[UInt8]: Int] = [:]
        for (id, byte) in ByteAlphabet.bytesInCodePointOrder.enumerated() { ids[[byte]] = id }
        var words = words.map { (tokens: $0.bytes.map { [$0] }, count: $0.count) }
        var result: [[[UInt8]]] = []
        for _ in 0..<merges {
            var counts: [[[UInt8]]: Int] = [:]
            for word in words {
                for (left, right) in zip(word.tokens, word.tokens.dropFirst()) {
                    counts[[left, right], default: 0] += word.count
                }
            }
            func rank(_ pair: [[UInt8]]) -> [Int] { [-(counts[pair] ?? 0)] + pair.map { ids[$0] ?? -1 } }
            guard let best = counts.keys.min(by: { rank($0).lexicographicallyPrecedes(rank($1)) }),
                counts[best] ?? 0 >= 2
            else { break }
            result.append(best)
            let merged = best[0] + best[1]
            if ids[merged] == nil { ids[merged] = ids.count }
            words = words.map { word in
                var tokens: [[UInt8]] = []
                for token in word.tokens {
                    if token == best[1], tokens.last == best[0] {
                        tokens[tokens.count - 1] = merged
                    } else {
                        tokens.append(token)
                    }
                }
                return (tokens, word.count)
            }
        }
        return result
    }

    @Test func mergesFollowTheDefinition() throws {
        var random = SeededGenerator(state: 11)
        for round in 0..<12 {
            let trainer = BytePairTrainer(preTokenizer: .none, specialTokens: [])
            var words: [(bytes: [UInt8], count: Int)] = []
            for index in 0..<15 {
                let letters = Array("abc".utf8.prefix(round % 3 + 1))
                let bytes = [UInt8(65 + index)] + (0..<12).map { _ in letters.randomElement(using: &random) ?? 97 }
                words.append((bytes, 1 + index % 3))
                for _ in 0..<words[index].count { bytes.withUnsafeBytes { trainer.add($0) } }
            }
            let tokenizer = try trainer.train(vocabularySize: 256 + 30)
            let expected = naiveMerges(words, merges: tokenizer.rules.rules.count)
            let own = tokenizer.rules.rules.map {
                [tokenizer.decodeBytes([$0.left]), tokenizer.decodeBytes([$0.right])]
            }
            #expect(own == expected)
        }
    }

    @Test func linesAndTextsCountAlike() throws {
        let text = "one line\nanother line\n\nlast line"
        let byLine = BytePairTrainer()
        Array(text.utf8).withUnsafeBytes { byLine.addLines(of: $0) }
        let byText = BytePairTrainer()
        for part in ["one line\n", "another line\n", "\n", "last line"] { byText.add(part) }
        #expect(byLine.wordCount == byText.wordCount)
        let tokenizer = try byLine.train(vocabularySize: 300)
        #expect(tokenizer.fingerprint == (try byText.train(vocabularySize: 300).fingerprint))
        #expect(tokenizer.vocabularySize < 300, "no pair is left that occurs twice")
        #expect(tokenizer.id(of: "Ġline") != nil)
    }

    @Test func smallVocabulariesAreRefused() throws {
        let trainer = BytePairTrainer()
        #expect(throws: InputError.self) { try trainer.train(vocabularySize: 258) }
        #expect(try trainer.train(vocabularySize: 259).encode("a") == [3 + 64])
    }

    @Test func textNeverLearnsASpecialToken() throws {
        let trainer = BytePairTrainer(preTokenizer: .none, specialTokens: ["ab"])
        for _ in 0..<9 { trainer.add("abab") }
        let tokenizer = try trainer.train(vocabularySize: 300)
        #expect(tokenizer.encode("abab") == [0, 0])
        #expect(!tokenizer.encode("abab", parsingSpecialTokens: false).contains(0))
        #expect(try Tokenizer(parsing: tokenizer.json).fingerprint == tokenizer.fingerprint)
    }
}
