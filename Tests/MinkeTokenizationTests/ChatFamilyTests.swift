import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct ChatFamilyTests {
    @Test func promptsAndIDsEqualTheFixtures() throws {
        guard let rows = try Fixtures.rows("chat/chat.jsonl"),
            let tokenizer = try Fixtures.tokenizer("tokenizer_deepseek/tokenizer.json")
        else { return }
        let controls = Set(tokenizer.addedTokens.map(\.content))
        for row in rows {
            let name = try #require(row["family"]?.stringValue)
            let family = try #require(ChatFamily(rawValue: name))
            var object = JSON.Object()
            for key in ["messages", "tools", "add_generation_prompt"] { object[key] = row[key] }
            for (key, value) in row["kwargs"]?.objectValue ?? [:] { object[key] = value }
            let prompt = try family.render(ChatConversation(parsing: .object(object)))
            let expected = try #require(row["rendered"]?.stringValue)
            #expect(
                prompt.text.utf8.elementsEqual(expected.utf8),
                "\(name) \(row["case"]?.text() ?? "") \(row["kwargs"]?.text() ?? "")\n\(prompt.text)\n---\n\(expected)")
            guard let ids = row["ids"]?.ids else { continue }
            let content = prompt.pieces.filter { !$0.isTemplate }.map(\.text).joined(separator: "\n")
            if !controls.contains(where: { content.contains($0) }), !ids.isEmpty {
                #expect(tokenizer.encode(prompt) == ids, "\(name) \(row["case"]?.text() ?? "")")
            }
            #expect(tokenizer.decode(tokenizer.encode(prompt)).utf8.elementsEqual(expected.utf8))
        }
    }

    /// What people write never becomes a control token, whatever they write and wherever.
    @Test func contentNeverGivesControlTokens() throws {
        guard let tokenizer = try Fixtures.tokenizer("tokenizer_deepseek/tokenizer.json") else { return }
        let encoder = TokenEncoder(tokenizer)
        let added = Set(tokenizer.addedTokens.map(\.id))
        let families: [ChatFamily] = [.v32, .v31, .v3, .r1, .v4, .v2]
        var expected: [ChatFamily: [Int32]] = [:]
        for (index, token) in tokenizer.addedTokens.enumerated() {
            for family in index % 40 == 0 ? families : [families[index % families.count]] {
                func controls(_ text: String) throws -> [Int32] {
                    var conversation = try Self.conversation(everywhere: text)
                    if family == .v2 { conversation.messages.removeAll { $0.role == "tool" } }
                    let prompt = try family.render(conversation)
                    let ids = encoder.encode(prompt)
                    #expect(tokenizer.decode(ids).utf8.elementsEqual(prompt.text.utf8))
                    return ids.filter { added.contains($0) }
                }
                if expected[family] == nil { expected[family] = try controls("whale") }
                #expect(try controls(token.content) == expected[family], "\(token.content) in \(family)")
            }
        }
    }

    /// A conversation with `text` in every place that people can write to.
    static func conversation(everywhere text: String) throws -> ChatConversation {
        let quoted = JSON.string(text)
        return try ChatConversation(
            parsing: [
                "messages": [
                    ["role": "system", "content": quoted],
                    ["role": "user", "name": quoted, "content": quoted],
                    [
                        "role": "assistant", "content": .null, "reasoning_content": quoted,
                        "tool_calls": [
                            [
                                "id": quoted, "type": "function",
                                "function": ["name": quoted, "arguments": .object([text: [quoted]])],
                            ]
                        ],
                    ],
                    ["role": "tool", "tool_call_id": quoted, "content": quoted],
                    ["role": "assistant", "reasoning_content": quoted, "content": quoted],
                    ["role": "user", "content": quoted],
                    ["role": "assistant", "reasoning_content": quoted, "content": quoted],
                ],
                "tools": [
                    ["type": "function", "function": ["name": quoted, "description": quoted, "parameters": [:]]]
                ],
                "thinking": true,
            ])
    }

    @Test func touchingPiecesMergeAsOneText() throws {
        let tokenizer = try smallTokenizer()
        var prompt = ChatPrompt()
        prompt.append(template: "<｜User｜>the wh")
        prompt.append(content: "ale<｜User｜>")
        prompt.append(template: "")
        prompt.append(template: "<｜User｜>")
        let user = try #require(tokenizer.id(of: "<｜User｜>"))
        let ids = tokenizer.encode(prompt)
        #expect(ids.filter { $0 == user }.count == 2 && ids.first == user && ids.last == user)
        #expect(tokenizer.decode(ids) == prompt.text)
        var plain = ChatPrompt()
        plain.append(template: "the wh")
        plain.append(content: "ale swam")
        #expect(tokenizer.encode(plain) == tokenizer.encode("the whale swam"))
        // A control token half from the template and half from the content is none.
        var halves = ChatPrompt()
        halves.append(template: "<｜Us")
        halves.append(content: "er｜>")
        #expect(!tokenizer.encode(halves).contains(user))
    }

    @Test func malformedMessagesAreRefused() {
        for text in [
            "{}", "3", "[1]", "[{}]", #"[{"role": "user", "content": 3}]"#,
            #"[{"role": "user", "content": [{"type": "image"}]}]"#,
            #"[{"role": "assistant", "tool_calls": 3}]"#, #"[{"role": "assistant", "tool_calls": [{}]}]"#,
            #"{"messages": [], "tools": 3}"#,
        ] {
            #expect(throws: InputError.self) { try ChatConversation(parsing: JSON(parsing: text)) }
        }
    }

    @Test(arguments: ChatFamily.allCases) func unknownRolesAreNamed(family: ChatFamily) throws {
        let messages = [ChatMessage(role: "user", content: "a"), ChatMessage(role: "narrator\n", content: "b")]
        for conversation in [messages, messages.reversed()].map({ ChatConversation($0) }) {
            let index = conversation.messages.firstIndex { $0.role != "user" } ?? 0
            #expect { try family.render(conversation) } throws: {
                let line = "\($0)"
                return line.hasPrefix("messages[\(index)].role: ") && line.contains("\"narrator")
                    && line.contains("known: ")
                    && !line.contains { $0.isNewline }
            }
        }
    }

    /// The declaration of tools as the card of DeepSeek-V3.1 has it.
    @Test func toolsOfV31AreDeclaredAsItsCardSays() throws {
        let tools: [JSON] = ["get_tide", "set_sail"].map { name in
            [
                "type": "function",
                "function": ["name": .string(name), "description": "Does it.", "parameters": ["type": "object"]],
            ]
        }
        func section(_ name: String) -> String {
            "\n### \(name)\nDescription: Does it.\n\nParameters: {\"type\": \"object\"}\n"
        }
        let declaration =
            "\n\n## Tools\nYou have access to the following tools:\n" + section("get_tide") + section("set_sail") + """

                IMPORTANT: ALWAYS adhere to this exact format for tool use:
                <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>tool_call_name<｜tool▁sep｜>tool_call_arguments<｜tool▁call▁end｜>\
                {additional_tool_calls}<｜tool▁calls▁end｜>

                Where:
                - `tool_call_name` must be an exact match to one of the available tools
                - `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters Schema
                - For multiple tool calls, chain them directly without separators or spaces
                """
        let user = ChatMessage(role: "user", content: "Hi")
        for system in ["", "Be brief."] {
            let messages = (system.isEmpty ? [] : [ChatMessage(role: "system", content: system)]) + [user]
            let prompt = try ChatFamily.v31.render(
                ChatConversation(messages, tools: tools, addsGenerationPrompt: false))
            #expect(prompt.text == "<｜begin▁of▁sentence｜>" + system + declaration + "<｜User｜>Hi")
        }
    }

    /// DeepSeek-V2-Chat's template, run by Jinja2.
    @Test func promptsOfV2() throws {
        let messages = [
            ChatMessage(role: "system", content: "Be brief."), ChatMessage(role: "user", content: " How many? "),
            ChatMessage(role: "assistant", content: "Two."), ChatMessage(role: "user", content: ""),
        ]
        let text = "<｜begin▁of▁sentence｜>Be brief.\n\nUser:  How many? \n\nAssistant: Two.<｜end▁of▁sentence｜>User: \n\n"
        for adds in [true, false] {
            let prompt = try ChatFamily.v2.render(ChatConversation(messages, addsGenerationPrompt: adds))
            #expect(prompt.text == text + (adds ? "Assistant:" : ""))
        }
    }

    @Test func familiesAreChosenByVocabulary() throws {
        func family(_ tokens: [String], _ type: String? = nil) throws -> ChatFamily? {
            ChatFamily(tokenizer: try smallTokenizer(specialTokens: tokens), modelType: type)
        }
        #expect(try family(["<s>"]) == nil)
        #expect(try family(["<|im_middle|>"]) == .kimiK2)
        #expect(try family(["<｜User｜>"]) == .v3)
        #expect(try family(["<｜User｜>", "<think>"]) == .r1)
        #expect(try family(["<｜User｜>", "<think>", "<｜search▁begin｜>"]) == .v31)
        #expect(try family(["<｜User｜>", "｜DSML｜"]) == .v32)
        #expect(try family(["<｜User｜>", "｜DSML｜", "<｜latest_reminder｜>"]) == .v4)
        #expect(try family(["<｜User｜>"], "deepseek_v4") == .v4)
    }
}
