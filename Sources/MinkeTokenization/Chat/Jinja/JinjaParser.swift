import MinkeFiles

/// Reads the statements of a template.
struct JinjaParser {
    /// How deep statements and parentheses may nest, and how high the tree of an expression may grow.
    static let maximumDepth = 64

    private let tokens: [JinjaToken]
    private(set) var position = 0
    var depth = 0
    private var loopDepth = 0

    init(_ text: String) throws { tokens = try JinjaLexer.tokens(of: text) }

    static func statements(of text: String) throws -> [JinjaStatement] {
        var parser = try JinjaParser(text)
        let (statements, ending) = try parser.body(until: [])
        guard ending == nil else { throw parser.failure("unexpected \(ending ?? "")") }
        return statements
    }

    // MARK: Tokens

    var token: JinjaToken.Kind { tokens[position].kind }
    var line: Int { tokens[position].line }
    var nextToken: JinjaToken.Kind { tokens[min(position + 1, tokens.count - 1)].kind }

    func failure(_ problem: String) -> InputError { InputError(problem, at: "template line \(line)") }

    /// The token as a reader knows it.
    private var description: String {
        switch token {
        case .data: "text"
        case .printBegin: "{{"
        case .printEnd: "}}"
        case .blockBegin: "{%"
        case .blockEnd: "%}"
        case .name(let name): name
        case .string(let text): "'\(text.prefix(40))'"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .symbol(let symbol): "'\(symbol)'"
        case .end: "end of the template"
        }
    }

    func unexpected(wanted: String) -> InputError { failure("expected \(wanted), found \(description)") }

    mutating func advance() { position = min(position + 1, tokens.count - 1) }

    mutating func skip(_ kind: JinjaToken.Kind) -> Bool {
        guard token == kind else { return false }
        advance()
        return true
    }

    mutating func skip(symbol: String) -> Bool { skip(.symbol(symbol)) }
    mutating func skip(word: String) -> Bool { skip(.name(word)) }

    mutating func expect(symbol: String) throws {
        guard skip(symbol: symbol) else { throw unexpected(wanted: "'\(symbol)'") }
    }

    private mutating func expect(word: String) throws {
        guard skip(word: word) else { throw unexpected(wanted: word) }
    }

    private mutating func endBlock() throws {
        guard skip(.blockEnd) else { throw unexpected(wanted: "%}") }
    }

    mutating func name() throws -> String {
        guard case .name(let name) = token else { throw unexpected(wanted: "a name") }
        advance()
        return name
    }

    mutating func nested<Result>(_ body: (inout JinjaParser) throws -> Result) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw failure("nested deeper than \(Self.maximumDepth) levels") }
        return try body(&self)
    }

    // MARK: Statements

    /// Statements up to a block named in `endings`, whose name is consumed and returned; nil at the end of the template.
    private mutating func body(until endings: [String]) throws -> ([JinjaStatement], ending: String?) {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw failure("nested deeper than \(Self.maximumDepth) levels") }
        var statements: [JinjaStatement] = []
        while true {
            switch token {
            case .data(let text):
                advance()
                statements.append(.data(MarkedText(text, isTemplate: true)))
            case .printBegin:
                advance()
                statements.append(.print(try expressionOrTuple()))
                guard skip(.printEnd) else { throw unexpected(wanted: "}}") }
            case .blockBegin:
                advance()
                let word = try name()
                if endings.contains(word) { return (statements, word) }
                statements.append(try statement(word))
            case .end where endings.isEmpty: return (statements, nil)
            default: throw unexpected(wanted: endings.first ?? "a tag")
            }
        }
    }

    /// The statements of a block that has but one end, which is consumed.
    private mutating func body(endedBy ending: String) throws -> [JinjaStatement] {
        try endBlock()
        let statements = try body(until: [ending]).0
        try endBlock()
        return statements
    }

    private mutating func statement(_ word: String) throws -> JinjaStatement {
        switch word {
        case "if": return try branches()
        case "for": return .loop(try loop())
        case "set": return try assignment()
        case "macro": return .macro(try macro())
        case "with": return try withBlock()
        case "filter":
            let filters = try filterCalls()
            return .filterBlock(filters, try body(endedBy: "endfilter"))
        case "generation": return .group(try body(endedBy: "endgeneration"))
        case "break", "continue":
            guard loopDepth > 0 else { throw failure("\(word) outside of a loop") }
            try endBlock()
            return word == "break" ? .breakLoop : .continueLoop
        case "do":
            let value = try expressionOrTuple()
            try endBlock()
            return .branches([(value, [])])
        case "import", "include", "extends", "from", "block", "autoescape", "trans", "call":
            throw failure("'\(word)' is not supported in chat templates")
        default: throw failure("unknown statement '\(word)'")
        }
    }

    private mutating func branches() throws -> JinjaStatement {
        var branches: [(condition: JinjaExpression?, body: [JinjaStatement])] = []
        var condition: JinjaExpression? = try expression()
        while true {
            try endBlock()
            let endings = condition == nil ? ["endif"] : ["elif", "else", "endif"]
            let (statements, ending) = try body(until: endings)
            branches.append((condition, statements))
            switch ending {
            case "elif": condition = try expression()
            case "else": condition = nil
            default:
                try endBlock()
                return .branches(branches)
            }
        }
    }

    private mutating func loop() throws -> JinjaLoop {
        let line = line
        let target = try target()
        try expect(word: "in")
        let sequence = try tupleOrExpression(allowsConditional: false)
        let condition = skip(word: "if") ? try expression() : nil
        if token == .name("recursive") { throw failure("recursive loops are not supported") }
        try endBlock()
        loopDepth += 1
        let (body, ending) = try body(until: ["else", "endfor"])
        loopDepth -= 1
        let otherwise = ending == "else" ? try self.body(endedBy: "endfor") : []
        if ending != "else" { try endBlock() }
        return JinjaLoop(
            target: target, sequence: sequence, condition: condition, body: body, otherwise: otherwise, line: line)
    }

    private mutating func target() throws -> JinjaTarget {
        var targets: [JinjaTarget] = []
        repeat {
            if !targets.isEmpty, token == .name("in") || token == .symbol("=") { break }
            if skip(symbol: "(") {
                targets.append(try nested { try $0.target() })
                try expect(symbol: ")")
                continue
            }
            let first = try name()
            targets.append(skip(symbol: ".") ? .attribute(first, try name()) : .name(first))
        } while skip(symbol: ",")
        return targets.count == 1 ? targets[0] : .tuple(targets)
    }

    private mutating func assignment() throws -> JinjaStatement {
        let line = line
        let target = try target()
        if skip(symbol: "=") {
            let value = try expressionOrTuple()
            try endBlock()
            return .set(target, value, line: line)
        }
        let filters = skip(symbol: "|") ? try filterCalls() : []
        return .setBlock(target, try body(endedBy: "endset"), filters: filters, line: line)
    }

    private mutating func filterCalls() throws -> [JinjaFilterCall] {
        var calls: [JinjaFilterCall] = []
        repeat {
            let line = line
            calls.append(JinjaFilterCall(name: try name(), arguments: try optionalArguments(), line: line))
        } while skip(symbol: "|")
        return calls
    }

    private mutating func macro() throws -> JinjaMacro {
        let name = try name()
        let parameters = try parameters()
        let outer = loopDepth
        loopDepth = 0
        defer { loopDepth = outer }
        return JinjaMacro(name: name, parameters: parameters, body: try body(endedBy: "endmacro"))
    }

    private mutating func parameters() throws -> [(name: String, defaultValue: JinjaExpression?)] {
        try expect(symbol: "(")
        var parameters: [(name: String, defaultValue: JinjaExpression?)] = []
        while !skip(symbol: ")") {
            if !parameters.isEmpty { try expect(symbol: ",") }
            let parameter = try name()
            parameters.append((parameter, skip(symbol: "=") ? try expression() : nil))
        }
        return parameters
    }

    private mutating func withBlock() throws -> JinjaStatement {
        let line = line
        var assignments: [(target: JinjaTarget, value: JinjaExpression)] = []
        while token != .blockEnd {
            if !assignments.isEmpty { try expect(symbol: ",") }
            let target = JinjaTarget.name(try name())
            try expect(symbol: "=")
            assignments.append((target, try expression()))
        }
        return .with(assignments, try body(endedBy: "endwith"), line: line)
    }
}
