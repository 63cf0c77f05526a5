import Foundation
import Minke
import MinkeCheckpoints
import Testing

@testable import MinkeCommand

/// Exit codes, and what goes to which stream.
@Suite(.serialized) struct CommandTests {
    /// A small model on disk, over bytes.
    static func model(hasTokenizer: Bool = true, predictors: Int = 0) throws -> TemporaryFolder {
        var configuration = ModelConfiguration(
            family: .deepseekV3, vocabSize: 259, hiddenSize: 16, numHiddenLayers: 2, numAttentionHeads: 2,
            intermediateSize: 24)
        configuration.kvLoraRank = 8
        configuration.qkNopeHeadDim = 8
        configuration.qkRopeHeadDim = 4
        configuration.vHeadDim = 8
        configuration.nRoutedExperts = 4
        configuration.numExpertsPerTok = 2
        configuration.moeIntermediateSize = 8
        configuration.maxPositionEmbeddings = 64
        configuration.numNextnPredictLayers = predictors
        let folder = try TemporaryFolder()
        let weights = WeightSource.random(seed: 1, Initialization(deviation: 0.3))
        try LanguageModel(configuration, weights: weights).write(to: folder.path)
        if hasTokenizer { try Tokenizer.bytes.write(to: folder.path, maximumLength: 64) }
        return folder
    }

    /// Without it all tests of this room would pass by doing nothing.
    @Test func theProgramIsBuiltBesideItsTests() {
        #expect(Program.built != nil)
    }

    @Test func generatePrintsTextOrOneObject() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model()
        let json = try minke.run(
            "generate", folder.path, "--prompt", "hello", "--max-tokens", "9", "--ignore-eos", "--json")
        #expect(json.status == 0 && json.error == "")
        let object = try json.json
        #expect(object.objectValue?.keys == ["ids", "text", "prompt_tokens", "tokens_per_second", "stop_reason"])
        #expect(object["ids"]?.arrayValue?.count == 9)
        #expect(object["prompt_tokens"] == 6)
        #expect(object["stop_reason"] == "length")
        let text = try minke.run(
            "generate", folder.path, "--prompt", "hello", "--max-tokens", "9", "--ignore-eos", "--quiet")
        #expect(text.status == 0 && text.error == "")
        #expect(text.output == (object["text"]?.stringValue ?? "") + "\n")
        let file = folder("prompt.txt")
        try AtomicFile.write("hello", to: file)
        let fromFile = try minke.run(
            "generate", folder.path, "--prompt-file", file, "--max-tokens", "9", "--ignore-eos", "--json", "--threads",
            "1")
        #expect(try fromFile.json["ids"] == object["ids"])
    }

    @Test func speculationIsToldAndChangesNothing() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model(predictors: 1)
        let arguments = ["generate", folder.path, "--ids", "1,2,3", "--max-tokens", "20", "--ignore-eos"]
        let plain = try minke.run(all: arguments + ["--json", "--speculate", "off"]).json
        let speculative = try minke.run(all: arguments + ["--json", "--speculate", "on"]).json
        #expect(plain["ids"] == speculative["ids"] && plain["speculation"] == nil)
        let drafted = try #require(speculative["speculation"]?["drafted"]?.intValue)
        #expect(drafted > 0 && drafted >= speculative["speculation"]?["accepted"]?.intValue ?? .max)
        #expect(try minke.run(all: arguments + ["--speculate", "on"]).error.contains("proposals accepted"))
        let without = try Self.model()
        let refused = try minke.run("generate", without.path, "--ids", "1", "--speculate", "on")
        #expect(refused.status == 1 && refused.error.contains("no prediction module"))
    }

    @Test(arguments: ["f32", "bf16", "q8"]) func cachesComeInTypes(type: String) throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model(hasTokenizer: false)
        let result = try minke.run(
            "generate", folder.path, "--ids", "1,2,3", "--max-tokens", "9", "--ignore-eos", "--precision", "fast",
            "--cache-type", type, "--json")
        #expect(try result.json["ids"]?.arrayValue?.count == 9)
    }

    @Test func modelsWithoutTokenizerTakeIDs() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model(hasTokenizer: false)
        let result = try minke.run("generate", folder.path, "--ids", "1,2,3", "--max-tokens", "4", "--json")
        #expect(result.status == 0)
        #expect(try result.json["text"] == "")
        let refused = try minke.run("generate", folder.path, "--prompt", "x")
        #expect(refused.status == 1 && refused.output == "")
        #expect(refused.error.hasPrefix("error: ") && refused.error.filter { $0 == "\n" }.count == 1)
    }

    @Test(arguments: [
        ["generate"], ["generate", "m"], ["generate", "m", "--prompt", "x", "--ids", "1"], ["nothing"],
        ["generate", "m", "--prompt", "x", "--temperature", "much"],
        ["generate", "m", "--prompt", "x", "--top-p", "7"],
        ["eval", "m"], ["eval", "m", "x", "--context", "0"], ["tokenizer", "encode", "m"],
        ["logits", "m", "--ids", "1", "--out", "x", "--threads", "0"],
        ["chat", "m", "--max-tokens", "0"],
    ]) func wrongUsageIs64(arguments: [String]) throws {
        guard let minke = Program.built else { return }
        let result = try minke.run(all: arguments)
        #expect(result.status == 64)
        #expect(result.output == "")
    }

    @Test(arguments: [
        ["generate", "/nowhere", "--prompt", "x"], ["inspect", "/nowhere"], ["eval", "/nowhere", "/nowhere"],
        ["logits", "/nowhere", "--ids", "1", "--out", "/nowhere/x"],
        ["tokenizer", "encode", "/nowhere", "--text", "x"],
        ["chat", "/nowhere"], ["tokenizer", "train", "/nowhere", "--vocabulary", "300", "--out", "/nowhere"],
    ]) func failuresAreOneLine(arguments: [String]) throws {
        guard let minke = Program.built else { return }
        let result = try minke.run(all: arguments)
        #expect(result.status == 1)
        #expect(result.output == "")
        #expect(result.error.hasPrefix("error: /nowhere") && result.error.filter { $0 == "\n" }.count == 1)
    }

    @Test func versionIsTheChangelogs() throws {
        guard let minke = Program.built else { return }
        let result = try minke.run("--version")
        #expect(result.status == 0 && result.error == "")
        let version = String(result.output.dropLast())
        #expect(version == MinkeCommand.version && version.wholeMatch(of: /\d+\.\d+\.\d+/) != nil)
        let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized.path
        let changelog = String(decoding: try FileSystem.readAll(FileSystem.join(root, "CHANGELOG.md")), as: UTF8.self)
        // Its newest version: a heading, or what the unreleased changes are to become.
        let newest = try #require(changelog.firstMatch(of: /\n## \[?(\d+\.\d+\.\d+)|\nTo become (\d+\.\d+\.\d+)/))
        #expect((newest.1 ?? newest.2).map(String.init) == version)
    }

    @Test func idsBeyondTheVocabularyAreNamed() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model()
        #expect(try minke.run("tokenizer", "decode", folder.path, "--ids", "104,105").output == "hi\n")
        let listed = try minke.run("tokenizer", "decode", folder.path, "--ids", "104,259")
        #expect(listed.error == "error: --ids: the token 259 lies beyond the vocabulary of 259 tokens\n")
        let lines = try minke.run(
            "tokenizer", "decode", folder.path, "--jsonl", input: "{\"ids\": [104]}\n{\"ids\": [2147483647]}\n")
        #expect(lines.output == "{\"text\":\"h\"}\n" || lines.output == "{\"text\": \"h\"}\n")
        #expect(lines.error.hasPrefix("error: standard input: line 2: ids: the token 2147483647"))
        #expect(listed.status == 1 && lines.status == 1)
    }

    @Test(arguments: [
        "quickstart", "train", "compare", "eval", "generate", "chat", "inspect", "convert", "logits", "tokenizer",
        "bench", "bench model", "bench train", "bench matmul",
    ]) func helpFitsAScreen(command: String) throws {
        guard let minke = Program.built else { return }
        let result = try minke.run(all: command.split(separator: " ").map(String.init) + ["--help"])
        #expect(result.status == 0 && result.error == "")
        #expect(result.output.contains("USAGE: minke \(command)"))
        #expect(result.output.count { $0 == "\n" } <= 60)
    }

    @Test func anUnknownInstructionSetIsAWarning() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model()
        let result = try minke.run(
            "generate", folder.path, "--ids", "1", "--max-tokens", "1", "--json", environment: ["MINKE_ISA": "abacus"])
        #expect(result.status == 0)
        #expect(result.error.hasPrefix("warning: ") && result.error.filter { $0 == "\n" }.count == 1)
        _ = try result.json
    }

    @Test func logitsOfSequences() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model(hasTokenizer: false)
        try AtomicFile.write("[[1, 2, 3], [4]]", to: folder("ids.json"))
        let out = folder("logits.safetensors")
        #expect(try minke.run("logits", folder.path, "--ids", folder("ids.json"), "--out", out).status == 0)
        let file = try SafetensorsFile(path: out)
        #expect(file.tensor("logits_0")?.shape == [3, 259])
        #expect(file.tensor("logits_1")?.shape == [1, 259])
        try FileSystem.remove(out)
        let tooMany = Array(repeating: "1", count: 65).joined(separator: ",")
        for bad in ["259", tooMany, "[]", "[[1],[]]", folder("none.json")] {
            try AtomicFile.write(bad, to: folder("bad.json"))
            let argument = bad.hasPrefix("[[") ? folder("bad.json") : bad
            #expect(try minke.run("logits", folder.path, "--ids", argument, "--out", out).status == 1)
            #expect(!FileSystem.exists(out))
        }
    }

    @Test func benchMeasuresAModel() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model(hasTokenizer: false)
        let result = try minke.run(
            "bench", folder.path, "--prefill", "8,16", "--depth", "0,32", "--batch", "1,2", "--rounds", "1", "--steps",
            "2", "--json")
        #expect(result.status == 0 && result.error == "")
        let object = try result.json
        #expect(object["prefill"]?.arrayValue?.map { $0["tokens"]?.intValue } == [8, 16])
        #expect(object["decode"]?.arrayValue?.map { $0["depth"]?.intValue } == [0, 0, 32])
        #expect(object["decode"]?.arrayValue?.map { $0["batch"]?.intValue } == [1, 2, 1])
        for key in ["bytes_per_token", "limits", "peak_memory"] { #expect(object[key] != nil) }
        #expect(try minke.run("bench", folder.path, "--depth", "64").status == 1)
        #expect(try minke.run("bench", folder.path, "--depth", "much").status == 1)
    }

    @Test func inspectNeedsTheConfigurationOnly() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model()
        var whole = try #require(minke.run("inspect", folder.path, "--json").json.objectValue)
        // What the weights themselves tell is there while they are.
        let stored = whole["stored"]
        #expect(stored?["bytes"]?.intValue == whole["weight_bytes"]?["float32"]?.intValue)
        #expect((stored?["tokens_per_second_estimate"]?.doubleValue ?? 0) > 0)
        whole["stored"] = nil
        try FileSystem.remove(folder("model.safetensors"))
        #expect(try minke.run("inspect", folder("config.json"), "--json").json == .object(whole))
        let model = whole["parameters"]?["total"]?.intValue
        #expect((model ?? 0) > 1000)
        #expect(whole["cache"]?["values_per_token"] == 24)
        let text = try minke.run("inspect", folder.path)
        #expect(text.status == 0 && text.output.contains("latent attention"))
    }

    @Test func evalMeasuresTexts() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model()
        try AtomicFile.write("some text to read, and some more of it", to: folder("a.txt"))
        let result = try minke.run("eval", folder.path, folder("a.txt"), "--context", "16", "--json")
        let object = try result.json
        #expect(object["tokens"] == 38 && object["bytes"] == 38)
        let loss = try #require(object["loss"]?.doubleValue)
        #expect(abs(try #require(object["bits_per_byte"]?.doubleValue) - loss / 0.6931471805599453) < 1e-9)
        let some = try minke.run("eval", folder.path, folder("a.txt"), "--max-bytes", "10", "--json")
        #expect(try some.json["bytes"] == 10)
    }

    @Test func chatReadsLines() throws {
        guard let minke = Program.built else { return }
        let folder = try Self.model()
        let result = try minke.run("chat", folder.path, "--max-tokens", "3", input: "once\n\n/help\n/reset\nagain")
        #expect(result.status == 0)
        #expect(result.error.contains("/reset begins a new text"))
        #expect(result.output.filter { $0 == "\n" }.count >= 3)
    }

    @Test func tokenizerTrainsEncodesAndDecodes() throws {
        guard let minke = Program.built else { return }
        let folder = try TemporaryFolder()
        try AtomicFile.write("the whale and the other whale\n", to: folder("a.txt"))
        let trained = try minke.run("tokenizer", "train", folder("a.txt"), "--vocabulary", "265", "--out", folder("t"))
        #expect(trained.status == 0 && trained.output == "")
        let ids = try minke.run("tokenizer", "encode", folder("t"), "--text", "the whale").output.dropLast()
        #expect(try minke.run("tokenizer", "decode", folder("t"), "--ids", String(ids)).output == "the whale\n")
        let lines = try minke.run(
            "tokenizer", "encode", folder("t/tokenizer.json"), "--jsonl",
            input: "{\"text\": \"the whale\"}\n\n{\"text\": \"\"}\n")
        #expect(lines.output == "{\"ids\":[\(ids)]}\n{\"ids\":[]}\n")
        #expect(
            try minke.run("tokenizer", "decode", folder("t"), "--jsonl", input: lines.output).output
                == "{\"text\":\"the whale\"}\n{\"text\":\"\"}\n")
        let control = try #require(Tokenizer.bytes.token(for: 256))
        #expect(try minke.run("tokenizer", "encode", folder("t"), "--text", control).output == "0\n")
        #expect(try minke.run("tokenizer", "encode", folder("t"), "--text", control, "--no-special").output != "0\n")
        let broken = try minke.run("tokenizer", "encode", folder("t"), "--jsonl", input: "{}\n")
        #expect(broken.status == 1 && broken.error.contains("line 1"))
    }
}
