import MinkeFiles

/// The pieces that JSON texts are made of, as rules that are made once and called from everywhere.
///
/// White space is bounded, so that a model cannot go on with it for ever: between tokens one blank, or a line break and
/// an indentation; none in front of `:` and `,`.
struct JSONGrammar {
    typealias State = Grammar.State
    typealias Rule = Grammar.Rule

    var grammar = Grammar()
    private var shared: [String: Rule] = [:]
    private var sets: [ScalarSet: Rule] = [:]

    static let maximumIndentation = 40
    /// Digits of an unbounded number in front of its point, and behind it.
    static let maximumDigits = (integer: 18, fraction: 20)

    /// The rule called `name`, made by `build` when it is first asked for. It may call itself.
    private mutating func shared(_ name: String, _ build: (inout JSONGrammar, State) throws -> State) throws -> Rule {
        if let rule = shared[name] { return rule }
        let rule = try grammar.newRule()
        shared[name] = rule
        let end = try build(&self, grammar.start(of: rule))
        grammar.join(end, to: grammar.end(of: rule))
        return rule
    }

    // MARK: White space

    /// Space that may stand between the tokens of a text.
    mutating func space(from start: State) throws -> State {
        let rule = try shared("space") { json, start in
            let end = try json.grammar.state()
            json.grammar.join(start, to: end)
            json.grammar.bytes(0x20...0x20, from: start, to: end)
            let line = try json.grammar.literal("\n", from: start)
            let indented = try json.grammar.repetition(from: line, minimum: 0, maximum: Self.maximumIndentation) {
                grammar, start in
                let next = try grammar.state()
                grammar.bytes(0x20...0x20, from: start, to: next)
                grammar.bytes(0x09...0x09, from: start, to: next)
                return next
            }
            json.grammar.join(indented, to: end)
            return end
        }
        return try grammar.call(rule, from: start)
    }

    /// Space in front of a whole text: up to two blanks or line breaks.
    mutating func leadingSpace(from start: State) throws -> State {
        try grammar.repetition(from: start, minimum: 0, maximum: 2) { grammar, start in
            let next = try grammar.state()
            grammar.bytes(0x20...0x20, from: start, to: next)
            grammar.bytes(0x0A...0x0A, from: start, to: next)
            return next
        }
    }

    // MARK: Characters

    /// One character of a string: as it stands in UTF-8, or escaped.
    mutating func character() throws -> Rule {
        try shared("character") { json, start in
            let end = try json.grammar.state()
            try json.addCharacter(from: start, to: end)
            return end
        }
    }

    private mutating func addCharacter(from start: State, to end: State) throws {
        try addRawScalars(ScalarSet([0...0x10FFFF]), from: start, to: end)
        let escape = try grammar.literal("\\", from: start)
        for byte in "\"\\/bfnrt".utf8 { grammar.bytes(byte...byte, from: escape, to: end) }
        let unicode = try grammar.literal("u", from: escape)
        func hexadecimal(_ digits: ClosedRange<Int>, _ start: State, _ end: State) {
            for digit in digits {
                for byte in Set(String(digit, radix: 16).utf8).union(String(digit, radix: 16).uppercased().utf8) {
                    grammar.bytes(byte...byte, from: start, to: end)
                }
            }
        }
        // The last two digits, then the last three; surrogates come in pairs.
        let (last, two, three) = (try grammar.state(), try grammar.state(), try grammar.state())
        hexadecimal(0...15, last, end)
        hexadecimal(0...15, two, last)
        hexadecimal(0...15, three, two)
        hexadecimal(0...12, unicode, three)
        hexadecimal(14...15, unicode, three)
        let (surrogate, high, highEnd, pair) =
            (try grammar.state(), try grammar.state(), try grammar.state(), try grammar.state())
        hexadecimal(13...13, unicode, surrogate)
        hexadecimal(0...7, surrogate, two)
        hexadecimal(8...11, surrogate, high)
        hexadecimal(0...15, high, highEnd)
        hexadecimal(0...15, highEnd, pair)
        let second = try grammar.literal("\\u", from: pair)
        let low = try grammar.state()
        hexadecimal(13...13, second, low)
        hexadecimal(12...15, low, two)
    }

    /// One character of a set, escaped only where it must be.
    mutating func scalar(of set: ScalarSet) throws -> Rule {
        if let rule = sets[set] { return rule }
        let rule = try grammar.newRule()
        sets[set] = rule
        try addScalar(of: set, from: grammar.start(of: rule), to: grammar.end(of: rule))
        return rule
    }

    private mutating func addScalar(of set: ScalarSet, from start: State, to end: State) throws {
        try addRawScalars(set, from: start, to: end)
        for range in set.ranges {
            for value in range.clamped(to: 0...0x5C)
            where range.contains(value) && (value < 0x20 || value == 0x22 || value == 0x5C) {
                guard let scalar = Unicode.Scalar(value) else { continue }
                let text = JSON.string(String(Character(scalar))).text()
                grammar.join(try grammar.literal(text.utf8.dropFirst().dropLast(), from: start), to: end)
            }
        }
    }

    /// The scalars of a set that a string may hold as they are.
    private mutating func addRawScalars(_ set: ScalarSet, from start: State, to end: State) throws {
        let raw = ScalarSet([0x20...0x21, 0x23...0x5B, 0x5D...0xD7FF, 0xE000...0x10FFFF])
        for range in set.intersection(raw).ranges {
            try grammar.addUTF8(range.lowerBound, range.upperBound, from: start, to: end)
        }
    }

    // MARK: Strings

    /// Any string.
    mutating func string() throws -> Rule {
        try shared("string") { json, start in
            let body = try json.grammar.literal("\"", from: start)
            try json.addCharacter(from: body, to: body)
            return try json.grammar.literal("\"", from: body)
        }
    }

    /// A string of so many characters.
    mutating func string(from start: State, minimum: Int, maximum: Int?) throws -> State {
        let character = try character()
        let body = try grammar.literal("\"", from: start)
        let end = try grammar.repetition(from: body, minimum: minimum, maximum: maximum) {
            try $0.call(character, from: $1)
        }
        return try grammar.literal("\"", from: end)
    }

    /// A string that is none of `keys`. Where one of them could still come, characters may not be escaped.
    mutating func string(from start: State, except keys: [String]) throws -> State {
        let end = try grammar.state()
        let rest = try grammar.state()
        try addCharacter(from: rest, to: rest)
        grammar.bytes(0x22...0x22, from: rest, to: end)
        func add(_ keys: [ArraySlice<Unicode.Scalar>], _ state: State) throws {
            if !keys.contains(where: \.isEmpty) { grammar.bytes(0x22...0x22, from: state, to: end) }
            let branches = Dictionary(grouping: keys.filter { !$0.isEmpty }) { $0[$0.startIndex] }
            for (first, keys) in branches.sorted(by: { $0.key < $1.key }) {
                let next = try grammar.state()
                try addScalar(of: ScalarSet(first), from: state, to: next)
                // One key left is a line, which needs no recursion.
                if keys.count > 1 || keys[0].count == 1 {
                    try add(keys.map { $0.dropFirst() }, next)
                } else {
                    try addLine(keys[0].dropFirst(), next)
                }
            }
            let others = ScalarSet(branches.keys.map { $0.value...$0.value }).complement
            try addRawScalars(others, from: state, to: rest)
        }
        func addLine(_ key: ArraySlice<Unicode.Scalar>, _ start: State) throws {
            var state = start
            for scalar in key {
                grammar.bytes(0x22...0x22, from: state, to: end)
                try addRawScalars(ScalarSet(scalar).complement, from: state, to: rest)
                let next = try grammar.state()
                try addScalar(of: ScalarSet(scalar), from: state, to: next)
                state = next
            }
            try addRawScalars(ScalarSet([0...0x10FFFF]), from: state, to: rest)
        }
        let body = try grammar.literal("\"", from: start)
        try add(keys.map { Array($0.unicodeScalars)[...] }, body)
        return end
    }

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
