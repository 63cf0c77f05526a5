import MinkeFiles

/// Answers that are JSON: any object, or what a JSON schema allows.
///
/// The schema may use `type` (one or a list), `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`,
/// `prefixItems`, `minItems`, `maxItems`, `minLength`, `maxLength`, `pattern`, `format`, `minimum`, `maximum`, their
/// exclusive forms, `multipleOf`, `anyOf`, `oneOf` whose alternatives exclude each other, `allOf`, and `$ref` into the
/// document, recursive too. Other keywords are refused.
public struct JSONConstraint: TokenConstraint {
    private var text: ConstrainedText

    /// Any JSON object.
    public init(anyObject trie: TokenTrie, endTokens: Set<Int32>) throws {
        var json = JSONGrammar()
        let object = try json.object()
        try self.init(json, value: object, trie, endTokens)
    }

    /// Values that satisfy a schema.
    ///
    /// - Parameters:
    ///   - name: what errors call the schema.
    ///   - endTokens: tokens that end an answer, allowed when the value is whole.
    /// - Throws: ``InputError`` that names the path of the keyword which is malformed or not supported.
    public init(schema: JSON, name: String = "schema", trie: TokenTrie, endTokens: Set<Int32>) throws {
        var json = JSONGrammar()
        let value = try SchemaCompiler.rule(of: JSONSchema(schema, name: name), in: &json)
        do {
            try self.init(json, value: value, trie, endTokens)
        } catch let error as InputError {
            throw error.located(at: name)
        }
    }

    private init(_ json: JSONGrammar, value: Grammar.Rule, _ trie: TokenTrie, _ endTokens: Set<Int32>) throws {
        var json = json
        let root = try json.rule { try $0.grammar.call(value, from: try $0.leadingSpace(from: $1)) }
        text = ConstrainedText(try ConstraintAutomaton(json.grammar, root: root, trie: trie), endTokens: endTokens)
    }

    public mutating func mask(_ logits: inout [Float]) { text.mask(&logits) }
    public mutating func advance(_ token: Int32) { text.advance(token) }
    public var isComplete: Bool { text.isComplete }
    public var mustStop: Bool { text.mustStop }
    /// Whether a token came that was not allowed.
    public var hasFailed: Bool { text.hasFailed }
}
