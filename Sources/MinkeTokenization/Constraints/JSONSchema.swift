import MinkeFiles

/// A JSON schema and what its references mean.
///
/// The document is bounded in depth and size before anything looks at it.
struct JSONSchema {
    /// A schema inside the document, and the keys that lead to it.
    struct Node {
        let json: JSON
        let path: String

        func failure(_ problem: String, _ key: String = "", remedy: String? = nil) -> InputError {
            InputError(problem, at: key.isEmpty ? path : "\(path).\(key)", remedy: remedy)
        }
    }

    static let maximumDepth = 40
    static let maximumNodes = 20_000

    let root: Node
    /// How many references may follow one another, and allOf nest, where one schema is put together.
    private static let maximumExpansions = 32

    /// Keywords that say nothing about which values are valid.
    static let annotations: Set<String> = [
        "title", "description", "default", "examples", "example", "$schema", "$id", "$anchor", "$comment", "deprecated",
        "readOnly", "writeOnly", "$defs", "definitions", "discriminator", "contentMediaType", "contentEncoding",
        "externalDocs", "xml",
    ]

    init(_ json: JSON, name: String = "schema") throws {
        root = Node(json: json, path: name)
        var count = 0
        func measure(_ json: JSON, _ depth: Int) throws {
            count += 1
            guard depth <= Self.maximumDepth, count <= Self.maximumNodes else {
                throw InputError(
                    "the schema is larger than \(Self.maximumNodes) values or nests deeper than \(Self.maximumDepth)",
                    at: name)
            }
            for element in json.arrayValue ?? [] { try measure(element, depth + 1) }
            if let object = json.objectValue { for (_, value) in object { try measure(value, depth + 1) } }
        }
        try measure(json, 0)
    }

    static func isAnnotation(_ key: String) -> Bool { annotations.contains(key) || key.hasPrefix("x-") }

    /// The keywords of a schema that are no annotations.
    static func keywords(_ json: JSON) -> [String] { (json.objectValue?.keys ?? []).filter { !isAnnotation($0) } }

    /// What a reference points at: `#`, or a path of keys behind it.
    func target(of node: Node) throws -> Node {
        guard let text = node.json["$ref"]?.stringValue else { throw node.failure("is not a reference", "$ref") }
        var target = root.json
        let pointer = text.split(separator: "/", omittingEmptySubsequences: false)
        guard pointer.first == "#" else {
            throw node.failure("the reference \(text.prefix(80)) leads out of the schema", "$ref")
        }
        for part in pointer.dropFirst() {
            let key = Self.replacing("~0", by: "~", in: Self.replacing("~1", by: "/", in: String(part)))
            let next = Int(key).flatMap { index in
                target.arrayValue.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            }
            guard let found = target[key] ?? next else {
                throw node.failure("the reference \(text.prefix(80)) leads nowhere", "$ref")
            }
            target = found
        }
        return Node(json: target, path: root.path + pointer.dropFirst().map { ".\($0)" }.joined())
    }

    private static func replacing(_ pattern: String, by replacement: String, in text: String) -> String {
        var parts: [String] = [""]
        var rest = text[...]
        while !rest.isEmpty {
            if rest.hasPrefix(pattern) {
                rest = rest.dropFirst(pattern.count)
                parts.append("")
            } else {
                parts[parts.count - 1].append(rest.removeFirst())
            }
        }
        return parts.joined(separator: replacement)
    }

    /// The schema with `$ref` and `allOf` on its first level put together, and `const` as `enum`.
    func flattened(_ node: Node, expansions: Int = 0) throws -> Node {
        guard expansions <= Self.maximumExpansions else {
            throw node.failure("references and allOf follow one another without end")
        }
        guard var object = node.json.objectValue else { return node }
        var parts: [Node] = []
        if object["$ref"] != nil {
            parts.append(try target(of: node))
            object["$ref"] = nil
        }
        if let all = object["allOf"] {
            guard let schemas = all.arrayValue, !schemas.isEmpty else { throw node.failure("is not a list", "allOf") }
            parts += schemas.enumerated().map { Node(json: $1, path: "\(node.path).allOf[\($0)]") }
            object["allOf"] = nil
        }
        if let value = object["const"] {
            object["const"] = nil
            let values = object["enum"]?.arrayValue
            object["enum"] = .array(values.map { $0.filter { Self.areEqual($0, value) } } ?? [value])
        }
        var merged = Node(json: .object(object), path: node.path)
        for part in parts { merged = try merge(merged, flattened(part, expansions: expansions + 1)) }
        return merged
    }

    /// Whether two values are equal; numbers by value.
    static func areEqual(_ left: JSON, _ right: JSON) -> Bool {
        if let left = left.doubleValue, let right = right.doubleValue { return left == right }
        return left == right
    }

    /// The schema of values that satisfy both; neither has `$ref`, `allOf` or `const` on its first level.
    func merge(_ left: Node, _ right: Node) throws -> Node {
        if left.json == true || left.json == [:] { return right }
        if right.json == true || right.json == [:] { return left }
        guard var object = left.json.objectValue, let other = right.json.objectValue else {
            throw left.failure("contradicts \(right.path)")
        }
        if Self.isClosed(object) || Self.isClosed(other) {
            try requireEqualKeys(left, right)
            try requireEqualKeys(right, left)
        }
        for (key, value) in other where !Self.isAnnotation(key) {
            guard let own = object[key] else {
                object[key] = value
                continue
            }
            object[key] = try merged(key, own, value, at: left)
        }
        return Node(json: .object(object), path: left.path)
    }

    private static func isClosed(_ object: JSON.Object) -> Bool { object["additionalProperties"] == false }

    private func requireEqualKeys(_ closed: Node, _ other: Node) throws {
        guard closed.json["additionalProperties"] == false else { return }
        let keys = Set(closed.json["properties"]?.objectValue?.keys ?? [])
        for key in other.json["properties"]?.objectValue?.keys ?? [] where !keys.contains(key) {
            throw closed.failure("forbids \(key), which \(other.path) has", "additionalProperties")
        }
    }

    private func merged(_ key: String, _ left: JSON, _ right: JSON, at node: Node) throws -> JSON {
        if left == right { return left }
        switch key {
        case "type":
            let (own, other) = (left.arrayValue ?? [left], right.arrayValue ?? [right])
            let common = own.filter { other.contains($0) || ($0 == "integer" && other.contains("number")) }
            let narrowed = other.filter { $0 == "integer" && own.contains("number") && !own.contains("integer") }
            guard !(common + narrowed).isEmpty else { throw node.failure("no type is left of allOf", key) }
            return .array(common + narrowed)
        case "enum":
            let values = (left.arrayValue ?? []).filter { value in
                right.arrayValue?.contains { Self.areEqual($0, value) } ?? false
            }
            return .array(values)
        case "required":
            return .array(
                (left.arrayValue ?? []) + (right.arrayValue ?? []).filter { left.arrayValue?.contains($0) != true })
        case "properties":
            guard var object = left.objectValue, let other = right.objectValue else {
                throw node.failure("is not an object", key)
            }
            for (name, schema) in other { object[name] = object[name].map { ["allOf": [$0, schema]] } ?? schema }
            return .object(object)
        case "items", "additionalProperties":
            if left == false || right == false { return false }
            return ["allOf": [left, right]]
        case "minimum", "exclusiveMinimum", "minLength", "minItems":
            return (left.doubleValue ?? 0) > (right.doubleValue ?? 0) ? left : right
        case "maximum", "exclusiveMaximum", "maxLength", "maxItems":
            return (left.doubleValue ?? 0) < (right.doubleValue ?? 0) ? left : right
        default: throw node.failure("is said twice with different values, which is not supported", key)
        }
    }

    /// Whether no value can satisfy both, as far as types, constants and required constants of objects tell.
    func areDisjoint(_ left: Node, _ right: Node, depth: Int = 0) throws -> Bool {
        let (left, right) = (try flattened(left), try flattened(right))
        if let own = left.json["enum"]?.arrayValue, let other = right.json["enum"]?.arrayValue {
            return !own.contains { value in other.contains { Self.areEqual($0, value) } }
        }
        let (own, other) = (Self.types(left.json), Self.types(right.json))
        if own.isDisjoint(with: other) { return true }
        guard depth < 4, own == ["object"], other == ["object"],
            let properties = left.json["properties"]?.objectValue, let others = right.json["properties"]?.objectValue
        else { return false }
        for (key, schema) in properties {
            let isRequired = [left, right].allSatisfy {
                $0.json["required"]?.arrayValue?.contains(.string(key)) == true
            }
            guard isRequired, let schemaOfOther = others[key] else { continue }
            let own = Node(json: schema, path: "\(left.path).properties.\(key)")
            let other = Node(json: schemaOfOther, path: "\(right.path).properties.\(key)")
            if try areDisjoint(own, other, depth: depth + 1) { return true }
        }
        return false
    }

    /// The types of a schema's values; integers count as numbers.
    private static func types(_ json: JSON) -> Set<String> {
        if let values = json["enum"]?.arrayValue {
            return Set(
                values.map {
                    switch $0 {
                    case .null: "null"
                    case .bool: "boolean"
                    case .integer, .number: "number"
                    case .string: "string"
                    case .array: "array"
                    case .object: "object"
                    }
                })
        }
        guard let type = json["type"] else {
            return json["properties"] != nil
                ? ["object"] : ["null", "boolean", "number", "string", "array", "object"]
        }
        return Set((type.arrayValue ?? [type]).compactMap { $0 == "integer" ? "number" : $0.stringValue })
    }
}
