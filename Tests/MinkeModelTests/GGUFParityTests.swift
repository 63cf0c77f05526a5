import MinkeCheckpoints
import MinkeFiles
import MinkeTensors
import Testing

@testable import MinkeModel

/// GGUF files worked in `float32` against a reference on their decoded tensors.
@Suite(.serialized) struct GGUFParityTests {
    static let cases: [(folder: String, file: String, key: String)] = [
        ("gguf_v2_lite", "f32.gguf", "f32"), ("gguf_v2_lite", "f16.gguf", "f16"),
        ("gguf_v2_lite", "bf16.gguf", "bf16"), ("gguf_v2_lite", "q8_0.gguf", "q8_0"),
        ("gguf_v2_lite", "q4_0-00001-of-00002.gguf", "q4_0"), ("gguf_v2_lite", "mxfp4.gguf", "mxfp4"),
        ("gguf_v3_kquants", "mixed.gguf", "mixed"),
    ]

    @Test(arguments: cases.map { $0.key }) func logitsAndGeneration(key: String) throws {
        let (name, file, _) = try #require(Self.cases.first { $0.key == key })
        guard let folder = Fixtures.folder(name) else { return }
        let model = try LanguageModel(contentsOf: Checkpoint(path: FileSystem.join(folder, file)))
        let expected = try Fixtures.file(folder, "expected")
        let ids = try expected.ids("input_ids")
        let logits = model.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).values
        #expect(largestDifference(logits, try expected.values("logits.\(key)")) <= 0.0001)

        let reference = try Fixtures.json(folder, "generation.json")[key]
        let prompt = try #require(reference?["prompt_ids"]?.arrayValue).compactMap { $0.intValue.map { Int32($0) } }
        let new = try #require(reference?["new_ids"]?.arrayValue).compactMap { $0.intValue.map { Int32($0) } }
        let cache = model.makeCache(capacity: prompt.count + new.count)
        var next = model.next(prompt, cache: cache)
        var produced: [Int32] = []
        while produced.count < new.count {
            produced.append(Int32(try #require(next.indices.max { next[$0] < next[$1] })))
            next = model.next([produced[produced.count - 1]], cache: cache)
        }
        #expect(produced == new)
    }

    /// What a token's logits are must not depend on how many tokens share its pass: speculation relies on it.
    @Test(arguments: cases.map { $0.key }) func tokensOfAPassAreIndependent(key: String) throws {
        let (name, file, _) = try #require(Self.cases.first { $0.key == key })
        guard let folder = Fixtures.folder(name) else { return }
        let model = try LanguageModel(
            contentsOf: Checkpoint(path: FileSystem.join(folder, file)), options: ModelOptions(precision: .fast))
        let (one, two) = (model.makeCache(capacity: 32), model.makeCache(capacity: 32))
        _ = model.next([1, 2, 3, 4, 5], cache: one)
        _ = model.next([1, 2, 3, 4, 5], cache: two)
        for pair in [[6, 7], [300, 8], [9, 9]] as [[Int32]] {
            let alone = pair.map { model.next([$0], cache: one) }
            let together = model.logits(of: model.extend([pair], caches: [two]))
            #expect(together.rows(0..<1).values == alone[0])
            #expect(together.rows(1..<2).values == alone[1])
        }
    }

    @Test func whatIsNoCheckpointIsRefused() {
        #expect(throws: InputError.self) { try Checkpoint(path: "/nowhere.gguf") }
        #expect(throws: InputError.self) { try Checkpoint(path: "/nowhere") }
    }
}
