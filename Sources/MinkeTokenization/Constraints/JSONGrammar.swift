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
    mutating func shared(_ name: String, _ build: (inout JSONGrammar, State) throws -> State) throws -> Rule {
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
}
