import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct JinjaTemplateTests {
    @Test func rendersAsJinja2() throws {
        let variables = try #require(JSON(parsing: JinjaCases.variables).arrayValue)
        for line in JinjaCases.lines.split(separator: "\n") {
            let row = try JSON(parsing: String(line))
            let source = try #require(row["template"]?.stringValue)
            let values = try variables[#require(row["variables"]?.intValue)].objectValue ?? [:]
            var context: [String: JinjaValue] = [:]
            for (key, value) in values { context[key] = JinjaValue(value) }
            if let expected = row["output"]?.stringValue {
                do {
                    let output = try JinjaTemplate(source).render(context).text
                    #expect(output.utf8.elementsEqual(expected.utf8), "\(source)\n\(output)\n---\n\(expected)")
                } catch {
                    Issue.record("\(source): \(error)")
                }
            } else {
                #expect(throws: InputError.self, "\(source)") { try JinjaTemplate(source).render(context) }
            }
        }
    }

    /// Templates that would take all memory, all time, or the whole stack.
    @Test(arguments: [
        "{% for i in range(100000000) %}{% endfor %}",
        "{% for i in range(2000) %}{% for j in range(2000) %}x{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}",
        "{% set ns = namespace() %}{% set ns.me = ns %}",
        "{{ 'abc' * 1000000000 }}", "{{ 'x' * 4000000 }}{{ 'x' * 4000000 }}",
        "{% set s = 'x' * 100000 %}{{ s.replace('x', s) }}",
        "{% set s = 'ab' * 400000 %}{% for i in range(99) %}{% set x = s | reverse %}{% endfor %}",
        // Few nodes with much to do: what is read counts, not only what is made.
        "{% set s = 'x' * 200000 %}{% for i in range(20000) %}{% set t = ''.strip(s) %}{% endfor %}",
        "{% set s = 'x' * 200000 %}{% for i in range(20000) %}{% set t = s in {'a': 1} %}{% endfor %}",
        "{% set s = 'x' * 200000 %}{% for i in range(20000) %}{% set t = [s, s] | sort %}{% endfor %}",
        "{% set s = '\n' * 50000 %}{% for i in range(20000) %}{% set t = s | tojson %}{% endfor %}",
        "{% set s = 'x' * 50000 %}{% for i in range(9999) %}{% set t = s | upper %}{% endfor %}",
        "{% set l = [['x' * 20000]] %}{% for i in range(9999) %}{% set t = ''.join(l) %}{% endfor %}",
        "{% set s = 'x' * 20000 %}{% for i in range(9999) %}{{ s.startswith([s, s, s, s, s, s]) }}{% endfor %}",
        "{% for i in range(9999) %}{% set t = range(500) | map(attribute='x' * 999) | list %}{% endfor %}",
        "{{ " + String(repeating: "x", count: 257) + " }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 9223372036854775807 + 1 }}", "{{ 9 ** 99 }}", "{{ 99999999999999999999 }}",
        "{{ -9223372036854775807 - 2 }}",
        "{{ __import__('os') }}", "{{ messages.__class__ }}", "{{ strftime_now('%Y') }}",
        "{% set x = 'a' %}{% call f() %}{% endcall %}",
    ]) func isBounded(source: String) {
        #expect(throws: InputError.self) { try JinjaTemplate(source).render([:]) }
    }

    /// Searches that go back for every character would not end.
    @Test func searchesAreLinear() throws {
        let source = "{% set s = 'a' * 60000 %}{{ s.find('a' * 30000 ~ 'b') }}{{ ('a ' * 20000).split() | length }}"
        #expect(try JinjaTemplate(source).render([:]).text == "-120000")
        #expect(
            try JinjaTemplate("{{ 'aabaaab'.find('aaab') }}{{ 'abab'.split('ab') }}{{ ' a  b c '.split(none, 1) }}")
                .render([:]).text == "3['', '', '']['a', 'b c ']")
    }

    @Test func nestingIsBounded() {
        for (open, close) in [
            ("(", ")"), ("[", "]"), ("{'a':", "}"), ("not ", ""), ("-", ""), ("x[", "]"), ("f(", ")"), ("1 + ", ""),
            ("1 if 1 else ", ""), ("1 is eq ", ""),
        ] {
            let count = 1_000
            let source =
                "{{ " + String(repeating: open, count: count) + "1" + String(repeating: close, count: count) + " }}"
            #expect(throws: InputError.self, "\(open)") { try JinjaTemplate(source) }
        }
        for suffix in [".a", "[0]", "|trim", "()", " + 1", " is none", " == 1 and 1"] {
            let source = "{{ 1" + String(repeating: suffix, count: 1_000) + " }}"
            #expect(throws: InputError.self, "\(suffix)") { try JinjaTemplate(source).render([:]) }
        }
        #expect(throws: InputError.self) { try JinjaTemplate(String(repeating: "{% if true %}", count: 1_000)) }
        #expect(throws: InputError.self) { try JinjaTemplate(String(repeating: "x", count: 1 << 21)) }
    }

    /// Any damage to a template gives an error or another text, but no crash.
    @Test func damagedTemplatesDoNoHarm() throws {
        var random = SeededGenerator(state: 3)
        let sources = try JinjaCases.lines.split(separator: "\n").prefix(10).map {
            try #require(try JSON(parsing: String($0))["template"]?.stringValue)
        }
        let messages: JSON = [["role": "user", "content": "a"], ["role": "assistant", "content": "b"]]
        for source in sources {
            for _ in 0..<20 {
                var scalars = Array(source.unicodeScalars)
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let start = Int.random(in: 0..<scalars.count - 8, using: &random)
                    if Bool.random(using: &random) {
                        scalars.removeSubrange(start..<start + Int.random(in: 1...8, using: &random))
                    } else {
                        scalars[start] = scalars[Int.random(in: 0..<scalars.count, using: &random)]
                    }
                }
                var text = ""
                text.unicodeScalars.append(contentsOf: scalars)
                _ = try? JinjaTemplate(text).render(["messages": JinjaValue(messages)])
            }
        }
    }

    // MARK: Where text comes from

    private func pieces(_ source: String, _ content: String = "<x>") throws -> [ChatPrompt.Piece] {
        let conversation = ChatConversation([ChatMessage(role: "user", content: content)])
        return try JinjaTemplate("{% set c = messages[0].content %}" + source)
            .render(conversation, tokens: ["bos_token": "<s>"]).pieces
    }

    @Test func contentStaysContent() throws {
        let template = { ChatPrompt.Piece($0, isTemplate: true) }
        let content = { ChatPrompt.Piece($0, isTemplate: false) }
        #expect(try pieces("{{ bos_token + c + '<x>' }}") == [template("<s>"), content("<x>"), template("<x>")])
        for expression in [
            "c | trim", "c.strip()", "c[0:]", "c[::-1][::-1]", "c.replace('y', 'z')", "c ~ ''", "c.split('y')[0]",
            "c | list | join", "[c] | join", "c | safe", "c | string", "c if true", "(c,)[0]", "c | upper | lower",
            "c or ''", "{'a': c}.a", "[c] | map('trim') | first", "{'a': c}.values() | first", "c | reverse | reverse",
        ] {
            #expect(try pieces("{{ \(expression) }}") == [content("<x>")], "\(expression)")
        }
        #expect(try pieces("{% set b %}<s>{{ c }}{% endset %}{{ b }}") == [template("<s>"), content("<x>")])
        #expect(
            try pieces("{% macro f(a) %}[{{ a }}]{% endmacro %}{{ f(c) }}") == [
                template("["), content("<x>"), template("]"),
            ])
        #expect(try pieces("{{ c | tojson }}") == [template("\""), content("<x>"), template("\"")])
        #expect(try pieces("{{ {c: 1} | tojson }}") == [template("{\""), content("<x>"), template("\": 1}")])
        #expect(try pieces("{{ '<T>'.replace('T', c) }}", "x") == [template("<"), content("x"), template(">")])
        // A text that is printed in the way of Python counts as content as a whole.
        #expect(try pieces("{{ [c] }}") == [template("["), content("'<x>'"), template("]")])
    }

    /// What people write never becomes a control token in checkpoints' templates either.
    @Test func contentNeverGivesControlTokens() throws {
        guard let tokenizer = try Fixtures.tokenizer("tokenizer_deepseek/tokenizer.json") else { return }
        let encoder = TokenEncoder(tokenizer)
        let added = Set(tokenizer.addedTokens.map(\.id))
        let source = try #require(
            try JSON(parsing: String(JinjaCases.lines.prefix { $0 != "\n" }))["template"]?.stringValue)
        let template = try JinjaTemplate(source)
        func controls(_ text: String) throws -> [Int32] {
            let prompt = try template.render(
                ChatFamilyTests.conversation(everywhere: text),
                tokens: ["bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"])
            let ids = encoder.encode(prompt)
            #expect(tokenizer.decode(ids).utf8.elementsEqual(prompt.text.utf8))
            return ids.filter { added.contains($0) }
        }
        let expected = try controls("whale")
        #expect(expected.count > 8)
        for token in tokenizer.addedTokens where token.id % 8 == 0 || !token.content.contains("place") {
            if token.content == "</think>" { continue }
            #expect(try controls(token.content) == expected, "\(token.content)")
        }
    }
}
