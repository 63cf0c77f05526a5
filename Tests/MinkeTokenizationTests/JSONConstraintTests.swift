import MinkeFiles
import Testing

@testable import MinkeTokenization

@Suite struct JSONConstraintTests {
    static let schemas = [
        #"{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name"], "additionalProperties": false}"#,
        #"{"type": "object", "properties": {"a": {"type": "null"}, "ab": {"type": "boolean"}}, "additionalProperties": {"type": "integer"}}"#,
        #"{"type": "object", "properties": {"größe": {"type": "number"}, "q\"": true}, "required": ["more"], "additionalProperties": true}"#,
        #"{"type": "array", "items": {"type": "integer", "minimum": -5, "maximum": 120}, "minItems": 2, "maxItems": 4}"#,
        #"{"type": "array", "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 1.25}, "minItems": 3}"#,
        #"{"type": "array", "items": {"type": "number", "minimum": -12.5, "exclusiveMaximum": -0.001}, "maxItems": 5}"#,
        #"{"type": "array", "items": {"type": "integer", "multipleOf": 7, "minimum": 10, "maximum": 10000}, "minItems": 3}"#,
        #"{"type": "array", "prefixItems": [{"type": "boolean"}, {"enum": ["x", "y", 3, null]}], "items": false}"#,
        #"{"type": "array", "prefixItems": [{"type": "boolean"}], "items": {"const": [1, {"k": "v"}]}, "minItems": 1, "maxItems": 3}"#,
        #"{"type": "array", "items": {"type": "string", "minLength": 2, "maxLength": 5}, "maxItems": 3}"#,
        #"{"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 3}"#,
        #"{"type": "string", "pattern": "^[a-c]{2,4}(-\\d+)?$"}"#,
        #"{"type": "string", "pattern": "^(\\w+@\\w+\\.(com|org)|none)$"}"#,
        #"{"type": "string", "pattern": "^x[^\"\\\\y]z"}"#,
        #"{"type": "string", "pattern": "^[ä-ü€\\n\\t\"]+$"}"#,
        #"{"type": ["string", "null", "boolean"]}"#,
        #"{"enum": ["red", "green", "größer", {"a": [1, 2]}, 1.5, null]}"#,
        ##"{"anyOf": [{"type": "integer"}, {"type": "object", "properties": {"n": {"$ref": "#"}}, "required": ["n"]}]}"##,
        #"{"oneOf": [{"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "required": ["kind", "x"]}, {"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"]}]}"#,
        #"{"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"a": {"minimum": 3}, "b": {"type": "string"}}, "required": ["b"]}]}"#,
        ##"{"$defs": {"node": {"type": "object", "properties": {"value": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["value", "next"], "additionalProperties": false}}, "$ref": "#/$defs/node"}"##,
        ##"{"$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t", "description": "lists"}"##,
        #"{"type": "object"}"#, #"{"type": "array"}"#, "true", #"{"type": "number"}"#, #"{"type": "integer"}"#,
        #"{"type": "string", "format": "date-time"}"#, #"{"type": "string", "format": "ipv6"}"#,
        #"{"type": "string", "format": "email"}"#, #"{"type": "string", "format": "duration"}"#,
        #"{"type": "string", "pattern": "[a-y]|z$"}"#,
    ]

    /// Whatever is drawn from what the masks leave is a valid document.
    @Test func randomWalksAreValid() throws {
        let tokenizer = try smallTokenizer()
        let trie = TokenTrie(tokenizer)
        let end = try #require(tokenizer.eosToken)
        var generator = SeededGenerator(state: 5)
        for (index, text) in Self.schemas.enumerated() {
            let schema = try JSON(parsing: text)
            let constraint = try JSONConstraint(schema: schema, trie: trie, endTokens: [end])
            for _ in 0..<12 {
                let bytes = walk(constraint, tokenizer, end, &generator)
                let document = String(validating: bytes, as: UTF8.self)
                #expect(
                    document != nil, "schema \(index) gives broken UTF-8: \(String(decoding: bytes, as: UTF8.self))")
                do {
                    let value = try JSON(parsing: bytes)
                    #expect(SchemaValidator(root: schema).accepts(value), "schema \(index): \(document ?? "")")
                } catch let error as InputError where error.problem.contains("duplicate key") {
                    // No context-free grammar can forbid an undeclared key that comes twice.
                    #expect(text.contains("additional") || !text.contains("properties"), "\(document ?? "")")
                } catch {
                    Issue.record("schema \(index): \(error) in \(document ?? "")")
                }
            }
        }
    }

    /// Draws tokens until the text ends, and brings it to an end when it gets long.
    private func walk(
        _ constraint: JSONConstraint, _ tokenizer: Tokenizer, _ end: Int32, _ generator: inout SeededGenerator
    ) -> [UInt8] {
        var constraint = constraint
        var ids: [Int32] = []
        let closing = ["\"", "}", "]"].compactMap { tokenizer.id(of: $0) }
        for step in 0..<3_000 {
            var logits = [Float](repeating: 0, count: tokenizer.vocabularySize + 3)
            constraint.mask(&logits)
            let allowed = logits.indices.filter { logits[$0] == 0 }.map { Int32($0) }
            #expect(allowed.contains(end) == constraint.isComplete)
            #expect(constraint.mustStop == allowed.allSatisfy { $0 == end })
            var choice = allowed.randomElement(using: &generator)
            if step > 50, step % 3 > 0 {
                choice = allowed.contains(end) ? end : closing.first { allowed.contains($0) } ?? choice
            }
            guard let choice else {
                Issue.record("nothing may follow \(tokenizer.decode(ids))")
                break
            }
            if choice == end { return tokenizer.decodeBytes(ids) }
            #expect(!tokenizer.addedTokens.contains { $0.id == choice })
            ids.append(choice)
            constraint.advance(choice)
        }
        Issue.record("no end of \(tokenizer.decode(ids))")
        return tokenizer.decodeBytes(ids)
    }

    static let documents: [(schema: Int, valid: [String], invalid: [String])] = [
        (
            0, [#"{"name": "Ada", "age": 36}"#, #"{"name":"é\u00e9\ud83d\ude00\n鯨"}"#, "{\n  \"name\": \"x\"\n}"],
            [
                "{}", #"{"age": 3}"#, #"{"name": 3}"#, #"{"name": "a", "x": 1}"#, #"{"name": "\ud83d"}"#,
                #"{"name": "a"} "#,
            ]
        ),
        (
            1, ["{}", #"{"a": null}"#, #"{"ab": true, "abc": 3, "b": -1}"#, #"{"aa": 1}"#],
            [#"{"a": 1}"#, #"{"ab": 2}"#]
        ),
        (
            2, [#"{"größe": 1e3, "more": {}}"#, #"{"more": [1], "x": {"y": []}}"#],
            ["{}", #"{"größe": "1", "more": 1}"#]
        ),
        (3, ["[1, 2]", "[-5,120,0]", "[\n  99,\n  100\n]"], ["[1]", "[1,2,3,4,5]", "[121, 2]", "[-6, 1]", "[01, 2]"]),
        (4, ["[0.1, 1, 1.25]", "[1.2, 0.00001, 1.2499]"], ["[0, 1, 1]", "[1.26, 1, 1]", "[-1, 1, 1]", "[2, 1, 1]"]),
        (5, ["[-12.5, -1, -0.0011]", "[]"], ["[-0.001]", "[-12.51]", "[-13]", "[0]", "[1]", "[-120]"]),
        (6, ["[14, 21, 9996]"], ["[7, 14, 14]", "[15, 14, 14]", "[10003, 14, 14]"]),
        (7, ["[]", "[true]", #"[false, "y"]"#, "[true, null]"], ["[1]", "[true, 4]", "[true, 3, 3]"]),
        (9, [#"["ab", "größe", "鯨鯨"]"#, #"["\n\u00e9"]"#], [#"["a"]"#, #"["abcdef"]"#]),
        (11, [#""ab""#, #""abc-123""#], [#""a""#, #""ab-""#, #""abcda""#, "\"ab-١\""]),
        (13, [#""xaz""#, #""xézx""#], [#""xyz""#, #""xz""#, #""x\"z""#, #""0xaz""#]),
        (31, [#""0a0""#, #""0z""#, #""y""#], [#""z0""#, #""""#, #""0""#]),
        (17, ["1", #"{"n": {"n": 3}}"#], ["{}", "null", #"{"n": null}"#]),
        (18, [#"{"kind": "a", "x": 1}"#, #"{"kind": "b"}"#], [#"{"kind": "a"}"#, #"{"kind": "c"}"#]),
        (19, [#"{"a": 3, "b": ""}"#], [#"{"a": 2, "b": ""}"#, #"{"a": 3}"#]),
        (20, [#"{"value": 1, "next": {"value": 2, "next": null}}"#], [#"{"value": 1}"#, #"{"value": 1, "next": 3}"#]),
        (25, ["-0.5e-7", "12", "1E+05", "0"], ["01", "1.", ".5", "+1", "1e", "--1", "NaN"]),
        (
            27, [#""2024-02-29T23:59:59.5Z""#, #""1999-12-31T00:00:00+01:00""#],
            [#""2023-02-29T00:00:00Z""#, #""2024-13-01T00:00:00Z""#]
        ),
    ]

    /// Documents are taken token by token as the tokenizer cuts them, in a vocabulary of 512 and in one of 129 280.
    @Test(arguments: ["bpe_small/tokenizer.json", "tokenizer_deepseek/tokenizer.json", ""])
    func documentsAreTakenAsTheyAreEncoded(fixture: String) throws {
        guard let tokenizer = fixture.isEmpty ? try smallTokenizer() : try Fixtures.tokenizer(fixture) else { return }
        let trie = TokenTrie(tokenizer)
        let end = try #require(tokenizer.eosToken)
        for (index, valid, invalid) in Self.documents {
            let schema = try JSON(parsing: Self.schemas[index])
            let constraint = try JSONConstraint(schema: schema, trie: trie, endTokens: [end])
            for text in valid {
                #expect(SchemaValidator(root: schema).accepts(try JSON(parsing: text)))
                #expect(takes(tokenizer.encode(text), constraint), "schema \(index) refuses \(text)")
            }
            for text in invalid {
                #expect(!takes(tokenizer.encode(text), constraint), "schema \(index) takes \(text)")
            }
        }
    }

    private func takes(_ ids: [Int32], _ constraint: JSONConstraint) -> Bool {
        var constraint = constraint
        for id in ids {
            if constraint.mustStop { return false }
            constraint.advance(id)
        }
        // A token that is not allowed leaves nothing to go on from, as does the end: the last step tells them apart.
        return constraint.isComplete && !constraint.hasFailed
    }

    /// What masks forbid and what steps refuse is the same.
    @Test func masksAndStepsAgree() throws {
        let tokenizer = try smallTokenizer()
        let trie = TokenTrie(tokenizer)
        let end = try #require(tokenizer.eosToken)
        var constraint = try JSONConstraint(anyObject: trie, endTokens: [end])
        for id in tokenizer.encode(#"{"the whale": [1, "swam"#) {
            var logits = [Float](repeating: 1, count: tokenizer.vocabularySize)
            constraint.mask(&logits)
            for other in 0..<Int32(tokenizer.vocabularySize) where other != end {
                var copy = constraint
                copy.advance(other)
                #expect((logits[Int(other)] == 1) == !copy.hasFailed, "token \(other)")
            }
            constraint.advance(id)
        }
    }

    @Test(arguments: [
        (#"{"type": "object", "properties": {"a": {"not": {}}}}"#, "schema.properties.a.not"),
        (#"{"type": "object", "patternProperties": {}}"#, "schema.patternProperties"),
        (#"{"type": "array", "uniqueItems": true}"#, "schema.uniqueItems"),
        (#"{"type": "string", "pattern": "(?=a)b"}"#, "schema.pattern"),
        (#"{"type": "string", "pattern": "(a"}"#, "schema.pattern"),
        (#"{"type": "string", "pattern": "((a{1000}){1000}){1000}"}"#, "schema.pattern"),
        (#"{"type": "string", "pattern": "^a(\\1)$"}"#, "schema.pattern"),
        (#"{"type": "whale"}"#, "schema.type"),
        (#"{"type": 3}"#, "schema.type"),
        (#"{"enum": []}"#, "schema.enum"),
        (#"{"type": "string", "maxLength": -1}"#, "schema.maxLength"),
        (#"{"type": "string", "maxLength": 999999999999}"#, "schema.maxLength"),
        (#"{"type": "array", "minItems": 150000, "items": {"type": "array", "minItems": 150000}}"#, "states"),
        (##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}"##, "no text"),
        (##"{"anyOf": [{"$ref": "#"}, {"type": "null"}]}"##, "itself"),
        (##"{"allOf": [{"$ref": "#"}]}"##, "without end"),
        (##"{"$ref": "http://example.com/schema.json"}"##, "schema.$ref"),
        (##"{"$ref": "#/$defs/missing"}"##, "schema.$ref"),
        (##"{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}"##, "no text"),
        (#"{"type": "integer", "minimum": 5, "maximum": 4}"#, "no text"),
        (#"{"oneOf": [{"type": "integer"}, {"type": "number"}]}"#, "schema.oneOf"),
        ("3", "schema"), ("false", "schema"),
    ])
    func whatCannotBeEnforcedIsRefused(text: String, mention: String) throws {
        let trie = TokenTrie(try smallTokenizer())
        let error = #expect(throws: InputError.self) {
            try JSONConstraint(schema: JSON(parsing: text), trie: trie, endTokens: [])
        }
        let message = error?.description ?? ""
        #expect(message.contains(mention) && !message.contains("\n"), "\(message)")
    }

    @Test func deepSchemasAreRefused() throws {
        var schema: JSON = ["type": "null"]
        for _ in 0..<60 { schema = ["type": "array", "items": schema] }
        let trie = TokenTrie(try smallTokenizer())
        #expect(throws: InputError.self) { try JSONConstraint(schema: schema, trie: trie, endTokens: []) }
    }

    /// However deep a model nests, the text can still be ended.
    @Test func nestingIsBounded() throws {
        let tokenizer = try smallTokenizer()
        let open = try #require(tokenizer.id(of: "["))
        var constraint = try JSONConstraint(schema: ["type": "array"], trie: TokenTrie(tokenizer), endTokens: [])
        var depth = 0
        while depth < 1_000 {
            var logits = [Float](repeating: 0, count: tokenizer.vocabularySize)
            constraint.mask(&logits)
            if logits[Int(open)] < 0 { break }
            constraint.advance(open)
            depth += 1
        }
        #expect(depth > 30 && depth < 128)
        for _ in 0..<depth {
            let close = try #require(tokenizer.id(of: "]"))
            constraint.advance(close)
        }
        #expect(constraint.isComplete && !constraint.hasFailed && constraint.mustStop)
    }
}
