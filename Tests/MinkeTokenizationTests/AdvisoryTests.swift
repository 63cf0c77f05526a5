import MinkeFiles
import MinkeTokenization
import Testing

/// The classes of published advisories that concern tokenizers and chat templates.
@Suite struct AdvisoryTests {
    static let user = ChatConversation([ChatMessage(role: "user", content: "hi")])

    /// CVE-2024-34359, CVE-2026-5760: a template reaches for the program that runs it.
    @Test(arguments: [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ messages.__class__.__init__.__globals__ }}",
        "{{ self.__init__.__globals__['os'].popen('id').read() }}", "{{ cycler.__init__.__globals__.os }}",
        "{{ lipsum.__globals__['os'] }}", "{{ config.items() }}", "{{ ''|attr('__class__')|attr('__mro__') }}",
        "{% import 'os' as os %}{{ os.system('id') }}", "{% from 'x' import y %}", "{% include '/etc/passwd' %}",
        "{% extends '/etc/passwd' %}", "{{ range.__self__ }}{{ range.__self__.open('x') }}",
        "{{ open('/etc/passwd') }}",
        "{{ namespace.__init__.__globals__ }}", "{{ strftime_now('%Y') }}",
        "{{ messages | map(attribute='__class__.__name__.x') | list | first | upper }}{{ x.y.z }}",
    ])
    func templatesReachNothing(source: String) {
        let text = try? JinjaTemplate(source).render(Self.user).text
        // What is undefined writes nothing; all else is refused.
        #expect(text == nil || text == "")
    }

    /// Loops, recursion and texts that grow without end.
    @Test(arguments: [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(999999999999) %}{% endfor %}", "{{ range(9223372036854775807) | list | length }}",
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(64) %}{% set ns.s = ns.s.replace('a', ns.s) %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(64) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(64) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
        "{{ 'a' * 9999999999 }}", "{{ [0] * 9999999999 }}", "{{ ('a\\n' * 400000) | indent('x' * 4000000) }}",
        "{{ ('ab' * 2000000).split('a') }}", "{{ ('ab' * 2000000) | replace('a', '') }}",
        "{{ ('a ' * 2000000).split() }}",
        "{{ ('\\n' * 2000000).splitlines() }}", "{{ 9 ** 9 ** 9 ** 9 }}",
        "{{ -9223372036854775807 - 2 }}", "{{ (-9223372036854775807 - 1) // -1 }}",
        "{{ (-9223372036854775807 - 1) % -1 }}{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1 / 0 }}",
        "{{ " + String(repeating: "(", count: 100_000), String(repeating: "{% if a %}", count: 20_000),
        "{{ " + String(repeating: "-", count: 100_000) + "1 }}",
        "{{ " + String(repeating: "not ", count: 50_000) + "1 }}",
        "{{ x" + String(repeating: "[0]", count: 50_000) + " }}",
    ])
    func templatesEnd(source: String) {
        #expect(throws: InputError.self) { try JinjaTemplate(source).render(Self.user) }
    }

    /// A tokenizer over bytes with changes to its file.
    func tokenizer(_ change: (inout JSON.Object, inout JSON.Object) -> Void) throws -> Tokenizer {
        var root = try #require(Tokenizer.bytes.json.objectValue)
        var model = try #require(root["model"]?.objectValue)
        change(&model, &root)
        root["model"] = .object(model)
        return try Tokenizer(parsing: .object(root))
    }

    /// CVE-2025-49847, CVE-2025-52566 and the index `<0x-1>`: ids and lengths that become places in memory.
    @Test(arguments: [-1, Int.min, 1 << 31, 1 << 40, Int.max]) func idsAreBounded(id: Int) {
        #expect(throws: InputError.self) {
            try tokenizer { model, _ in
                var vocabulary = model["vocab"]?.objectValue ?? [:]
                vocabulary["ab"] = .integer(id)
                model["vocab"] = .object(vocabulary)
            }
        }
        #expect(throws: InputError.self) {
            try tokenizer { _, root in root["added_tokens"] = [["id": .integer(id), "content": "<x>", "special": true]]
            }
        }
    }

    /// A large id must not size a table.
    @Test func sparseIDsTakeNoMemory() {
        #expect(throws: InputError.self) {
            try tokenizer { _, root in root["added_tokens"] = [["id": 2_000_000_000, "content": "<x>"]] }
        }
    }

    @Test(arguments: ["<0x-1>", "<0xZZ>", "<0x>", "<0x100>", "<0xFFFFFFFFFFFFFFFFF>"])
    func bytesSpelledAsTokens(spelling: String) throws {
        let tokenizer = try tokenizer { model, _ in
            var vocabulary = model["vocab"]?.objectValue ?? [:]
            vocabulary[spelling] = 259
            model["vocab"] = .object(vocabulary)
        }
        #expect(tokenizer.decode([259]) == spelling)
        #expect(tokenizer.decode(tokenizer.encode(spelling)) == spelling)
    }

    /// CVE-2025-48887: expressions on which a backtracking matcher takes for ever.
    @Test(arguments: ["(a+)+$", "(a|a)*b", "(.*)*x", "(a*)*(a*)*(a*)*b", "a{1000}{1000}", "((((a{99}){99}){99}){99})"])
    func expressionsAreBounded(expression: String) {
        let result = Result {
            try tokenizer { _, root in
                root["pre_tokenizer"] = [
                    "type": "Sequence",
                    "pretokenizers": [
                        ["type": "Split", "pattern": ["Regex": .string(expression)], "behavior": "Isolated"],
                        ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
                    ],
                ]
            }
        }
        let text = String(repeating: "a", count: 2_000) + "!"
        switch result {
        case .success(let tokenizer): #expect(tokenizer.decode(tokenizer.encode(text)) == text)
        case .failure(let error): #expect(error is InputError)
        }
    }

    /// Nesting that would exhaust the stack.
    @Test(arguments: ["[", "{\"a\":"]) func deepTexts(opening: String) {
        #expect(throws: InputError.self) { try JSON(parsing: String(repeating: opening, count: 10_000)) }
        #expect(throws: InputError.self) {
            try Tokenizer(parsing: Array((#"{"model":"# + String(repeating: opening, count: 10_000)).utf8))
        }
    }
}
