import Foundation
import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import MinkeTensors
import Testing

/// What extended models write, and what is read.
@Suite(.serialized) struct ExtendedFormatTests {
    private func json(_ c: ModelConfiguration) -> JSON.Object { c.json.objectValue ?? [:] }

    @Test(arguments: ExtendedModels.kinds) func configurationsComeBack(kind: String) throws {
        let c = ExtendedModels.configuration(kind)
        #expect(json(c)["model_type"] == "minke")
        #expect(json(c)["architectures"] == ["MinkeForCausalLM"])
        #expect(json(c)["minke"]?["base_model_type"] == (c.family == .llama ? "llama" : "deepseek_v3"))
        #expect(try ModelConfiguration(JSON(parsing: c.json.text()).objectValue ?? [:]) == c)
    }

    @Test func otherModelsSayNothingOfIt() throws {
        var c = ExtendedModels.configuration("all, latent")
        c.extensions = .init()
        #expect(json(c)["model_type"] == "deepseek_v3" && json(c)["minke"] == nil && json(c)["hidden_act"] == "silu")
        #expect(json(c)["architectures"] == ["DeepseekV3ForCausalLM"])
    }

    @Test func whatIsUnknownIsRefused() throws {
        let good = json(ExtendedModels.configuration("all, latent"))
        func refusal(_ change: (inout JSON.Object, inout JSON.Object) -> Void) -> InputError? {
            var (all, own) = (good, good["minke"]?.objectValue ?? [:])
            change(&all, &own)
            if all["minke"] != nil { all["minke"] = .object(own) }
            return #expect(throws: InputError.self) { try ModelConfiguration(all) }
        }
        #expect(refusal { $1["hyper_connections"] = 4 }?.problem.contains("hyper_connections") == true)
        #expect(refusal { $1["version"] = 2 }?.location == "minke.version")
        #expect(refusal { $1["base_model_type"] = "gpt2" }?.location == "minke.base_model_type")
        #expect(refusal { $1["ngram_table_rows"] = 0 }?.location == "ngram_table_rows")
        #expect(refusal { $1["ngram_hashes"] = 5 }?.location == "ngram_hashes")
        #expect(refusal { $1["ngram_max_order"] = 99 }?.location == "ngram_max_order")
        #expect(refusal { $1["hidden_act"] = "gelu" }?.location == "hidden_act")
        #expect(refusal { $1["logit_softcap"] = -3 }?.location == "logit_softcap")
        #expect(refusal { all, _ in all["minke"] = nil } != nil)
        // A released type with extensions is not what it says.
        #expect(refusal { all, _ in all["model_type"] = "deepseek_v3" } != nil)
    }

    @Test(arguments: ExtendedModels.kinds) func foldersComeBack(kind: String) throws {
        let scratch = try ConversionTests.Scratch()
        let model = try ExtendedModels.model(kind)
        try model.write(to: scratch("model"))
        let tokens = Array(ExtendedModels.tokens[..<30])
        let batch = SequenceBatch(sequences: 1, length: 30)
        let expected = model.logits(tokens, batch: batch).values
        let folder = try ModelFolder(path: scratch("model"))
        #expect(try LanguageModel(contentsOf: folder).logits(tokens, batch: batch).values == expected)
        let stored = try LanguageModel(contentsOf: folder, options: ModelOptions(keepsStoredWeights: true))
        #expect(stored.weights.filter { $0.role == .table }.allSatisfy { $0.parameter.isStored })
        let got = stored.logits(tokens, batch: batch).values
        #expect(zip(got, expected).allSatisfy { abs($0 - $1) < 2e-3 })
        let weights = try StoredWeights(Checkpoint(path: scratch("model")), model.configuration)
        #expect(!weights.parts.contains { $0.kind == "other" })
        #expect(ModelCosts(model.configuration).totalParameters == model.parameters.reduce(0) { $0 + $1.count })
    }

    @Test func conversionKeepsAllOrRefuses() throws {
        let scratch = try ConversionTests.Scratch()
        try ExtendedModels.model("all, latent").write(to: scratch("model"))
        let refusal = #expect(throws: InputError.self) {
            try ModelConverter(to: .f32).convert(folder: scratch("model"), toGGUF: scratch("x.gguf"))
        }
        #expect(refusal?.problem.contains("type minke") == true)
        #expect(!FileSystem.exists(scratch("x.gguf")))
        let report = try ModelConverter(to: .f32).convert(folder: scratch("model"), toFolder: scratch("copy"))
        #expect(report.notes.isEmpty)
        let (a, b) = (try ModelFolder(path: scratch("model")), try ModelFolder(path: scratch("copy")))
        #expect(Set(a.tensorNames) == Set(b.tensorNames))
        #expect(try ConversionTests.logits(scratch("model")) == ConversionTests.logits(scratch("copy")))
    }
}
