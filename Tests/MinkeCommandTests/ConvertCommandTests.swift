import Minke
import MinkeCheckpoints
import Testing

/// `minke convert`, as people run it.
@Suite(.serialized) struct ConvertCommandTests {
    @Test func foldersGoToGGUFAndBackWithTheirTokenizer() throws {
        guard let minke = Program.built else { return }
        let model = try CommandTests.model()
        let folder = try TemporaryFolder()
        let there = try minke.run("convert", model.path, folder("x.gguf"), "--type", "f32", "--json", "--quiet")
        #expect(there.status == 0 && there.error == "")
        let report = try there.json
        #expect(report["relative_rms_error"]?.doubleValue == 0)
        #expect(report["bytes_before"] == report["bytes_after"])
        let back = try minke.run("convert", folder("x.gguf"), folder("back"), "--type", "f32")
        #expect(back.status == 0 && back.error == "")
        #expect(back.output.hasPrefix("weights ") && back.output.contains("\nall "))
        let texts = try [model.path, folder("back")].map {
            try minke.run(
                "generate", $0, "--prompt", "hello", "--max-tokens", "6", "--temperature", "0", "--json"
            ).json["text"]
        }
        #expect(texts[0] == texts[1])
    }

    @Test func modelsWithoutTokenizerSaySo() throws {
        guard let minke = Program.built else { return }
        let model = try CommandTests.model(hasTokenizer: false)
        let folder = try TemporaryFolder()
        let result = try minke.run("convert", model.path, folder("x.gguf"), "--type", "q8_0")
        #expect(result.status == 0)
        #expect(
            result.error == "note: there is no tokenizer.json: the file has no vocabulary and takes only token ids\n")
        #expect(try GGUFFile(path: folder("x.gguf")).metadata.string("tokenizer.ggml.model") == "none")
    }

    @Test func nothingIsReplacedUnasked() throws {
        guard let minke = Program.built else { return }
        let model = try CommandTests.model()
        let folder = try TemporaryFolder()
        let file = folder("x.gguf")
        #expect(try minke.run("convert", model.path, file, "--type", "f32", "--quiet").status == 0)
        let bytes = try FileSystem.readAll(file)
        for arguments in [[model.path, file], [file, file, "--force"], [model.path, model.path, "--force"]] {
            let result = try minke.run(all: ["convert"] + arguments + ["--type", "f16", "--quiet"])
            #expect(result.status == 1 && result.error.filter { $0 == "\n" }.count == 1)
        }
        #expect(try FileSystem.readAll(file) == bytes)
        #expect(try minke.run("convert", model.path, file, "--type", "f16", "--quiet", "--force").status == 0)
        #expect(try FileSystem.readAll(file).count < bytes.count)
    }

    @Test func failuresLeaveNothingBehind() throws {
        guard let minke = Program.built else { return }
        let model = try CommandTests.model()
        let folder = try TemporaryFolder()
        for arguments in [
            ["/nowhere", folder("x.gguf"), "--type", "f32"], [model.path, folder("x"), "--type", "q4_k"],
            [model("config.json"), folder("x.gguf"), "--type", "f32"],
        ] {
            let result = try minke.run(all: ["convert"] + arguments)
            #expect(result.status == 1 && result.output == "")
            #expect(result.error.hasPrefix("error: ") && result.error.filter { $0 == "\n" }.count == 1)
        }
        // What is told is the name that was given, not that of the file in the making.
        for target in [folder("none/x.gguf"), model("config.json") + "/x.gguf"] {
            let result = try minke.run("convert", model.path, target, "--type", "f32", "--quiet")
            #expect(result.status == 1 && result.error.hasPrefix("error: \(target): cannot create: "))
        }
        #expect(try minke.run("convert", model.path, folder("x.gguf"), "--type", "q3").status == 64)
        #expect(try FileSystem.list(folder.path).isEmpty)
    }
}
