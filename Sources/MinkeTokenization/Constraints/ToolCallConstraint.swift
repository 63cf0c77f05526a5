import MinkeFiles

/// Answers that are tool calls in the model's own syntax, with arguments as the functions' schemas say.
///
/// For `tool_choice`: `required` allows every function that is offered, a named function allows that one.
public struct ToolCallConstraint: TokenConstraint {
    private var text: ConstrainedText

    /// - Parameters:
    ///   - syntax: how the model calls tools.
    ///   - tools: the functions that may be called, each `{"type": "function", "function": {"name", "parameters"}}`.
    ///   - name: the function that must be called; nil for any of them.
    ///   - maximumCalls: how many calls there may be; there is one at least.
    /// - Throws: ``InputError`` for a syntax without calls, an unknown function, or a schema that is refused as
    ///   ``JSONConstraint/init(schema:name:trie:endTokens:)`` does.
    public init(
        _ syntax: AnswerSyntax, tools: [JSON], name: String? = nil, maximumCalls: Int = 8, trie: TokenTrie,
        endTokens: Set<Int32>
    ) throws {
        var grammar = try ToolCallGrammar(syntax, trie.tokenizer)
        let root = try grammar.root(tools, name: name, maximumCalls: max(1, maximumCalls))
        text = ConstrainedText(
            try ConstraintAutomaton(grammar.json.grammar, root: root, trie: trie), endTokens: endTokens)
    }

    public mutating func mask(_ logits: inout [Float]) { text.mask(&logits) }
    public mutating func advance(_ token: Int32) { text.advance(token) }
    public var isComplete: Bool { text.isComplete }
    public var mustStop: Bool { text.mustStop }
    /// Whether a token came that was not allowed.
    public var hasFailed: Bool { text.hasFailed }
}
