import MinkeFiles
import MinkeModel
import MinkeTensors
import Testing

/// Logits and greedy generations against the reference implementations.
@Suite(.serialized) struct ForwardParityTests {
    /// Fixtures with the tolerance that their README states.
    static let cases: [(name: String, tolerance: Float)] = [
        ("a_v2_lite", 0.0001), ("b_v2_group", 0.00024), ("c_v3_f32", 0.00014), ("d_v3_bf16", 0.0001),
        ("f_v3_mtp", 0.0001), ("i_glm4_moe_lite", 0.0001), ("j_moonlight", 0.0001), ("k_v3_options", 0.00013),
    ]

    @Test(arguments: cases.map(\.name)) func logits(name: String) throws {
        guard let folder = Fixtures.folder(name) else { return }
        let tolerance = try #require(Self.cases.first { $0.name == name }).tolerance
        let model = try Fixtures.model(folder)
        let inputs = try Fixtures.file(folder, "inputs")
        let expected = try Fixtures.file(folder, "expected")
        for index in 0... {
            guard inputs.tensor("input_ids_\(index)") != nil else { break }
            let ids = try inputs.ids("input_ids_\(index)")
            let logits = model.logits(ids, batch: SequenceBatch(sequences: 1, length: ids.count)).values
            #expect(largestDifference(logits, try expected.values("logits_\(index)")) <= tolerance)
        }
    }

    @Test(arguments: cases.map(\.name)) func greedyGeneration(name: String) throws {
        guard let folder = Fixtures.folder(name) else { return }
        let model = try Fixtures.model(folder)
        let generation = try Fixtures.json(folder, "generation.json")
        let prompt = try #require(generation["prompt_ids"]?.arrayValue).compactMap { $0.intValue.map { Int32($0) } }
        let expected = try #require(generation["new_ids"]?.arrayValue).compactMap { $0.intValue.map { Int32($0) } }
        let cache = model.makeCache(capacity: prompt.count + expected.count)
        var logits = model.next(prompt, cache: cache)
        var produced: [Int32] = []
        while produced.count < expected.count {
            let best = try #require(logits.indices.max { logits[$0] < logits[$1] })
            produced.append(Int32(best))
            if produced.count < expected.count { logits = model.next([Int32(best)], cache: cache) }
        }
        #expect(produced == expected)
    }

    @Test func multiTokenPrediction() throws {
        guard let folder = Fixtures.folder("f_v3_mtp") else { return }
        let model = try Fixtures.model(folder)
        let inputs = try Fixtures.file(folder, "inputs")
        let expected = try Fixtures.file(folder, "expected")
        for index in 0..<2 {
            let ids = try inputs.ids("input_ids_\(index)")
            let logits = model.predictorLogits(ids, batch: SequenceBatch(sequences: 1, length: ids.count))[0]
            let meaningful = Array(logits.values.prefix((ids.count - 1) * logits.columns))
            #expect(largestDifference(meaningful, try expected.values("mtp_logits_\(index)")) <= 0.0001)
        }
    }
}
