import Minke
import Testing

/// `--memory`, as people give it.
@Suite(.serialized) struct MemoryCommandTests {
    /// A folder whose model has experts.
    private static func model() throws -> TemporaryFolder {
        var configuration = ModelConfiguration(
            family: .deepseekV3, vocabSize: 40, hiddenSize: 64, numHiddenLayers: 3, numAttentionHeads: 2,
            intermediateSize: 64)
        configuration.maxPositionEmbeddings = 32
        configuration.qkRopeHeadDim = 8
        configuration.vHeadDim = 8
        configuration.kvLoraRank = 12
        configuration.qkNopeHeadDim = 6
        configuration.nRoutedExperts = 32
        configuration.nSharedExperts = 1
        configuration.numExpertsPerTok = 2
        configuration.moeIntermediateSize = 64
        let folder = try TemporaryFolder()
        try LanguageModel(configuration, weights: .random(seed: 3, Initialization(deviation: 0.2)))
            .write(to: folder.path)
        return folder
    }

    @Test func aSmallBudgetStreamsAndSaysSo() throws {
        guard let minke = Program.built else { return }
        let model = try Self.model()
        let plan = try minke.run("inspect", model.path, "--memory", "1.5MB", "--json").json["stored"]?["plan"]
        #expect(plan?["is_streamed"] == true && plan?["experts"] == 96)
        #expect((plan?["experts_in_memory"]?.intValue).map { (4..<96).contains($0) } == true)
        for precision in ["f32", "fast"] {
            let arguments = ["generate", model.path, "--ids", "1,2,3", "--json", "--precision", precision]
            let streamed = try minke.run(all: arguments + ["--max-tokens", "9", "--memory", "1.5MB"]).json
            let mapped = try minke.run(all: arguments + ["--max-tokens", "9", "--memory", "1GiB"]).json
            #expect(streamed["ids"] == mapped["ids"] && mapped["experts"] == nil)
            #expect((streamed["experts"]?["bytes_read"]?.intValue ?? 0) > 0)
        }
    }

    @Test func impossibleBudgetsAreOneLine() throws {
        guard let minke = Program.built else { return }
        let model = try Self.model()
        let tooSmall = try minke.run("generate", model.path, "--ids", "1", "--memory", "100kB")
        #expect(tooSmall.status != 0 && tooSmall.error.contains("give at least"))
        #expect(tooSmall.error.split(separator: "\n").count == 1)
        // inspect tells first what would be needed.
        let plan = try minke.run("inspect", model.path, "--memory", "100kB")
        #expect(plan.status == 1 && plan.output.contains("too little; with ") && plan.output.contains("for the cache"))
        #expect(plan.error == tooSmall.error)
        let json = try minke.run("inspect", model.path, "--memory", "100kB", "--json")
        let least = try #require(json.json["stored"]?["plan"]?["least_budget"]?.intValue)
        #expect(try json.status == 1 && json.json["stored"]?["plan"]?["is_enough"] == false)
        #expect(try minke.run("inspect", model.path, "--memory", "\(least)").status == 0)
        #expect(try minke.run("inspect", model.path, "--memory", "\(least - 1)").status == 1)
        for text in ["much", "-1GB", "0", "4XB", "1e400"] {
            #expect(try minke.run("generate", model.path, "--ids", "1", "--memory=\(text)").status != 0)
        }
    }
}
