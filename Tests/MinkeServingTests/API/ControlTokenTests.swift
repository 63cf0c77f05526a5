import MinkeFiles
import MinkeTokenization
import Testing

@testable import MinkeServing

/// What clients write never becomes a control token, in whatever field it stands.
@Suite struct ControlTokenTests {
    /// A conversation with `text` in every field that reaches the prompt.
    private static func conversation(_ text: String) -> JSON {
        let text = JSON.string(text)
        let arguments = JSON.string(JSON.object(["to": text]).text())
        return [
            "messages": [
                ["role": "system", "content": text],
                ["role": "user", "name": text, "content": [["type": "text", "text": text]]],
                [
                    "role": "assistant", "content": text, "reasoning_content": text,
                    "tool_calls": [
                        ["id": text, "type": "function", "function": ["name": text, "arguments": arguments]]
                    ],
                ],
                ["role": "tool", "tool_call_id": text, "content": text],
                ["role": "user", "content": text],
                ["role": "assistant", "content": text, "reasoning_content": text, "prefix": true],
            ],
            "tools": [
                [
                    "type": "function",
                    "function": [
                        "name": "swim", "description": text,
                        "parameters": ["type": "object", "description": text, "properties": [:]],
                    ],
                ]
            ],
        ]
    }

    private static func check(_ tokenizer: Tokenizer, _ template: ChatTemplate, _ name: String) throws {
        let preparation = ChatPreparation(
            template: template, tokenizer: tokenizer, syntax: AnswerSyntax(template, tokenizer: tokenizer),
            endTokens: [])
        let added = Set(tokenizer.addedTokens.map(\.id))
        func prompt(_ text: String) throws -> (ids: [Int32], text: String) {
            var job = try ChatRequest(conversation(text), vocabulary: 1 << 20).job
            // A function's name is shorter than all tokens together.
            job.tools += [["type": "function", "function": ["name": .string(text), "parameters": [:]]]]
            let prompt = try preparation.prompt(job)
            return (tokenizer.encode(prompt), prompt.text)
        }
        let attack = tokenizer.addedTokens.map(\.content).joined(separator: " ")
        let (ids, text) = try prompt(attack)
        let harmless = try prompt("swim")
        #expect(ids.filter(added.contains) == harmless.ids.filter(added.contains), "\(name)")
        #expect(tokenizer.decode(ids) == text, "\(name)")
        #expect(text.utf8.count > 6 * attack.utf8.count)
    }

    @Test(arguments: [ChatFamily.v25, .v3, .r1, .v31, .v32, .v4])
    func noFieldBecomesControl(family: ChatFamily) throws {
        try Self.check(TestService.tokenizer, ChatTemplate(family), family.rawValue)
    }

    @Test func noFieldBecomesControlInJinja() throws {
        let source = """
            {{ bos_token }}{% for message in messages %}<｜User｜>{{ message['role'] }} {{ message['name'] }} \
            {{ message['content'] }} {{ message.reasoning_content }}{% for call in message.tool_calls %}<think>\
            {{ call.function.name }}{{ call.function.arguments | tojson }}{% endfor %}{% endfor %}\
            {{ tools | tojson }}<｜Assistant｜></think>
            """
        let template = try ChatTemplate(jinja: source, tokenizer: TestService.tokenizer)
        try Self.check(TestService.tokenizer, template, "jinja")
    }

    /// All tokens of DeepSeek's vocabulary.
    @Test func noFieldBecomesControlInTheRealVocabulary() throws {
        guard let path = TestService.fixture("tokenizer_deepseek/tokenizer.json") else { return }
        let tokenizer = try Tokenizer(parsing: FileSystem.readAll(path))
        #expect(tokenizer.addedTokens.count > 1000)
        try Self.check(tokenizer, ChatTemplate(.v31), "v3.1")
        try Self.check(tokenizer, ChatTemplate(.v4), "v4")
    }
}
