import MinkeFiles

/// Expressions, by falling precedence: postfix, power, sign, product, sum, `~`, comparison, `not`, `and`, `or`, `if`.
extension JinjaParser {
    /// Makes a node above `children`.
    private func make(_ kind: JinjaExpression.Kind, _ children: [JinjaExpression], line: Int) throws -> JinjaExpression
    {
        let height = (children.map(\.height).max() ?? 0) + 1
        if height > Self.maximumDepth { throw failure("an expression nested deeper than \(Self.maximumDepth) levels") }
        return JinjaExpression(kind, line: line, height: height)
    }

    /// An expression, or several with commas between them as a list.
    mutating func expressionOrTuple() throws -> JinjaExpression { try tupleOrExpression(allowsConditional: true) }

    mutating func tupleOrExpression(allowsConditional: Bool) throws -> JinjaExpression {
        let line = line
        func element(_ parser: inout JinjaParser) throws -> JinjaExpression {
            try allowsConditional ? parser.expression() : parser.nested { try $0.disjunction() }
        }
        let first = try element(&self)
        guard token == .symbol(",") else { return first }
        var elements = [first]
        while skip(symbol: ",") {
            if [.printEnd, .blockEnd, .symbol(")")].contains(token) { break }
            elements.append(try element(&self))
        }
        return try make(.list(elements), elements, line: line)
    }

    mutating func expression() throws -> JinjaExpression {
        try nested { parser in
            let line = parser.line
            var value = try parser.disjunction()
            while parser.skip(word: "if") {
                let condition = try parser.disjunction()
                let otherwise = parser.skip(word: "else") ? try parser.expression() : nil
                value = try parser.make(
                    .conditional(value, condition: condition, otherwise: otherwise),
                    [value, condition] + (otherwise.map { [$0] } ?? []), line: line)
            }
            return value
        }
    }

    /// Operands with operators of one precedence between them.
    private mutating func chain(
        _ operators: [JinjaToken.Kind: String], _ operand: (inout JinjaParser) throws -> JinjaExpression
    ) throws -> JinjaExpression {
        var left = try operand(&self)
        while let operation = operators[token] {
            let line = line
            advance()
            let right = try operand(&self)
            left = try make(.binary(operation, left, right), [left, right], line: line)
        }
        return left
    }

    mutating func disjunction() throws -> JinjaExpression {
        try chain([.name("or"): "or"]) { try $0.chain([.name("and"): "and"]) { try $0.negation() } }
    }

    private mutating func negation() throws -> JinjaExpression {
        let line = line
        guard token == .name("not") else { return try comparison() }
        advance()
        let operand = try nested { try $0.negation() }
        return try make(.not(operand), [operand], line: line)
    }

    private mutating func comparison() throws -> JinjaExpression {
        let line = line
        let first = try concatenation()
        var others: [(operation: String, right: JinjaExpression)] = []
        while true {
            var operation: String
            switch token {
            case .symbol(let symbol) where ["==", "!=", "<", "<=", ">", ">="].contains(symbol): operation = symbol
            case .name("in"): operation = "in"
            case .name("not") where nextToken == .name("in"):
                advance()
                operation = "not in"
            default:
                if others.isEmpty { return first }
                return try make(.comparison(first, others), [first] + others.map(\.right), line: line)
            }
            advance()
            others.append((operation, try concatenation()))
        }
    }

    private mutating func concatenation() throws -> JinjaExpression {
        try chain([.symbol("+"): "+", .symbol("-"): "-"]) {
            try $0.chain([.symbol("~"): "~"]) {
                try $0.chain([.symbol("*"): "*", .symbol("/"): "/", .symbol("//"): "//", .symbol("%"): "%"]) {
                    try $0.sign()
                }
            }
        }
    }

    private mutating func sign() throws -> JinjaExpression {
        let line = line
        for symbol in ["-", "+"] where skip(symbol: symbol) {
            let operand = try nested { try $0.sign() }
            return try make(.sign(operand, isNegative: symbol == "-"), [operand], line: line)
        }
        let base = try postfix()
        guard skip(symbol: "**") else { return base }
        let exponent = try nested { try $0.sign() }
        return try make(.binary("**", base, exponent), [base, exponent], line: line)
    }

    // MARK: Postfix

    private mutating func postfix() throws -> JinjaExpression {
        var value = try primary()
        while true {
            let line = line
            if skip(symbol: ".") {
                if case .integer(let index) = token {
                    advance()
                    let key = try make(.constant(.integer(index)), [], line: line)
                    value = try make(.item(value, key), [value, key], line: line)
                } else {
                    value = try make(.attribute(value, try attributeName()), [value], line: line)
                }
            } else if skip(symbol: "[") {
                value = try nested { try $0.subscripted(value, line: line) }
            } else if token == .symbol("(") {
                let arguments = try optionalArguments()
                value = try make(.call(value, arguments), [value] + arguments.expressions, line: line)
            } else if skip(symbol: "|") {
                let name = try name()
                let arguments = try optionalArguments()
                value = try make(.filter(value, name, arguments), [value] + arguments.expressions, line: line)
            } else if skip(word: "is") {
                value = try test(value, line: line)
            } else {
                return value
            }
        }
    }

    private mutating func attributeName() throws -> String {
        let name = try name()
        if name.hasPrefix("__") || name.hasSuffix("__") {
            throw failure("the attribute '\(name)' is not allowed in chat templates")
        }
        return name
    }

    private mutating func subscripted(_ value: JinjaExpression, line: Int) throws -> JinjaExpression {
        var parts: [JinjaExpression?] = []
        var isSlice = false
        while true {
            parts.append(token == .symbol(":") || token == .symbol("]") ? nil : try expression())
            if parts.count < 3, skip(symbol: ":") {
                isSlice = true
            } else {
                break
            }
        }
        try expect(symbol: "]")
        let children = [value] + parts.compactMap { $0 }
        if isSlice {
            let step = parts.count > 2 ? parts[2] : nil
            return try make(.slice(value, start: parts[0], stop: parts[1], step: step), children, line: line)
        }
        guard let index = parts[0] else { throw failure("an empty subscript") }
        return try make(.item(value, index), children, line: line)
    }

    private mutating func test(_ value: JinjaExpression, line: Int) throws -> JinjaExpression {
        let isNegated = skip(word: "not")
        let name = try name()
        var arguments = JinjaArguments()
        if token == .symbol("(") {
            arguments = try optionalArguments()
        } else {
            let isOperand =
                switch token {
                case .string, .integer, .number, .symbol("["), .symbol("{"): true
                case .name(let word): !["else", "or", "and", "if", "is", "in", "not", "recursive"].contains(word)
                default: false
                }
            if isOperand { arguments.positional = [try nested { try $0.postfix() }] }
        }
        return try make(
            .test(value, name, arguments, isNegated: isNegated), [value] + arguments.expressions, line: line)
    }

    mutating func optionalArguments() throws -> JinjaArguments {
        var arguments = JinjaArguments()
        guard skip(symbol: "(") else { return arguments }
        while !skip(symbol: ")") {
            if !arguments.expressions.isEmpty {
                try expect(symbol: ",")
                if skip(symbol: ")") { break }
            }
            if case .name(let name) = token, nextToken == .symbol("=") {
                advance()
                advance()
                arguments.named.append((name, try expression()))
            } else {
                guard arguments.named.isEmpty else { throw failure("a positional argument behind a named one") }
                arguments.positional.append(try expression())
            }
        }
        return arguments
    }

    // MARK: Primary

    private mutating func primary() throws -> JinjaExpression {
        let line = line
        let value: JinjaValue
        switch token {
        case .string(let first):
            var text = first
            advance()
            while case .string(let next) = token {
                text += next
                advance()
            }
            return try make(.constant(.text(template: text)), [], line: line)
        case .integer(let number): value = .integer(number)
        case .number(let number): value = .number(number)
        case .name("true"), .name("True"): value = .bool(true)
        case .name("false"), .name("False"): value = .bool(false)
        case .name("none"), .name("None"): value = .none
        case .name(let name):
            if name.hasPrefix("__") { throw failure("the name '\(name)' is not allowed in chat templates") }
            advance()
            return try make(.name(name), [], line: line)
        case .symbol("("):
            advance()
            if skip(symbol: ")") { return try make(.list([]), [], line: line) }
            let inner = try expressionOrTuple()
            try expect(symbol: ")")
            return inner
        case .symbol("["):
            advance()
            return try list(line: line)
        case .symbol("{"):
            advance()
            return try object(line: line)
        default: throw unexpected(wanted: "a value")
        }
        advance()
        return try make(.constant(value), [], line: line)
    }

    private mutating func list(line: Int) throws -> JinjaExpression {
        var elements: [JinjaExpression] = []
        while !skip(symbol: "]") {
            if !elements.isEmpty {
                try expect(symbol: ",")
                if skip(symbol: "]") { break }
            }
            elements.append(try expression())
        }
        return try make(.list(elements), elements, line: line)
    }

    private mutating func object(line: Int) throws -> JinjaExpression {
        var pairs: [(key: JinjaExpression, value: JinjaExpression)] = []
        while !skip(symbol: "}") {
            if !pairs.isEmpty {
                try expect(symbol: ",")
                if skip(symbol: "}") { break }
            }
            let key = try expression()
            try expect(symbol: ":")
            pairs.append((key, try expression()))
        }
        return try make(.object(pairs), pairs.flatMap { [$0.key, $0.value] }, line: line)
    }
}
