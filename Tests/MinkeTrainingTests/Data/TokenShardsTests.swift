import MinkeFiles
import Testing

@testable import MinkeTraining

@Suite struct TokenShardsTests {
    private let folder: TemporaryFolder
    private let shards: String

    init() throws {
        folder = try TemporaryFolder()
        shards = folder.path("shards")
    }

    private func prepare(
        _ names: [String], validation: TokenShards.Validation = .fraction(0.1), encoder: CorpusEncoder = .bytes(),
        tokensPerShard: Int = TokenShards.tokensPerShard
    ) throws -> (shards: TokenShards, wasPrepared: Bool) {
        var wasPrepared = true
        let prepared = try TokenShards.prepare(
            Corpus(names.map { folder.path($0) }), validation: validation, encoder: encoder, folder: shards,
            tokensPerShard: tokensPerShard
        ) { _ in wasPrepared = false }
        return (prepared, wasPrepared)
    }

    private func bytes(_ text: String) -> [Int32] { text.utf8.map { Int32($0) } }

    @Test func oneDocumentIsCutAndNotSeparated() throws {
        try folder.write("0123456789", to: "a.txt")
        let (prepared, _) = try prepare(["a.txt"])
        #expect(try prepared.train.tokens() == bytes("012345678"))
        #expect(try prepared.validation.tokens() == bytes("9"))
        #expect(prepared.manifest.train.bytes == 9)
        #expect(prepared.manifest.train.decodedBytes == 9)
        #expect(try FileSystem.readAll(FileSystem.join(shards, "train-00000.tokens")).prefix(4) == [48, 0, 49, 0])
    }

    @Test func documentsAreSeparated() throws {
        try folder.write("{\"text\":\"one\"}\n{\"text\":\"two\"}\n{\"text\":\"three\"}\n", to: "a.jsonl")
        let (prepared, _) = try prepare(["a.jsonl"], validation: .fraction(0))
        #expect(try prepared.train.tokens() == bytes("one") + [256] + bytes("two") + [256] + bytes("three"))
        #expect(prepared.validation.count == 0)
        #expect(prepared.manifest.train.documents == 3)
        #expect(prepared.manifest.train.bytes == 11)
        let range = try prepared.train.byteCount(
            ofTokens: 1..<9, tokenByteLengths: CorpusEncoder.bytes().tokenByteLengths)
        #expect(range == 6)
        let (joined, _) = try prepare(["a.jsonl"], validation: .fraction(0), encoder: .bytes(separator: nil))
        #expect(try joined.train.tokens() == bytes("onetwothree"))
    }

    @Test func validationMayHaveItsOwnFiles() throws {
        try folder.write("train", to: "text/a.txt")
        let path = try folder.write("valid", to: "text/b.txt")
        let (prepared, _) = try prepare(["text"], validation: .corpus(Corpus([path])))
        #expect(try prepared.train.tokens() == bytes("train"))
        #expect(try prepared.validation.tokens() == bytes("valid"))
        #expect(throws: InputError.self) { try prepare(["text/b.txt"], validation: .corpus(Corpus([path]))) }
    }

    @Test(arguments: [257, 65_536, 65_537]) func tokensCrossShards(vocabularySize: Int) throws {
        let text = String((0..<100).map { Character(Unicode.Scalar(33 + UInt8($0 % 90))) })
        try folder.write(text, to: "a.txt")
        let (prepared, _) = try prepare(
            ["a.txt"], validation: .fraction(0), encoder: .bytes(vocabularySize: vocabularySize), tokensPerShard: 7)
        #expect(prepared.manifest.train.shards.map(\.tokens) == [Int](repeating: 7, count: 14) + [2])
        #expect(try prepared.train.tokens() == bytes(text))
        for (start, end) in [(0, 1), (6, 8), (7, 14), (13, 99), (99, 100), (50, 50), (100, 100)] {
            #expect(try prepared.train.tokens(start..<end) == Array(bytes(text)[start..<end]))
        }
        try prepared.verify()
        let size = try FileSystem.size(of: FileSystem.join(shards, "train-00013.tokens"))
        #expect(size == (vocabularySize > 65_536 ? 28 : 14))
    }

    /// A text longer than the pieces that are encoded at once and than the queue.
    @Test func longTextsKeepTheirOrder() throws {
        let line = "line of some text with several words\n"
        let text = String(repeating: line, count: 20_000)
        try folder.write(text, to: "a.txt")
        let encoder = CorpusEncoder(
            vocabularySize: 256, fingerprint: "length", endOfDocument: nil,
            tokenByteLengths: (0..<256).map { $0 == 1 ? line.utf8.count : 0 }
        ) { piece in [Int32](repeating: 1, count: piece.count / line.utf8.count) }
        let (prepared, _) = try prepare(["a.txt"], validation: .fraction(0), encoder: encoder)
        #expect(prepared.manifest.train.bytes == text.utf8.count)
        #expect(prepared.manifest.train.tokens > 19_000)
    }

    /// Encoders that remember what they have met must not be shared between threads.
    @Test func everyThreadHasAnEncoderOfItsOwn() throws {
        final class Memory {
            var isInUse = false
            var words: Set<Int> = []
        }
        try folder.write((0..<200).map { "{\"text\":\"document \($0)\"}\n" }.joined(), to: "a.jsonl")
        let plain = CorpusEncoder.bytes()
        let remembering = CorpusEncoder(
            vocabularySize: 257, fingerprint: "remembering", endOfDocument: 256,
            tokenByteLengths: plain.tokenByteLengths,
            makeEncode: {
                let memory = Memory()
                return { text in
                    #expect(!memory.isInUse)
                    memory.isInUse = true
                    defer { memory.isInUse = false }
                    memory.words.insert(text.count)
                    return text.map { Int32($0) }
                }
            })
        let expected = try prepare(["a.jsonl"], encoder: plain).shards.train.tokens()
        #expect(try prepare(["a.jsonl"], encoder: remembering).shards.train.tokens() == expected)
    }

    @Test func preparedTokensServeAgain() throws {
        try folder.write("0123456789", to: "a.txt")
        let first = try prepare(["a.txt"])
        #expect(!first.wasPrepared)
        #expect(try prepare(["a.txt"]).wasPrepared)
        let fingerprint = first.shards.corpusFingerprint

        // The same content under another date is prepared again, but is the same corpus.
        try FileSystem.remove(folder.path("a.txt"))
        try folder.write("0123456789", to: "a.txt")
        let again = try prepare(["a.txt"])
        #expect(!again.wasPrepared)
        #expect(again.shards.corpusFingerprint == fingerprint)

        try folder.write("0123456780", to: "a.txt")
        var others = [try prepare(["a.txt"])]
        others.append(try prepare(["a.txt"], validation: .fraction(0.2)))
        others.append(try prepare(["a.txt"], encoder: .bytes(fingerprint: "other")))
        #expect(others.allSatisfy { !$0.wasPrepared })
        #expect(Set(others.map(\.shards.corpusFingerprint) + [fingerprint]).count == 4)
    }

    @Test func anInterruptedPreparationIsNotComplete() throws {
        try folder.write("0123456789", to: "a.txt")
        _ = try prepare(["a.txt"], tokensPerShard: 2)
        struct Interrupted: Error {}
        #expect(throws: Interrupted.self) {
            _ = try TokenShards.prepare(
                Corpus([folder.path("a.txt")]), validation: .fraction(0), encoder: .bytes(), folder: shards
            ) { _ in throw Interrupted() }
        }
        #expect(throws: InputError.self) { try TokenShards(opening: shards) }
        let (prepared, wasPrepared) = try prepare(["a.txt"])
        #expect(!wasPrepared)
        #expect(prepared.train.count == 9)
        let names = ["manifest.json", "train-00000.tokens", "valid-00000.tokens"]
        #expect(try FileSystem.list(shards) == names)
    }

    @Test func damageIsNoticed() throws {
        try folder.write("0123456789", to: "a.txt")
        let prepared = try prepare(["a.txt"]).shards
        let path = FileSystem.join(shards, "train-00000.tokens")
        let content = try FileSystem.readAll(path)

        try AtomicFile.write([UInt8](repeating: 255, count: content.count), to: path)
        let opened = try TokenShards(opening: shards)
        #expect(throws: InputError.self) { try opened.train.tokens() }
        #expect(throws: InputError.self) { try opened.verify() }
        #expect(try prepared.train.tokens().count == 9)

        try AtomicFile.write(Array(content.dropLast()), to: path)
        #expect(throws: InputError.self) { try TokenShards(opening: shards) }
        #expect(try !prepare(["a.txt"]).wasPrepared)
        try TokenShards(opening: shards).verify()
    }

    @Test(arguments: ["", "{}", "[]", "{\"format\":\"minke-token-shards\",\"version\":1}"])
    func aManifestThatIsNotOneIsRefused(text: String) throws {
        try folder.write(text, to: "shards/manifest.json")
        #expect(throws: InputError.self) { try TokenShards(opening: shards) }
    }

    @Test func countsInAManifestAreNotBelieved() throws {
        try folder.write("0123456789", to: "a.txt")
        _ = try prepare(["a.txt"])
        let path = FileSystem.join(shards, "manifest.json")
        let text = String(decoding: try FileSystem.readAll(path), as: UTF8.self)
        for number in ["-1", "8", "9223372036854775807", "1e30"] {
            try AtomicFile.write(text.replacing("\"tokens\": 9", with: "\"tokens\": \(number)"), to: path)
            #expect(throws: InputError.self) { try TokenShards(opening: shards) }
        }
    }

    @Test func anotherProgramsManifestIsLeftAlone() throws {
        try folder.write("0123456789", to: "a.txt")
        try folder.write("{\"name\":\"an app\"}", to: "shards/manifest.json")
        #expect(throws: InputError.self) { try prepare(["a.txt"]) }
        #expect(try FileSystem.readAll(FileSystem.join(shards, "manifest.json")).count == 17)
    }

    @Test func aFolderInUseIsRefused() throws {
        try folder.write("0123456789", to: "a.txt")
        try FileSystem.createDirectory(shards)
        let lock = try FolderLock(shards, for: "preparing tokens")
        #expect(throws: InputError.self) { try prepare(["a.txt"]) }
        withExtendedLifetime(lock) {}
    }

    @Test func preparedTokensAreSharedByRunsAtOnce() throws {
        try folder.write("0123456789", to: "a.txt")
        _ = try prepare(["a.txt"])
        let lock = try FolderLock(shards, for: "preparing tokens")
        #expect(try prepare(["a.txt"]).wasPrepared)
        withExtendedLifetime(lock) {}
    }

    @Test func aTokenizerThatContradictsItselfIsRefused() throws {
        try folder.write("0123456789", to: "a.txt")
        let outside = CorpusEncoder(
            vocabularySize: 4, fingerprint: "outside", endOfDocument: nil, tokenByteLengths: [1, 1, 1, 1]
        ) { $0.map { Int32($0) } }
        #expect(throws: InputError.self) { try prepare(["a.txt"], encoder: outside) }
        let short = CorpusEncoder(vocabularySize: 4, fingerprint: "short", endOfDocument: nil, tokenByteLengths: []) {
            _ in []
        }
        #expect(throws: InputError.self) { try prepare(["a.txt"], encoder: short) }
    }
}
