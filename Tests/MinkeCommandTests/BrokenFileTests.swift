import MinkeFiles
import Testing

/// What is wrong with a file is said in one line, with exit code 1, by every command that reads files of others.
@Suite(.serialized) struct BrokenFileTests {
    /// The commands that take a model, given its path.
    static let commands: [(name: String, arguments: @Sendable (String, String) -> [String])] = [
        ("generate", { model, _ in ["generate", model, "--ids", "1,2", "--max-tokens", "1"] }),
        ("inspect", { model, _ in ["inspect", model, "--json"] }),
        (
            "logits",
            { model, folder in
                ["logits", model, "--ids", folder + "/ids.json", "--out", folder + "/logits.safetensors"]
            }
        ),
        ("convert", { model, folder in ["convert", model, folder + "/out.gguf", "--type", "f16"] }),
    ]

    func expectRefusal(_ minke: Program, _ arguments: [String], _ comment: Comment) throws {
        let result = try minke.run(all: arguments)
        #expect(result.status == 1, comment)
        #expect(result.output == "", comment)
        #expect(result.error.hasSuffix("\n") && result.error.count { $0 == "\n" } == 1, "\(comment): \(result.error)")
    }

    @Test(arguments: commands.map(\.name)) func brokenModels(command: String) throws {
        guard let minke = Program.built else { return }
        let arguments = try #require(Self.commands.first { $0.name == command }).arguments
        let folder = try CommandTests.model()
        try AtomicFile.write("[[1, 2]]", to: folder("ids.json"))
        let header: [UInt8] = Array("GGUF".utf8) + [3, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 16)
        for (name, bytes) in [("empty", []), ("counts", header)] {
            let file = folder("\(name).gguf")
            try AtomicFile.write(bytes, to: file)
            try expectRefusal(minke, arguments(file, folder.path), "\(command) \(name)")
        }
        let weights = try FileSystem.readAll(folder("model.safetensors"))
        let configuration = try FileSystem.readAll(folder("config.json"))
        try AtomicFile.write(Array(weights.dropLast()), to: folder("model.safetensors"))
        try expectRefusal(minke, arguments(folder.path, folder.path), "\(command) cut")
        try AtomicFile.write(weights, to: folder("model.safetensors"))
        try AtomicFile.write(Array(configuration.dropLast(9)), to: folder("config.json"))
        try expectRefusal(minke, arguments(folder.path, folder.path), "\(command) config")
    }

    @Test func brokenTokenizersAndTemplates() throws {
        guard let minke = Program.built else { return }
        let folder = try CommandTests.model()
        try AtomicFile.write(#"[{"role": "user", "content": "a"}]"#, to: folder("messages.json"))
        try AtomicFile.write("{{ ''.__class__.__mro__ }}{% for", to: folder("chat_template.jinja"))
        try expectRefusal(
            minke, ["tokenizer", "render", folder.path, "--messages", folder("messages.json")], "template")
        try AtomicFile.write(#"{"model": {"type": "BPE", "vocab": []}}"#, to: folder("tokenizer.json"))
        try expectRefusal(minke, ["tokenizer", "encode", folder.path, "--text", "a"], "tokenizer encode")
        try expectRefusal(minke, ["generate", folder.path, "--prompt", "a"], "generate")
    }
}
