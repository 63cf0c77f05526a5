import MinkeFiles

/// The grammar of tool calls in one syntax.
struct ToolCallGrammar {
    typealias State = Grammar.State
    typealias Rule = Grammar.Rule

    /// A call, up to the place where some syntaxes number it, and from there on.
    private struct Call {
        let head: Rule
        let tail: Rule
    }

    private let syntax: AnswerSyntax
    private let symbols: AnswerSymbols
    private(set) var json = JSONGrammar()

    init(_ syntax: AnswerSyntax, _ tokenizer: Tokenizer) throws {
        guard syntax.calls != .none else {
            throw InputError("the model is not known to call tools", at: "tool_choice", remedy: "use auto or none")
        }
        self.syntax = syntax
        symbols = AnswerSymbols(syntax, tokenizer: tokenizer)
    }

    /// The rule of an answer that is one or more calls.
    mutating func root(_ tools: [JSON], name: String?, maximumCalls: Int) throws -> Rule {
        var calls: [Call] = []
        for (index, tool) in tools.enumerated() {
            let function = tool["function"] ?? tool
            let place = "tools[\(index)].function"
            guard let own = function["name"]?.stringValue, !own.isEmpty else {
                throw InputError("a function without a name", at: "\(place).name")
            }
            if name == nil || name == own {
                // A function that declares no parameters has none.
                let parameters = function["parameters"] ?? ["type": "object", "additionalProperties": false]
                calls.append(try call(own, JSONSchema(parameters, name: "\(place).parameters")))
            }
        }
        guard !calls.isEmpty else {
            let problem = name.map { "no tool is called \($0.prefix(80))" } ?? "there are no tools"
            throw InputError(problem, at: "tool_choice")
        }
        return try rule { try $0.list(of: calls, maximumCalls, from: $1) }
    }

    /// A rule whose body `build` adds.
    private mutating func rule(_ build: (inout ToolCallGrammar, State) throws -> State) throws -> Rule {
        let rule = try json.grammar.newRule()
        let end = try build(&self, json.grammar.start(of: rule))
        json.grammar.join(end, to: json.grammar.end(of: rule))
        return rule
    }

    /// Text of the format, in which control tokens count.
    private mutating func add(_ text: String, from start: State) throws -> State {
        var state = start
        for symbol in symbols.pattern(text) {
            state =
                if let token = symbols.control(symbol) {
                    try json.grammar.control(token, from: state)
                } else {
                    try json.grammar.literal(CollectionOfOne(UInt8(truncatingIfNeeded: symbol)), from: state)
                }
        }
        return state
    }

    // MARK: Lists of calls

    private mutating func list(of calls: [Call], _ maximumCalls: Int, from start: State) throws -> State {
        let (open, between, close) = frame
        let end = try json.grammar.state()
        var state = try add(open, from: start)
        for index in 0..<maximumCalls {
            if index > 0 { state = try add(between, from: state) }
            let number = syntax.calls == .numbered ? "\(index)" : ""
            state = try json.grammar.alternatives(calls.count, from: state) { grammar, place, start in
                let head = try grammar.call(calls[place].head, from: start)
                return try grammar.call(calls[place].tail, from: try grammar.literal(number, from: head))
            }
            json.grammar.join(try add(close, from: state), to: end)
        }
        return end
    }

    /// What stands in front of the calls, between two, and behind them.
    private var frame: (open: String, between: String, close: String) {
        if let marks = syntax.callMarks { return (marks.open, syntax.calls == .fenced ? "\n" : "", marks.close) }
        guard case .markup(let block) = syntax.calls else { return ("", "\n", "") }
        return ("\n\n<\(DSML.bar)\(block)>\n", "\n", "\n</\(DSML.bar)\(block)>")
    }

    // MARK: Calls

    private mutating func call(_ name: String, _ schema: JSONSchema) throws -> Call {
        guard let marks = syntax.callMarks else { return try markupCall(name, schema) }
        let arguments = try SchemaCompiler.rule(of: schema, in: &json)
        let (head, beforeArguments, end) =
            switch syntax.calls {
            case .fenced: ("function" + marks.separator + name + "\n```json\n", "", "\n```" + marks.end)
            case .numbered: ("functions." + name + ":", marks.separator, marks.end)
            default: (name + marks.separator, "", marks.end)
            }
        return Call(
            head: try rule { try $0.add(marks.begin + head, from: $1) },
            tail: try rule { grammar, start in
                let arguments = try grammar.json.grammar.call(
                    arguments, from: try grammar.add(beforeArguments, from: start))
                return try grammar.add(end, from: arguments)
            })
    }

    /// A call with one element an argument, in the order of the schema.
    private mutating func markupCall(_ name: String, _ schema: JSONSchema) throws -> Call {
        let isTagged = syntax.calls == .tagged
        let bar = DSML.bar
        let object = try schema.flattened(schema.root)
        let properties = object.json["properties"]?.objectValue ?? [:]
        let required = object.json["required"]?.arrayValue?.compactMap(\.stringValue) ?? []
        for key in JSONSchema.keywords(object.json)
        where !["type", "properties", "required", "additionalProperties"].contains(key) {
            throw object.failure("is not supported for the arguments of this model's calls", key)
        }
        if let missing = required.first(where: { properties[$0] == nil }) {
            throw object.failure("\(missing.prefix(80)) is required but not declared", "required")
        }
        let parameters = try properties.map { key, value in
            let node = JSONSchema.Node(json: value, path: "\(object.path).properties.\(key)")
            let rule = try parameter(key, node, schema)
            return (rule: rule, isRequired: required.contains(key))
        }
        let head = isTagged ? "<tool_call>\(name)" : "<\(bar)invoke name=\"\(name)\">\n"
        return Call(
            head: try rule { try $0.add(head, from: $1) },
            tail: try rule { grammar, start in
                var state = start
                for parameter in parameters {
                    let next = try grammar.json.grammar.call(parameter.rule, from: state)
                    if !parameter.isRequired { grammar.json.grammar.join(state, to: next) }
                    state = next
                }
                return try grammar.add(isTagged ? "</tool_call>" : "</\(bar)invoke>", from: state)
            })
    }

    private mutating func parameter(_ key: String, _ node: JSONSchema.Node, _ schema: JSONSchema) throws -> Rule {
        let isTagged = syntax.calls == .tagged
        let bar = DSML.bar
        let flat = try schema.flattened(node)
        let isString = flat.json["type"] == "string"
        let texts = flat.json["enum"]?.arrayValue?.compactMap(\.stringValue)
        let isPlain = JSONSchema.keywords(flat.json).allSatisfy { $0 == "type" || ($0 == "enum" && texts != nil) }
        if isTagged, isString, !isPlain {
            throw flat.failure("texts with further keywords are not supported in this model's calls")
        }
        // A text that must follow further rules is written as JSON, which the format allows for any value.
        let isText = isString && isPlain
        let value = isText ? nil : try SchemaCompiler.rule(of: schema, at: node, in: &json)
        let end = isTagged ? "</arg_value>" : "</\(bar)parameter>\n"
        guard !isText || texts != nil || symbols.pattern(end).contains(where: { $0 >= 256 }) else {
            throw node.failure("the vocabulary has no token that could end a text", remedy: "use tool_choice auto")
        }
        return try rule { grammar, start in
            var state = try grammar.add(
                isTagged
                    ? "<arg_key>\(key)</arg_key><arg_value>"
                    : "<\(bar)parameter name=\"\(key)\" string=\"\(isText)\">", from: start)
            if let value {
                state = try grammar.json.grammar.call(value, from: state)
            } else if let texts {
                state = try grammar.json.grammar.alternatives(texts.count, from: state) {
                    try $0.literal(texts[$1], from: $2)
                }
            } else {
                let loop = try grammar.json.grammar.state()
                grammar.json.grammar.join(state, to: loop)
                try grammar.json.grammar.addUTF8(0, 0xD7FF, from: loop, to: loop)
                try grammar.json.grammar.addUTF8(0xE000, 0x10FFFF, from: loop, to: loop)
                state = loop
            }
            return try grammar.add(end, from: state)
        }
    }
}
