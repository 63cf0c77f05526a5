import MinkeFiles

/// Numbers, lists and whole values.
extension JSONGrammar {
    // MARK: Numbers

    /// Any number, of bounded length and magnitude.
    mutating func number(isInteger: Bool) throws -> Rule {
        try shared(isInteger ? "integer" : "number") { json, start in
            let digits = Self.maximumDigits
            let unsigned = try json.grammar.state()
            json.grammar.join(start, to: unsigned)
            json.grammar.bytes(0x2D...0x2D, from: start, to: unsigned)
            let whole = try json.grammar.state()
            json.grammar.bytes(0x30...0x30, from: unsigned, to: whole)
            let first = try json.grammar.state()
            json.grammar.bytes(0x31...0x39, from: unsigned, to: first)
            json.grammar.join(try json.digits(from: first, 0, digits.integer - 1), to: whole)
            if isInteger { return whole }
            let mantissa = try json.grammar.state()
            json.grammar.join(whole, to: mantissa)
            let point = try json.grammar.literal(".", from: whole)
            json.grammar.join(try json.digits(from: point, 1, digits.fraction), to: mantissa)
            let end = try json.grammar.state()
            json.grammar.join(mantissa, to: end)
            let exponent = try json.grammar.state()
            for byte in "eE".utf8 { json.grammar.bytes(byte...byte, from: mantissa, to: exponent) }
            let power = try json.grammar.state()
            json.grammar.join(exponent, to: power)
            for byte in "+-".utf8 { json.grammar.bytes(byte...byte, from: exponent, to: power) }
            json.grammar.join(try json.digits(from: power, 1, 2), to: end)
            // Beyond two digits no further than a 64-bit floating-point number reaches.
            json.grammar.join(try json.digits(from: try json.grammar.literal("1", from: power), 2, 2), to: end)
            return end
        }
    }

    private mutating func digits(from start: State, _ minimum: Int, _ maximum: Int) throws -> State {
        try grammar.repetition(from: start, minimum: minimum, maximum: maximum) { grammar, start in
            let next = try grammar.state()
            grammar.bytes(0x30...0x39, from: start, to: next)
            return next
        }
    }

    // MARK: Values

    /// Any value.
    mutating func value() throws -> Rule {
        try shared("value") { json, start in
            let rules = [
                try json.string(), try json.number(isInteger: false), try json.object(), try json.array(),
            ]
            return try json.grammar.alternatives(rules.count + 3, from: start) { grammar, index, start in
                index < rules.count
                    ? try grammar.call(rules[index], from: start)
                    : try grammar.literal(["true", "false", "null"][index - rules.count], from: start)
            }
        }
    }

    /// Any object.
    mutating func object() throws -> Rule {
        try shared("object") { json, start in
            let member = try json.member(key: try json.string(), value: try json.value())
            return try json.list(from: start, "{", "}", minimum: 0, maximum: nil, [], rest: member)
        }
    }

    /// Any array.
    mutating func array() throws -> Rule {
        try shared("array") { json, start in
            try json.list(from: start, "[", "]", minimum: 0, maximum: nil, [], rest: try json.value())
        }
    }

    /// A key, a colon and a value.
    mutating func member(key: Rule, value: Rule) throws -> Rule {
        let rule = try grammar.newRule()
        let colon = try grammar.literal(":", from: try grammar.call(key, from: grammar.start(of: rule)))
        let end = try grammar.call(value, from: try space(from: colon))
        grammar.join(end, to: grammar.end(of: rule))
        return rule
    }

    /// Elements between brackets: those of `first` in order, of which the tail may be missing, then any number of `rest`.
    mutating func list(
        from start: State, _ open: String, _ close: String, minimum: Int, maximum: Int?, _ first: [Rule], rest: Rule?
    ) throws -> State {
        let end = try grammar.state()
        var state = try space(from: try grammar.literal(open, from: start))
        if minimum <= 0 { grammar.join(try grammar.literal(close, from: state), to: end) }
        let bounded = max(minimum, first.count, maximum ?? 0)
        let limit = min(maximum ?? .max, rest == nil ? first.count : .max)
        guard limit > 0 else { return end }
        let closing = try grammar.state()
        grammar.join(try grammar.literal(close, from: try space(from: closing)), to: end)
        for index in 0..<min(limit, bounded) {
            guard let element = index < first.count ? first[index] : rest else { break }
            if index > 0 { state = try space(from: try grammar.literal(",", from: state)) }
            state = try grammar.call(element, from: state)
            if index + 1 >= minimum { grammar.join(state, to: closing) }
        }
        if maximum == nil, let rest {
            let last = try grammar.state()
            if bounded == 0 {
                grammar.join(try grammar.call(rest, from: state), to: last)
            } else {
                grammar.join(state, to: last)
            }
            let comma = try space(from: try grammar.literal(",", from: last))
            grammar.join(try grammar.call(rest, from: comma), to: last)
            grammar.join(last, to: closing)
        }
        return end
    }

    /// Exactly this value, with white space where it may be.
    mutating func literal(_ value: JSON, from start: State) throws -> State {
        switch value {
        case .array(let elements):
            let rules = try elements.map { element in try rule { try $0.literal(element, from: $1) } }
            return try list(from: start, "[", "]", minimum: rules.count, maximum: rules.count, rules, rest: nil)
        case .object(let object):
            let rules = try object.map { key, value in
                let key = try grammar.newRule { try $0.literal(JSON.string(key).text(), from: $1) }
                return try member(key: key, value: try rule { try $0.literal(value, from: $1) })
            }
            return try list(from: start, "{", "}", minimum: rules.count, maximum: rules.count, rules, rest: nil)
        default: return try grammar.literal(value.text(), from: start)
        }
    }

    /// A rule whose body `build` adds.
    mutating func rule(_ build: (inout JSONGrammar, State) throws -> State) throws -> Rule {
        let rule = try grammar.newRule()
        let end = try build(&self, grammar.start(of: rule))
        grammar.join(end, to: grammar.end(of: rule))
        return rule
    }
}
