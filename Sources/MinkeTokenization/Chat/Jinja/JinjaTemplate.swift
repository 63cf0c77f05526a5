import MinkeFiles

/// A checkpoint's own chat template, in the part of Jinja that such templates use.
///
/// Templates come with models from strangers: they reach nothing but the variables they are given, and steps, output
/// and nesting are bounded. Which text came from the messages is known to the end, through all that a template does with it.
public struct JinjaTemplate: Sendable {
    private let statements: [JinjaStatement]

    /// Reads a template of at most 1 MiB.
    ///
    /// - Throws: ``InputError`` that names the line, for wrong syntax and for what is not supported (`import`,
    ///   `include`, `extends`, `block`, `call`, names with two underscores).
    public init(_ text: String) throws { statements = try JinjaParser.statements(of: text) }

    /// The prompt of a conversation.
    ///
    /// - Parameter tokens: texts of control tokens by the names that templates have for them, as `bos_token`.
    /// - Throws: ``InputError`` for what the template refuses or does wrong.
    public func render(_ conversation: ChatConversation, tokens: [String: String] = [:]) throws -> ChatPrompt {
        var variables: [String: JinjaValue] = [:]
        for (name, value) in conversation.variables { variables[name] = JinjaValue(value) }
        for (name, text) in tokens { variables[name] = .text(template: text) }
        variables["messages"] = .list(conversation.messages.map { JinjaValue($0.json) })
        variables["tools"] =
            conversation.tools.isEmpty ? JinjaValue.none : .list(conversation.tools.map(JinjaValue.init))
        variables["documents"] = JinjaValue.none
        variables["add_generation_prompt"] = .bool(conversation.addsGenerationPrompt)
        return try render(variables).prompt
    }

    /// What the template writes with any variables.
    func render(_ variables: [String: JinjaValue]) throws -> MarkedText {
        var evaluator = JinjaEvaluator(variables)
        return try evaluator.text(of: statements)
    }
}
