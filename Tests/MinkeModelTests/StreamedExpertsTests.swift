import Foundation
import MinkeFiles
import MinkeTensors
import Testing

@testable import MinkeModel

/// Models whose experts do not all fit: the same results, and one clear error where there can be none.
@Suite(.serialized) struct StreamedExpertsTests {
    /// A model on disk, removed with the object.
    final class Written {
        let path = FileSystem.join(NSTemporaryDirectory(), "minke-streamed-\(UUID().uuidString)")
        let checkpoint: Checkpoint
        var weights: String { FileSystem.join(path, "model.safetensors") }

        init() throws {
            var configuration = ModelConfiguration(
                family: .deepseekV3, vocabSize: 40, hiddenSize: 64, numHiddenLayers: 4, numAttentionHeads: 2,
                intermediateSize: 64)
            configuration.maxPositionEmbeddings = 128
            configuration.qkRopeHeadDim = 8
            configuration.vHeadDim = 8
            configuration.kvLoraRank = 12
            configuration.qkNopeHeadDim = 6
            configuration.nRoutedExperts = 12
            configuration.nSharedExperts = 1
            configuration.numExpertsPerTok = 2
            configuration.moeIntermediateSize = 32
            configuration.firstKDenseReplace = 1
            configuration.numNextnPredictLayers = 1
            let model = try LanguageModel(configuration, weights: .random(seed: 3, Initialization(deviation: 0.2)))
            try FileSystem.createDirectory(path)
            try model.write(to: path)
            checkpoint = try Checkpoint(path: path)
        }

        deinit { try? FileSystem.removeTree(path) }

        func plan(_ budget: Int) throws -> MemoryPlan {
            let plan = try MemoryPlan(checkpoint, checkpoint.modelConfiguration(), budget: budget, cacheBytes: 1000)
            try plan.requireEnough(for: checkpoint)
            return plan
        }

        /// The least budget, as the error of a smaller one names it, and some slots more.
        func leastPlan(more slots: Int = 0) throws -> MemoryPlan {
            let whole = try plan(1 << 40)
            let slotBytes = 3 * (64 * 32 * 4 + 2 * DirectFile.alignment)
            return try plan(whole.residentBytes + whole.cacheBytes + (4 + slots) * slotBytes)
        }

        func model(_ precision: Precision, _ plan: MemoryPlan?) throws -> LanguageModel {
            try LanguageModel(
                contentsOf: checkpoint,
                options: ModelOptions(precision: precision, keepsStoredWeights: true, memory: plan))
        }
    }

    static func tokens(_ count: Int) -> [Int32] { (0..<count).map { Int32($0 * $0 % 37 + 1) } }

    /// Logits of a text in two parts, and of some steps after it.
    static func run(_ model: LanguageModel) throws -> [[Float]] {
        let cache = model.makeCache(capacity: 100)
        var results: [[Float]] = []
        for part in [Self.tokens(50), Self.tokens(30)] {
            results.append(model.logits(of: model.extend([part], caches: [cache])).values)
        }
        for token in Self.tokens(12) { results.append(model.next([token], cache: cache)) }
        try model.checkReads()
        return results
    }

    @Test(arguments: Precision.allCases) func resultsAreTheSame(precision: Precision) throws {
        let written = try Written()
        let expected = try Self.run(written.model(precision, nil))
        for slots in [0, 9] {
            let plan = try written.leastPlan(more: slots)
            #expect(plan.isStreamed && plan.slots == 4 + slots && plan.experts == 48)
            let model = try written.model(precision, plan)
            #expect(try Self.run(model) == expected)
            let statistics = try #require(model.expertStatistics)
            #expect(statistics.requests > 0 && statistics.hits < statistics.requests)
            #expect(statistics.bytesRead > 0 && statistics.expectedAndUsed <= statistics.expected)
        }
    }

    @Test func budgetsAreChecked() throws {
        let written = try Written()
        let whole = try written.plan(1 << 40)
        #expect(!whole.isStreamed && whole.leastBudget < 1 << 40)
        #expect(try written.model(.float32, whole).expertStatistics == nil)
        let error = #expect(throws: InputError.self) { try written.plan(10_000) }
        #expect(error?.description.contains("give at least") == true)
        let least = try written.leastPlan().leastBudget
        #expect(try written.plan(least).slots == 4)
        #expect(throws: InputError.self) { try written.plan(least - 1) }
    }

    @Test func aTruncatedFileIsAnError() throws {
        let written = try Written()
        let model = try written.model(.float32, written.leastPlan())
        #expect(truncate(written.weights, 10_000) == 0)
        let error = #expect(throws: InputError.self) { try Self.run(model) }
        #expect(error?.description.hasPrefix(written.weights + ": ends at byte") == true)
        #expect(throws: InputError.self) { try model.checkReads() }
    }

    @Test func slotsAndDiskAreMeasured() throws {
        let written = try Written()
        let plan = try written.leastPlan(more: 14)
        #expect(plan.slots == 18 && plan.residentShare == 0.375)
        #expect(try ReadRate.measure(written.checkpoint, seconds: 0.01) ?? 0 > 0)
    }
}
