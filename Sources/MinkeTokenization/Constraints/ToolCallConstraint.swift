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

/// The grammar of tool calls in one syntax.
struct ToolCallGrammar {
    typealias State = Grammar.State
    typealias Rule = Grammar.Rule

    private let syntax: AnswerSyntax
    private let symbols: AnswerSymbols
    private let controls: [Int32]
    var json = JSONGrammar()

    init(_ syntax: AnswerSyntax, _ tokenizer: Tokenizer) throws {
        guard syntax.calls != .none else {
            throw InputError(
                "the model is not known to call tools", at: "tool_choice", remedy: "use auto or none")
        }
        self.syntax = syntax
        symbols = AnswerSymbols(syntax, tokenizer: tokenizer)
        controls = symbols.controlIDs
    }

    /// The rule of an answer that is one or more calls.
    mutating func root(_ tools: [JSON], name: String?, maximumCalls: Int) throws -> Rule {
        var calls: [Rule] = []
        for (index, tool) in tools.enumerated() {
            let function = tool["function"] ?? tool
            let place = "tools[\(index)].function"
            guard let own = function["name"]?.stringValue, !own.isEmpty else {
                throw InputError("a function without a name", at: "\(place).name")
            }
            if name == nil || name == own {
                calls.append(try call(own, function["parameters"] ?? ["type": "object"], "\(place).parameters"))
            }
        }
        guard !calls.isEmpty else {
            throw InputError(
                name.map { "no tool is called \($0.prefix(80))" } ?? "there are no tools", at: "tool_choice")
        }
        return try json.rule { json, start in
            var grammar = self
            grammar.json = json
            defer { json = grammar.json }
            return try grammar.list(of: calls, maximumCalls, from: start)
        }
    }

    // MARK: Lists of calls

    private mutating func list(of calls: [Rule], _ maximumCalls: Int, from start: State) throws -> State {
        let (open, between, close) = frame
        let end = try json.grammar.state()
        var state = try add(open, from: start)
        for index in 0..<maximumCalls {
            if index > 0 { state = try add(between, from: state) }
            if syntax.calls == .numbered {
                state = try numberedCall(index, calls, from: state)
            } else {
                state = try json.grammar.alternatives(calls.count, from: state) { try $0.call(calls[$1], from: $2) }
            }
            json.grammar.join(try add(close, from: state), to: end)
        }
        return end
    }

    /// What stands in front of the calls, between two, and behind them.
    private var frame: (open: String, between: String, close: String) {
        if let marks = syntax.callMarks {
            return (marks.open, syntax.calls == .fenced ? "\n" : "", marks.close)
        }
        if case .markup(let block) = syntax.calls {
            return ("\n\n<\(DSML.bar)\(block)>\n", "\n", "\n</\(DSML.bar)\(block)>")
        }
        return ("", "\n", "")
    }

    // MARK: Calls

    private mutating func call(_ name: String, _ parameters: JSON, _ place: String) throws -> Rule {
        let schema = try JSONSchema(parameters, name: place)
        switch syntax.calls {
        case .markup, .tagged: return try markup(name, schema)
        default:
            let arguments = try SchemaCompiler.rule(of: schema, in: &json)
            return try rule { grammar, start in
                guard let marks = grammar.syntax.callMarks else { return start }
                let (before, behind) =
                    switch grammar.syntax.calls {
                    case .fenced:
                        (marks.begin + "function" + marks.separator + name + "\n```json\n", "\n```" + marks.end)
                    case .numbered: (marks.begin + "functions." + name + ":", marks.end)
                    default: (marks.begin + name + marks.separator, marks.end)
                    }
                var state = try grammar.add(before, from: start)
                if grammar.syntax.calls == .numbered {
                    let digit = try grammar.json.grammar.state()
                    grammar.json.grammar.bytes(0x30...0x39, from: state, to: digit)
                    state = try grammar.add(marks.separator, from: digit)
                }
                state = try grammar.json.grammar.call(arguments, from: state)
                return try grammar.add(behind, from: state)
            }
        }
    }
}
