import MinkeFiles

/// Turns a JSON schema into a grammar of the texts that satisfy it.
///
/// Properties come in the order of the schema. Where it declares properties and does not say whether others may follow,
/// none do: a text without them is valid either way.
struct SchemaCompiler {
    typealias Node = JSONSchema.Node
    typealias Rule = Grammar.Rule
    typealias State = Grammar.State

    let schema: JSONSchema
    var json: JSONGrammar
    private var references: [String: Rule] = [:]
    private var depth = 0

    /// How deep schemas may nest while they are compiled.
    private static let maximumDepth = 48

    /// Adds the rule of a schema, or of one inside it, to `json`.
    ///
    /// - Throws: ``InputError`` that names the path of what is malformed, contradictory or not supported.
    static func rule(of schema: JSONSchema, at node: Node? = nil, in json: inout JSONGrammar) throws -> Rule {
        var compiler = SchemaCompiler(schema: schema, json: json)
        let rule = try compiler.rule(node ?? schema.root)
        json = compiler.json
        return rule
    }

    private init(schema: JSONSchema, json: JSONGrammar) {
        self.schema = schema
        self.json = json
    }

    /// The rule of a schema anywhere in the document.
    mutating func rule(_ node: Node) throws -> Rule {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw node.failure("nests deeper than \(Self.maximumDepth) schemas") }
        if node.json["$ref"] != nil, JSONSchema.keywords(node.json).count == 1 {
            let target = try schema.target(of: node)
            if let rule = references[target.path] { return rule }
            let rule = try json.grammar.newRule()
            references[target.path] = rule
            let end = try json.grammar.call(try self.rule(target), from: json.grammar.start(of: rule))
            json.grammar.join(end, to: json.grammar.end(of: rule))
            return rule
        }
        if node.json == true { return try json.value() }
        if node.json == false { throw node.failure("forbids every value") }
        guard node.json.objectValue != nil else { throw node.failure("is not a schema") }
        let node = try schema.flattened(node)
        guard let object = node.json.objectValue else { return try rule(node) }
        if object["anyOf"] != nil || object["oneOf"] != nil { return try choice(node, object) }
        let keywords = JSONSchema.keywords(node.json)
        if keywords.isEmpty { return try json.value() }
        if object["enum"] != nil { return try enumeration(node, object) }
        return try alternatives(of: try kinds(node, object).map { try rule(of: $0, node) })
    }

    private mutating func alternatives(of rules: [Rule]) throws -> Rule {
        if rules.count == 1 { return rules[0] }
        return try json.grammar.newRule { grammar, start in
            try grammar.alternatives(rules.count, from: start) { try $0.call(rules[$1], from: $2) }
        }
    }

    // MARK: Choices

    private mutating func choice(_ node: Node, _ object: JSON.Object) throws -> Rule {
        let key = object["anyOf"] != nil ? "anyOf" : "oneOf"
        guard let schemas = object[key]?.arrayValue, !schemas.isEmpty else {
            throw node.failure("is not a list of schemas", key)
        }
        let branches = schemas.enumerated().map { Node(json: $1, path: "\(node.path).\(key)[\($0)]") }
        if key == "oneOf" {
            for (index, branch) in branches.enumerated() {
                for other in branches[..<index] where try !schema.areDisjoint(other, branch) {
                    throw node.failure(
                        "alternatives that one value could satisfy together", key,
                        remedy: "use anyOf, or tell them apart")
                }
            }
        }
        var base = object
        base[key] = nil
        let rest = Node(json: .object(base), path: node.path)
        if JSONSchema.keywords(rest.json).isEmpty { return try alternatives(of: try branches.map { try rule($0) }) }
        return try alternatives(
            of: try branches.map { try rule(try schema.merge(rest, try schema.flattened($0))) })
    }

    private mutating func enumeration(_ node: Node, _ object: JSON.Object) throws -> Rule {
        for key in JSONSchema.keywords(node.json) where key != "enum" && key != "type" {
            throw node.failure("is not supported beside enum or const", key)
        }
        guard var values = object["enum"]?.arrayValue else { throw node.failure("is not a list", "enum") }
        if object["type"] != nil {
            let kinds = try kinds(node, object)
            values.removeAll { value in !kinds.contains { $0.includes(value) } }
        }
        if values.isEmpty { throw node.failure("no value is left", "enum") }
        return try json.rule { json, start in
            let end = try json.grammar.state()
            for value in values { json.grammar.join(try json.literal(value, from: start), to: end) }
            return end
        }
    }

    // MARK: Types

    enum Kind: String, CaseIterable {
        case object, array, string, number, integer, boolean, null

        /// The keywords of the type.
        var keywords: Set<String> {
            switch self {
            case .object: ["properties", "required", "additionalProperties", "minProperties", "maxProperties"]
            case .array: ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"]
            case .string: ["minLength", "maxLength", "pattern", "format"]
            case .number, .integer:
                ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"]
            case .boolean, .null: []
            }
        }

        func includes(_ value: JSON) -> Bool {
            switch (self, value) {
            case (.object, .object), (.array, .array), (.string, .string), (.boolean, .bool), (.null, .null),
                (.number, .integer), (.number, .number), (.integer, .integer):
                true
            case (.integer, .number): value.intValue != nil
            default: false
            }
        }
    }

    /// The types that a schema allows, after a look at all its keywords.
    private func kinds(_ node: Node, _ object: JSON.Object) throws -> [Kind] {
        let known = Kind.allCases.reduce(into: Set(["type", "enum", "nullable"])) { $0.formUnion($1.keywords) }
        let keywords = JSONSchema.keywords(node.json)
        if let key = keywords.first(where: { !known.contains($0) }) {
            throw node.failure("the keyword is not supported", key)
        }
        var kinds: [Kind] = []
        if let type = object["type"] {
            kinds = try (type.arrayValue ?? [type]).map { name in
                guard let kind = name.stringValue.flatMap(Kind.init) else { throw node.failure("is no type", "type") }
                return kind
            }
            if kinds.isEmpty { throw node.failure("names no type", "type") }
        } else {
            // Keywords of one type mean that type, as people use them.
            kinds = Kind.allCases.filter { kind in
                kind != .integer && keywords.contains { kind.keywords.contains($0) && $0 != "format" }
            }
            if kinds.isEmpty { kinds = object["format"] == nil ? Kind.allCases : [.string] }
        }
        if kinds.contains(.number) { kinds.removeAll { $0 == .integer } }
        if object["nullable"] == true, !kinds.contains(.null) { kinds.append(.null) }
        var unique: [Kind] = []
        for kind in kinds where !unique.contains(kind) { unique.append(kind) }
        return unique
    }

    private mutating func rule(of kind: Kind, _ node: Node) throws -> Rule {
        switch kind {
        case .object: return try object(node)
        case .array: return try array(node)
        case .string: return try string(node)
        case .number, .integer: return try number(node, isInteger: kind == .integer)
        case .boolean:
            return try json.grammar.newRule { grammar, start in
                try grammar.alternatives(2, from: start) { try $0.literal(["true", "false"][$1], from: $2) }
            }
        case .null: return try json.grammar.newRule { try $0.literal("null", from: $1) }
        }
    }

    /// The value of a keyword that counts something.
    func count(_ key: String, _ node: Node) throws -> Int? {
        guard let value = node.json[key] else { return nil }
        guard let count = value.intValue, count >= 0 else { throw node.failure("is not a count", key) }
        guard count <= Grammar.maximumStates else {
            throw node.failure("is beyond \(Grammar.maximumStates)", key, remedy: "leave it out or lower it")
        }
        return count
    }
}
