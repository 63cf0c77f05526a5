import MinkeFiles

extension SchemaCompiler {
    // MARK: Objects

    mutating func object(_ node: Node) throws -> Rule {
        for key in ["minProperties", "maxProperties"] where node.json[key] != nil {
            throw node.failure("the keyword is not supported", key, remedy: "name the properties that are required")
        }
        let stored = node.json["properties"] ?? [:]
        guard let properties = stored.objectValue else { throw node.failure("is not an object", "properties") }
        let names = node.json["required"] ?? []
        guard let required = names.arrayValue?.map(\.stringValue), !required.contains(nil) else {
            throw node.failure("is not a list of keys", "required")
        }
        let additional = node.json["additionalProperties"] ?? .bool(properties.count == 0 && required.isEmpty)
        let rest = Node(json: additional, path: "\(node.path).additionalProperties")
        var members: [(rule: Rule, isRequired: Bool)] = []
        for (name, value) in properties {
            let isRequired = required.contains { $0.map { $0.utf8.elementsEqual(name.utf8) } ?? false }
            // A property that can have no value can still be left out.
            if value == false, !isRequired { continue }
            let value = try rule(Node(json: value, path: "\(node.path).properties.\(name)"))
            members.append((try member(name, value), isRequired))
        }
        // Keys that are required without being declared take what additional ones may be.
        for case let name? in required where properties[name] == nil {
            if node.json["additionalProperties"] == false {
                throw node.failure("\(name) is required and forbidden", "required")
            }
            let value = node.json["additionalProperties"] == nil ? try json.value() : try rule(rest)
            members.append((try member(name, value), true))
        }
        var other: Rule?
        if additional != false {
            if members.isEmpty, additional == true { return try json.object() }
            let value = try rule(rest)
            let names = properties.keys + required.compactMap { $0 }
            let key = names.isEmpty ? try json.string() : try json.rule { try $0.string(from: $1, except: names) }
            other = try json.member(key: key, value: value)
        }
        return try json.rule { try $0.object(from: $1, members, other: other) }
    }

    private mutating func member(_ name: String, _ value: Rule) throws -> Rule {
        let key = try json.grammar.newRule { try $0.literal(JSON.string(name).text(), from: $1) }
        return try json.member(key: key, value: value)
    }

    // MARK: Arrays

    mutating func array(_ node: Node) throws -> Rule {
        if let unique = node.json["uniqueItems"], unique != false {
            throw node.failure("the keyword is not supported", "uniqueItems")
        }
        let prefix = node.json["prefixItems"] ?? []
        guard let first = prefix.arrayValue else { throw node.failure("is not a list", "prefixItems") }
        let rules = try first.enumerated().map {
            try rule(Node(json: $1, path: "\(node.path).prefixItems[\($0)]"))
        }
        let (minimum, maximum) = (try count("minItems", node) ?? 0, try count("maxItems", node))
        let items = node.json["items"] ?? true
        let isOpen = items != false && maximum != 0
        let rest = isOpen ? try rule(Node(json: items, path: "\(node.path).items")) : nil
        guard minimum <= min(maximum ?? .max, rest == nil ? rules.count : .max) else {
            throw node.failure("is more than there may be", "minItems")
        }
        return try json.rule {
            try $0.list(from: $1, "[", "]", minimum: minimum, maximum: maximum, rules, rest: rest)
        }
    }

    // MARK: Strings

    mutating func string(_ node: Node) throws -> Rule {
        let (minimum, maximum) = (try count("minLength", node), try count("maxLength", node))
        if minimum ?? 0 > maximum ?? .max { throw node.failure("is more than maxLength", "minLength") }
        for key in ["pattern", "format"] {
            if let value = node.json[key], value.stringValue == nil { throw node.failure("is not text", key) }
        }
        var pattern = node.json["pattern"]?.stringValue
        var key = "pattern"
        if let format = node.json["format"]?.stringValue.flatMap(JSONGrammar.pattern(ofFormat:)) {
            if pattern != nil { throw node.failure("is not supported beside a format", "pattern") }
            pattern = format
            key = "format"
        }
        guard let pattern else {
            if minimum ?? 0 == 0, maximum == nil { return try json.string() }
            return try json.rule { try $0.string(from: $1, minimum: minimum ?? 0, maximum: maximum) }
        }
        if maximum != nil || minimum ?? 0 > (key == "format" ? 1 : 0) {
            let limit = maximum != nil ? "maxLength" : "minLength"
            throw node.failure("is not supported beside a \(key)", limit, remedy: "bound the pattern's repetitions")
        }
        do {
            return try json.rule { try $0.string(from: $1, matching: pattern) }
        } catch let error as InputError {
            throw error.located(at: "\(node.path).\(key)")
        }
    }

    // MARK: Numbers

    mutating func number(_ node: Node, isInteger: Bool) throws -> Rule {
        var isInteger = isInteger
        var divisor = 1
        if let multiple = node.json["multipleOf"] {
            guard let value = multiple.intValue, (1...100).contains(value) else {
                throw node.failure("is supported for whole numbers from 1 to 100 only", "multipleOf")
            }
            divisor = value
            isInteger = true
        }
        let minimum = try bound("minimum", node)
        let maximum = try bound("maximum", node)
        // With both, the tighter one decides; each alone is exact, so both machines would have to run side by side.
        for (keys, bounds) in [("minimum", minimum), ("maximum", maximum)] where bounds.count > 1 {
            throw node.failure("is said together with its exclusive form, which is not supported", keys)
        }
        if minimum.isEmpty, maximum.isEmpty, divisor == 1 { return try json.number(isInteger: isInteger) }
        let range = DecimalRange(
            minimum: minimum.first, maximum: maximum.first, isInteger: isInteger, divisor: divisor)
        return try json.grammar.newRule { grammar, start in
            try grammar.machine(
                from: start, range.initial, over: DecimalRange.alphabet, next: { range.next($0, $1) },
                isEnd: { range.isEnd($0) })
        }
    }

    /// The bounds on one side: the inclusive and the exclusive one.
    private func bound(_ key: String, _ node: Node) throws -> [DecimalRange.Bound] {
        let exclusiveKey = key == "minimum" ? "exclusiveMinimum" : "exclusiveMaximum"
        var bounds: [DecimalRange.Bound] = []
        for (key, isExclusive) in [(key, false), (exclusiveKey, true)] {
            guard let value = node.json[key] else { continue }
            guard let bound = DecimalRange.Bound(value, isExclusive: isExclusive) else {
                throw node.failure("is not a number of at most forty digits", key)
            }
            bounds.append(bound)
        }
        return bounds
    }
}

extension JSONGrammar {
    /// An object with `members` in order, of which those that are not required may be missing, then any number of `other`.
    mutating func object(from start: State, _ members: [(rule: Rule, isRequired: Bool)], other: Rule?) throws -> State {
        let end = try grammar.state()
        // Before a member: nothing was written yet, or something was.
        var empty = try space(from: try grammar.literal("{", from: start))
        var written = try grammar.state()
        for (rule, isRequired) in members {
            let (nextEmpty, nextWritten) = (try grammar.state(), try grammar.state())
            grammar.join(try grammar.call(rule, from: empty), to: nextWritten)
            let comma = try space(from: try grammar.literal(",", from: written))
            grammar.join(try grammar.call(rule, from: comma), to: nextWritten)
            if !isRequired {
                grammar.join(empty, to: nextEmpty)
                grammar.join(written, to: nextWritten)
            }
            (empty, written) = (nextEmpty, nextWritten)
        }
        if let other {
            grammar.join(try grammar.call(other, from: empty), to: written)
            let comma = try space(from: try grammar.literal(",", from: written))
            grammar.join(try grammar.call(other, from: comma), to: written)
        }
        grammar.join(try grammar.literal("}", from: empty), to: end)
        grammar.join(try grammar.literal("}", from: try space(from: written)), to: end)
        return end
    }
}
