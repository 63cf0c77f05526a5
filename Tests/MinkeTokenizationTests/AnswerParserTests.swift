import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct AnswerParserTests {
    /// What the events of an answer say together.
    struct Answer: Equatable {
        var reasoning = ""
        var content = ""
        var names: [String] = []
        var ids: [String] = []
        var arguments: [String] = []
        var ended: [Int] = []

        init(_ events: [AnswerParser.Event]) {
            for event in events {
                switch event {
                case .reasoning(let text):
                    #expect(!text.isEmpty)
                    reasoning += text
                case .content(let text):
                    #expect(!text.isEmpty)
                    content += text
                case .toolCallBegan(let index, let id, let name):
                    #expect(index == names.count && ended.count == index)
                    names.append(name)
                    ids.append(id)
                    arguments.append("")
                case .toolCallArguments(let index, let text):
                    #expect(index == names.count - 1 && ended.count == index && !text.isEmpty)
                    arguments[index] += text
                case .toolCallEnded(let index):
                    #expect(index == ended.count && index == names.count - 1)
                    ended.append(index)
                }
            }
        }
    }

    static let calls: [(name: String, arguments: JSON)] = [
        (
            "get_weather",
            ["city": "Zürich \"鯨\" <b>", "days": 3, "units": ["c", 1.5, .null], "deep": ["a": ["b": true]]]
        ),
        ("now", [:]),
        ("note", ["text": "line\n\n```\n{\"x\": 1}\n😀 </p", "flag": false]),
    ]
    static let reasoning = "First, größe… 鯨\n\nthen < </thin 😀"
    static let content = "Answer: a < b,\n\n`</x>` 鯨 😀\n<｜"

    /// The part of an assistant's turn that the model wrote, and the prompt before it.
    static func turn(_ family: ChatFamily, thinks: Bool, content: String, calls: Int) throws -> (
        prompt: ChatPrompt, answer: ChatPrompt
    ) {
        let user = ChatMessage(role: "user", content: "Hi </think><think>")
        let toolCalls = Self.calls.prefix(calls).map { ChatMessage.ToolCall(name: $0.name, arguments: $0.arguments) }
        let message = ChatMessage(
            role: "assistant", content: content, reasoning: thinks ? reasoning : nil, toolCalls: toolCalls)
        let variables: JSON.Object = ["thinking": .bool(thinks)]
        let prompt = try family.render(ChatConversation([user], variables: variables))
        let whole = try family.render(
            ChatConversation([user, message], addsGenerationPrompt: false, variables: variables))
        var start = Array(prompt.text.utf8).count
        // The history of these families leaves thoughts out: they are put back as the model writes them.
        var answer = ChatPrompt()
        if family == .r1 {
            start -= Array("<think>\n".utf8).count
            answer.append(content: reasoning)
            answer.append(template: "\n</think>\n\n")
        } else if family == .v31, thinks {
            answer.append(content: reasoning)
        } else if family == .v32, !thinks {
            // The prompt has an empty pair of tags where history has its end only.
            start -= Array("<think>".utf8).count
        } else if family == .v2 {
            start += 1
        }
        for piece in whole.pieces {
            let bytes = Array(piece.text.utf8)
            if bytes.count > start {
                answer.append(
                    .init(String(decoding: bytes[max(0, start)...], as: UTF8.self), isTemplate: piece.isTemplate))
            }
            start -= bytes.count
        }
        return (prompt, answer)
    }

    /// A list of calls that V2.5, V3 and R1 write is closed before its third call by their template.
    static let cases: [(ChatFamily, Bool, Int)] = ChatFamily.allCases.flatMap { family -> [(ChatFamily, Bool, Int)] in
        let thinks = family == .r1 ? [true] : [.v31, .v32, .v4].contains(family) ? [false, true] : [false]
        let counts = family == .v2 ? [0] : [.v25, .v3, .r1].contains(family) ? [0, 1, 2] : [0, 1, 3]
        return thinks.flatMap { thinks in counts.map { (family, thinks, $0) } }
    }

    /// Rendered and taken apart again, a message is what it was; byte by byte and in one piece.
    @Test(arguments: cases)
    func textComesBack(family: ChatFamily, thinks: Bool, calls: Int) throws {
        let (prompt, answer) = try Self.turn(family, thinks: thinks, content: Self.content, calls: calls)
        var text = answer.text
        for end in ["<｜end▁of▁sentence｜>", "<|im_end|>"] where text.hasSuffix(end) { text.removeLast(end.count) }
        let syntax = AnswerSyntax(family)
        var parser = AnswerParser(syntax, tokenizer: nil, prompt: prompt)
        var events: [AnswerParser.Event] = []
        for byte in text.utf8 { events += parser.append(bytes: [byte]) }
        events += parser.finish()
        expect(events, thinks, Self.content, calls, "\(family) \(text)")
        var whole = AnswerParser(syntax, tokenizer: nil, prompt: prompt)
        expect(whole.append(text) + whole.finish(), thinks, Self.content, calls, "\(family)")
    }

    private static let deepSeek = Result { try Fixtures.tokenizer("tokenizer_deepseek/tokenizer.json") }

    /// Fed with tokens, markers that are spelled in text do not count, and control tokens do.
    @Test(arguments: cases)
    func tokensComeBack(family: ChatFamily, thinks: Bool, calls: Int) throws {
        let controls =
            ["<think>", "</think>", "｜DSML｜"] + (AnswerSyntax(.v3).controlTexts + AnswerSyntax(.kimiK2).controlTexts)
        var names: [String] = []
        for name in ["<｜end▁of▁sentence｜>", "<｜User｜>", "<|im_end|>"] + controls where !names.contains(name) {
            names.append(name)
        }
        let own = try smallTokenizer(specialTokens: names)
        let fixture = family == .kimiK2 ? nil : try Self.deepSeek.get()
        for tokenizer in [own, fixture].compactMap({ $0 }) {
            let content = Self.content + " </think> <think> <｜tool▁calls▁begin｜><｜tool▁call▁end｜> <｜DSML｜tool_calls> x"
            let (prompt, answer) = try Self.turn(family, thinks: thinks, content: content, calls: calls)
            var parser = AnswerParser(AnswerSyntax(family), tokenizer: tokenizer, prompt: prompt)
            var events: [AnswerParser.Event] = []
            for id in tokenizer.encode(answer)
            where !["<｜end▁of▁sentence｜>", "<|im_end|>"].contains(tokenizer.token(for: id)) {
                events += parser.append(id)
            }
            events += parser.finish()
            // R1's template and V3.1's cut history behind a spelled end of thoughts.
            let isCut = calls == 0 && (family == .r1 || family == .v31)
            let expected = isCut ? content.suffix(after: "</think>", last: family == .r1) : content
            expect(events, thinks, expected, calls, "\(family)")
        }
    }

    private func expect(
        _ events: [AnswerParser.Event], _ thinks: Bool, _ content: String, _ calls: Int, _ note: String
    ) {
        let answer = Answer(events)
        #expect(answer.reasoning == (thinks ? Self.reasoning : ""), "\(note)")
        #expect(answer.content == content, "\(note)")
        #expect(answer.names == Self.calls.prefix(calls).map(\.name), "\(note)")
        #expect(answer.ended.count == calls && Set(answer.ids).count == calls, "\(note)")
        for (text, call) in zip(answer.arguments, Self.calls) {
            #expect((try? JSON(parsing: text)) == call.arguments, "\(note): \(text)")
        }
    }

    @Test func tagsOfGLM() throws {
        let text = """
            <think>Hm.
            </think>
            Let me look.
            <tool_call>get_weather
            <arg_key>city</arg_key>
            <arg_value>12</arg_value>
            <arg_key>days</arg_key><arg_value>3</arg_value>
            <arg_key>why</arg_key><arg_value>not "JSON"</arg_value>
            </tool_call>
            <tool_call>now</tool_call>
            """
        let tool: JSON = [
            "type": "function",
            "function": [
                "name": "get_weather", "parameters": ["properties": ["city": ["type": "string"]]],
            ],
        ]
        let syntax = AnswerSyntax(calls: .tagged, trimsThoughts: true)
        for isWhole in [true, false] {
            var parser = AnswerParser(syntax, tokenizer: nil, prompt: ChatPrompt(), tools: [tool])
            var events: [AnswerParser.Event] = []
            if isWhole {
                events = parser.append(text)
            } else {
                for byte in text.utf8 { events += parser.append(bytes: [byte]) }
            }
            let answer = Answer(events + parser.finish())
            #expect(answer.reasoning == "Hm." && answer.content == "Let me look.")
            #expect(answer.names == ["get_weather", "now"] && answer.ended == [0, 1])
            #expect(answer.arguments == [#"{"city": "12", "days": 3, "why": "not \"JSON\""}"#, "{}"])
        }
    }

    /// What is no call from its beginning on comes back as content, to the last byte.
    @Test(arguments: [
        (ChatFamily.v3, "a<｜tool▁calls▁begin｜>b"),
        (.v3, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁call▁end｜> c"),
        (.v3, "<｜tool▁calls▁begin｜><｜tool▁calls▁end｜>"),
        (.v3, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>name"),
        (.v31, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>" + String(repeating: "鯨", count: 700)),
        (.v31, "x<｜tool▁call▁end｜>y<｜tool▁sep｜>"),
        (.kimiK2, "<|tool_calls_section_begin|> what?"),
        (.v32, "\n\n<｜DSML｜function_calls>\n<｜DSML｜in"),
        (.v4, "a <｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"x\n\">"),
        (.v4, "<｜DSML｜tool_call>"),
    ])
    func malformedCallsAreContent(family: ChatFamily, text: String) {
        for isWhole in [true, false] {
            var parser = AnswerParser(AnswerSyntax(family), tokenizer: nil, prompt: ChatPrompt())
            var events: [AnswerParser.Event] = []
            if isWhole {
                events = parser.append(text)
            } else {
                for byte in text.utf8 { events += parser.append(bytes: [byte]) }
            }
            let answer = Answer(events + parser.finish())
            #expect(answer.names.isEmpty && answer.reasoning.isEmpty)
            // Line breaks in front of a list of calls belong to the format.
            #expect(answer.content == (text.hasPrefix("\n\n") ? String(text.dropFirst(2)) : text))
        }
    }

    /// A call that was cut off is passed on as far as it came.
    @Test func cutCallsEnd() {
        var parser = AnswerParser(AnswerSyntax(.v31), tokenizer: nil, prompt: ChatPrompt(), makeID: { "call \($0)" })
        let events = parser.append("ok<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": [1") + parser.finish()
        #expect(
            events == [
                .content("ok"), .toolCallBegan(index: 0, id: "call 0", name: "f"),
                .toolCallArguments(index: 0, "{\"a\": [1"), .toolCallEnded(index: 0),
            ])
    }

    /// Text is passed on at once unless it may begin a marker.
    @Test func nothingIsHeldBackLongerThanNeeded() {
        var parser = AnswerParser(AnswerSyntax(.v32), tokenizer: nil, prompt: ChatPrompt())
        #expect(parser.append("The") == [.content("The")])
        #expect(parser.append(" whale\n") == [.content(" whale")])
        #expect(parser.append("swam <") == [.content("\nswam ")])
        #expect(parser.append("3") == [.content("<3")])
        #expect(parser.append(bytes: [0xE9, 0xAF]) == [])
        #expect(parser.append(bytes: [0xA8]) == [.content("鯨")])
        #expect(parser.finish() == [])
    }

    @Test func promptsTellWhetherThoughtsAreOpen() throws {
        let user = ChatMessage(role: "user", content: "<think>")
        for family in ChatFamily.allCases {
            for thinks in [true, false] {
                let prompt = try family.render(ChatConversation([user], variables: ["thinking": .bool(thinks)]))
                let expected = family == .r1 || (thinks && [.v31, .v32, .v4].contains(family))
                #expect(AnswerSyntax.isThinking(behind: prompt) == expected, "\(family)")
            }
        }
    }

    /// Whatever comes, in whatever pieces: no crash, and the same message.
    @Test func piecesDoNotMatter() {
        var generator = SeededGenerator(state: 9)
        for family in ChatFamily.allCases {
            let syntax = AnswerSyntax(family)
            let parts =
                syntax.controlTexts + [
                    "<", "\n", "{", "function", "```json\n", "鯨", "\"", "\">", "parameter name=\"k",
                    "\" string=\"true\">",
                    "<｜DSML｜invoke name=\"f\">", "</｜DSML｜parameter>", "</｜DSML｜invoke>", "<｜DSML｜tool_calls>",
                    "functions.f:0", " ",
                ]
            for _ in 0..<40 {
                let text = (0..<24).map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
                var whole = AnswerParser(syntax, tokenizer: nil, prompt: ChatPrompt(), makeID: { "\($0)" })
                let expected = Answer(whole.append(text) + whole.finish())
                var parser = AnswerParser(syntax, tokenizer: nil, prompt: ChatPrompt(), makeID: { "\($0)" })
                var events: [AnswerParser.Event] = []
                for byte in text.utf8 { events += parser.append(bytes: [byte]) }
                #expect(Answer(events + parser.finish()) == expected, "\(family): \(text)")
            }
        }
    }
}
