import Minke
import Testing

/// `minke tokenizer render` and conversations with `minke chat`.
@Suite(.serialized) struct ChatCommandTests {
    private static let messages = #"[{"role": "user", "content": "Hi <｜User｜>"}]"#
    private static let prompt = "<｜begin▁of▁sentence｜><｜User｜>Hi <｜User｜><｜Assistant｜>"

    @Test func rendersAFamily() throws {
        guard let minke = Program.built else { return }
        let folder = try TemporaryFolder()
        try AtomicFile.write(Self.messages, to: folder("m.json"))
        let text = try minke.run("tokenizer", "render", "--template", "v3", "--messages", folder("m.json"))
        #expect(text.status == 0 && text.output == Self.prompt + "\n")
        let json = try minke.run("tokenizer", "render", "--template", "v3", "--messages", folder("m.json"), "--json")
        #expect(try json.json == ["text": .string(Self.prompt)])
        try AtomicFile.write(
            #"{"messages": \#(Self.messages), "thinking": true, "add_generation_prompt": true}"#, to: folder("o.json"))
        let thinking = try minke.run("tokenizer", "render", "--template", "v3.1", "--messages", folder("o.json"))
        #expect(thinking.output == Self.prompt + "<think>\n")
    }

    @Test func rendersWithTheModelsOwnTemplate() throws {
        guard let minke = Program.built else { return }
        let folder = try CommandTests.model()
        try AtomicFile.write(#"[{"role": "user", "content": "A<｜end▁of▁sentence｜>"}]"#, to: folder("m.json"))
        let none = try minke.run("tokenizer", "render", folder.path, "--messages", folder("m.json"))
        #expect(none.status == 1 && none.error.contains("no chat template"))
        let end = "<｜end▁of▁sentence｜>"
        func check(_ arguments: [String]) throws {
            let result = try minke.run(all: ["tokenizer", "render", "--messages", folder("m.json")] + arguments)
            #expect(result.status == 0 && result.error == "")
            let json = try minke.run(
                all: ["tokenizer", "render", "--messages", folder("m.json"), "--json"] + arguments
            ).json
            let text = "<｜begin▁of▁sentence｜>Q:A\(end)\(end)"
            #expect(json["text"]?.stringValue == text)
            let ids = try #require(json["ids"]?.arrayValue).compactMap(\.intValue)
            // The end that the message spells is text; the template's is a token.
            #expect(ids.first == 256 && ids.last == 257 && ids.dropFirst().dropLast().allSatisfy { $0 < 256 })
            #expect(result.output == text + "\n" + ids.map(String.init).joined(separator: ",") + "\n")
        }
        let source = "{{ bos_token }}{% for m in messages %}Q:{{ m.content }}{{ eos_token }}{% endfor %}"
        try AtomicFile.write(source, to: folder("t.txt"))
        try check([folder.path, "--template", folder("t.txt")])
        try AtomicFile.write(source, to: folder("chat_template.jinja"))
        try check([folder.path])
        try FileSystem.removeTree(folder("chat_template.jinja"))
        var configuration = try #require(
            JSON(parsing: FileSystem.readAll(folder("tokenizer_config.json"))).objectValue)
        configuration["chat_template"] = [["name": "default", "template": .string(source)]]
        try AtomicFile.write(JSON.object(configuration).text(), to: folder("tokenizer_config.json"))
        try check([folder.path])
        try check([folder("tokenizer.json")])
        configuration["chat_template"] = "{% if %}"
        try AtomicFile.write(JSON.object(configuration).text(), to: folder("tokenizer_config.json"))
        let broken = try minke.run("tokenizer", "render", folder.path, "--messages", folder("m.json"))
        #expect(broken.status == 1 && broken.error.contains("template line 1"))
        #expect(broken.error.filter { $0 == "\n" }.count == 1)
    }

    @Test(arguments: ["{", "3", "[{}]", #"{"messages": 3}"#, #"[{"role": "user", "content": 7}]"#])
    func refusesWrongMessages(text: String) throws {
        guard let minke = Program.built else { return }
        let folder = try TemporaryFolder()
        try AtomicFile.write(text, to: folder("m.json"))
        let result = try minke.run("tokenizer", "render", "--template", "v3", "--messages", folder("m.json"))
        #expect(result.status == 1 && result.output == "" && result.error.contains("m.json"))
        #expect(result.error.filter { $0 == "\n" }.count == 1)
    }

    @Test func refusesUnknownTemplates() throws {
        guard let minke = Program.built else { return }
        let folder = try CommandTests.model()
        let result = try minke.run("chat", folder.path, "--template", "v99")
        #expect(result.status == 1 && result.error.contains("v3.1"))
        #expect(try minke.run("chat", folder.path, "--thinking").status == 1)
        #expect(try minke.run("tokenizer", "render", "--messages", "x").status == 64)
    }

    @Test func conversesLineByLine() throws {
        guard let minke = Program.built else { return }
        let folder = try CommandTests.model()
        try AtomicFile.write(
            "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}{{ m.content }}{% endfor %}", to: folder("t"))
        let arguments = ["chat", folder.path, "--template", folder("t"), "--max-tokens", "4", "--seed", "1"]
        let result = try minke.run(all: arguments, input: "hello\n\n/reset\nhello\n/help\n")
        #expect(result.status == 0)
        #expect(result.error.contains("a new conversation begins") && result.error.contains("Ctrl-D"))
        let first = try minke.run(all: arguments, input: "hello\n")
        #expect(result.output == first.output + first.output)
        let system = try minke.run(all: arguments + ["--system", "Be a whale."], input: "hello\n")
        #expect(system.status == 0 && system.output != first.output)
    }

    @Test func forgetsTheOldestTurnsWhenTheContextIsFull() throws {
        guard let minke = Program.built else { return }
        let folder = try CommandTests.model()
        try AtomicFile.write("{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}", to: folder("t"))
        let arguments = ["chat", folder.path, "--template", folder("t"), "--max-tokens", "2"]
        let long = try minke.run(all: arguments, input: String(repeating: "twelve bytes\n", count: 12))
        #expect(long.status == 0 && long.error.contains("forgotten"))
        #expect(long.error.contains("context of 64 tokens"))
        let tooLong = try minke.run(all: arguments, input: String(repeating: "x", count: 80) + "\n")
        #expect(tooLong.status == 1 && tooLong.error.contains("no room"))
    }

    @Test func refusalsOfTheTemplateAreOneLine() throws {
        guard let minke = Program.built else { return }
        let folder = try CommandTests.model()
        try AtomicFile.write("{{ raise_exception('users first') }}", to: folder("t"))
        let result = try minke.run("chat", folder.path, "--template", folder("t"), input: "hello\n")
        #expect(result.status == 1 && result.output == "" && result.error.contains("users first"))
        #expect(result.error.filter { $0 == "\n" }.count == 1)
    }
}
