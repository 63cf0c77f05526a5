import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct ToolCallConstraintTests {
    static let tools: [JSON] = [
        [
            "type": "function",
            "function": [
                "name": "weather",
                "parameters": [
                    "type": "object",
                    "properties": [
                        "city": ["type": "string"], "days": ["type": "integer", "minimum": 1, "maximum": 9],
                        "unit": ["type": "string", "enum": ["c", "f"]],
                    ],
                    "required": ["city", "days"],
                ],
            ],
        ],
        ["type": "function", "function": ["name": "now"]],
    ]

    static let syntaxes =
        [ChatFamily.v3, .v31, .v32, .v4, .kimiK2].map { AnswerSyntax($0) }
        + [AnswerSyntax(calls: .tagged, trimsThoughts: true)]

    /// Whatever is drawn is taken apart again into calls whose arguments the schemas allow.
    @Test(arguments: syntaxes)
    func randomCallsAreValid(syntax: AnswerSyntax) throws {
        let end = "<｜end▁of▁sentence｜>"
        let tokenizer = try smallTokenizer(specialTokens: [end] + syntax.controlTexts)
        let stop = try #require(tokenizer.id(of: end))
        let constraint = try ToolCallConstraint(
            syntax, tools: Self.tools, maximumCalls: 3, trie: TokenTrie(tokenizer), endTokens: [stop])
        let schema = try #require(Self.tools[0]["function"]?["parameters"])
        var generator = SeededGenerator(state: 3)
        for _ in 0..<12 {
            var constraint = constraint
            var parser = AnswerParser(syntax, tokenizer: tokenizer, prompt: ChatPrompt(), tools: Self.tools)
            var events: [AnswerParser.Event] = []
            var last: Int32?
            for step in 0..<2_000 {
                var logits = [Float](repeating: 0, count: tokenizer.vocabularySize)
                constraint.mask(&logits)
                let allowed = logits.indices.filter { logits[$0] == 0 }.map { Int32($0) }
                #expect(allowed.contains(stop) == constraint.isComplete)
                var choice = try #require(allowed.randomElement(using: &generator))
                // Long texts are brought to their end: by a quote in JSON, by a tag in markup.
                if step > 30, allowed.count > 100 || step % 2 == 0 {
                    let controls = allowed.filter { id in tokenizer.addedTokens.contains { $0.id == id } }
                    let isMarkup = syntax.callMarks == nil && syntax.calls != .tagged
                    let closing = tokenizer.id(of: !isMarkup ? "\"" : last == tokenizer.id(of: "<") ? "/" : "<")
                    choice = controls.last ?? allowed.first { $0 == closing } ?? choice
                }
                last = choice
                if choice == stop { break }
                constraint.advance(choice)
                events += parser.append(choice)
            }
            #expect(constraint.isComplete && !constraint.hasFailed)
            let answer = AnswerParserTests.Answer(events + parser.finish())
            #expect((1...3).contains(answer.names.count) && answer.ended.count == answer.names.count)
            #expect(answer.content.isEmpty && answer.reasoning.isEmpty, "\(answer.content)")
            for (name, text) in zip(answer.names, answer.arguments) {
                let arguments = try JSON(parsing: text)
                let rule = name == "weather" ? schema : ["type": "object"]
                #expect(SchemaValidator(root: rule).accepts(arguments), "\(name) \(text)")
            }
        }
    }

    @Test func aNamedFunctionIsTheOnlyOne() throws {
        let syntax = AnswerSyntax(.v31)
        let tokenizer = try smallTokenizer(specialTokens: ["<｜end▁of▁sentence｜>"] + syntax.controlTexts)
        func takes(_ name: String) throws -> Bool {
            var constraint = try ToolCallConstraint(
                syntax, tools: Self.tools, name: "now", trie: TokenTrie(tokenizer), endTokens: [])
            let text = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>\(name)<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            for id in tokenizer.encode(text) { constraint.advance(id) }
            return constraint.isComplete && !constraint.hasFailed
        }
        #expect(try takes("now") && !takes("weather"))
        #expect(throws: InputError.self) {
            try ToolCallConstraint(syntax, tools: Self.tools, name: "x", trie: TokenTrie(tokenizer), endTokens: [])
        }
        #expect(throws: InputError.self) {
            try ToolCallConstraint(
                AnswerSyntax(.v2), tools: Self.tools, trie: TokenTrie(tokenizer), endTokens: [])
        }
    }

    @Test func constraintsWaitForTheEndOfThoughts() throws {
        for hasToken in [true, false] {
            let names = ["<｜end▁of▁sentence｜>"] + (hasToken ? ["<think>", "</think>"] : [])
            let tokenizer = try smallTokenizer(specialTokens: names)
            let end = try #require(tokenizer.id(of: names[0]))
            let base = try JSONConstraint(anyObject: TokenTrie(tokenizer), endTokens: [end])
            var constraint = AfterReasoning(base, tokenizer: tokenizer, endTokens: [end], isThinking: true)
            for id in tokenizer.encode("Hm } the whale") { constraint.advance(id) }
            var logits = [Float](repeating: 0, count: tokenizer.vocabularySize)
            constraint.mask(&logits)
            #expect(logits[Int(end)] < 0 && logits.filter { $0 < 0 }.count == 1)
            #expect(!constraint.isComplete && !constraint.mustStop)
            for id in tokenizer.encode("</think>\n\n{}") { constraint.advance(id) }
            #expect(!constraint.isThinking && constraint.isComplete && constraint.mustStop)
        }
    }
}
