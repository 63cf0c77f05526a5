import MinkeFiles
import MinkeGeneration
import MinkeModel
import Testing

@testable import MinkeEngine

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Models whose experts do not all fit in memory.
@Suite(.serialized, .patient) struct StreamedModelTests {
    @Test func answersEqualThoseOfTheWholeModel() async throws {
        var template = Array("/tmp/minke-tests-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { try? FileSystem.removeTree(path) }
        var configuration = Fixtures.configuration(context: 512)
        configuration.numHiddenLayers = 4
        configuration.nRoutedExperts = 12
        try LanguageModel(configuration, weights: .random(seed: 3, Initialization(deviation: 0.3))).write(to: path)
        let checkpoint = try Checkpoint(path: path)
        func plan(_ budget: Int) throws -> MemoryPlan {
            try MemoryPlan(checkpoint, checkpoint.modelConfiguration(), budget: budget, cacheBytes: 1 << 20)
        }
        func model(_ memory: MemoryPlan?) throws -> TextModel {
            TextModel(
                try LanguageModel(
                    contentsOf: checkpoint,
                    options: ModelOptions(precision: .float32, keepsStoredWeights: true, memory: memory)),
                tokenizer: nil)
        }
        let least = try plan(plan(1 << 40).leastBudget)
        #expect(least.isStreamed)
        let requests = ReproducibilityTests.requests([1, 9, 40, 270], tokens: 8, temperature: 0)
        let engine = Engine(try model(least))
        let streamed = try await engine.answers(requests)
        let whole = try await Engine(try model(nil)).answers(requests)
        #expect(streamed.map(\.tokens) == whole.map(\.tokens))
        #expect(engine.model.withModel { $0.expertStatistics } != nil)
        // The plan says how much cache there is.
        #expect(engine.statistics.cacheTokensCapacity < 1 << 20)
    }
}
