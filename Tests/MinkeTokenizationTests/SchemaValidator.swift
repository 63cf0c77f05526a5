import MinkeFiles

/// A validator of JSON schemas written for the tests, apart from the compiler: it looks at values, not at texts.
struct SchemaValidator {
    let root: JSON

    func accepts(_ value: JSON) -> Bool { accepts(value, root) }

    private func accepts(_ value: JSON, _ schema: JSON) -> Bool {
        if let verdict = schema.boolValue { return verdict }
        guard let keywords = schema.objectValue else { return false }
        return keywords.allSatisfy { holds($0, $1, value, schema) }
    }

    private func holds(_ key: String, _ rule: JSON, _ value: JSON, _ schema: JSON) -> Bool {
        let list = rule.arrayValue ?? []
        switch key {
        case "$ref": return accepts(value, resolve(rule.stringValue ?? ""))
        case "type": return (rule.arrayValue ?? [rule]).contains { hasType(value, $0.stringValue ?? "") }
        case "enum": return list.contains { equal($0, value) }
        case "const": return equal(rule, value)
        case "allOf": return list.allSatisfy { accepts(value, $0) }
        case "anyOf": return list.contains { accepts(value, $0) }
        case "oneOf": return list.filter { accepts(value, $0) }.count == 1
        default: break
        }
        switch value {
        case .object(let object): return holds(key, rule, object, schema)
        case .array(let elements): return holds(key, rule, elements, schema)
        case .string(let text): return holds(key, rule, text)
        case .integer, .number: return holds(key, rule, value.doubleValue ?? .nan)
        default: return true
        }
    }

    private func holds(_ key: String, _ rule: JSON, _ object: JSON.Object, _ schema: JSON) -> Bool {
        switch key {
        case "required": return (rule.arrayValue ?? []).allSatisfy { object[$0.stringValue ?? ""] != nil }
        case "properties":
            return (rule.objectValue ?? [:]).allSatisfy { name, rule in object[name].map { accepts($0, rule) } ?? true }
        case "additionalProperties":
            return object.allSatisfy { name, value in
                schema["properties"]?[name] != nil || accepts(value, rule)
            }
        default: return true
        }
    }

    private func holds(_ key: String, _ rule: JSON, _ elements: [JSON], _ schema: JSON) -> Bool {
        let first = schema["prefixItems"]?.arrayValue ?? []
        switch key {
        case "minItems": return elements.count >= rule.intValue ?? 0
        case "maxItems": return elements.count <= rule.intValue ?? 0
        case "prefixItems": return zip(elements, first).allSatisfy { accepts($0, $1) }
        case "items": return elements.dropFirst(first.count).allSatisfy { accepts($0, rule) }
        default: return true
        }
    }

    private func holds(_ key: String, _ rule: JSON, _ text: String) -> Bool {
        switch key {
        case "minLength": text.unicodeScalars.count >= rule.intValue ?? 0
        case "maxLength": text.unicodeScalars.count <= rule.intValue ?? 0
        case "pattern":
            (try? Regex(rule.stringValue ?? "").matchingSemantics(.unicodeScalar))
                .flatMap { try? $0.firstMatch(in: text) } != nil
        default: true
        }
    }

    private func holds(_ key: String, _ rule: JSON, _ number: Double) -> Bool {
        let bound = rule.doubleValue ?? .nan
        return switch key {
        case "minimum": number >= bound
        case "maximum": number <= bound
        case "exclusiveMinimum": number > bound
        case "exclusiveMaximum": number < bound
        case "multipleOf": number.remainder(dividingBy: bound) == 0
        default: true
        }
    }

    private func equal(_ left: JSON, _ right: JSON) -> Bool {
        if let left = left.doubleValue, let right = right.doubleValue { return left == right }
        return left == right
    }

    private func hasType(_ value: JSON, _ name: String) -> Bool {
        switch (name, value) {
        case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object),
            ("number", .integer), ("number", .number), ("integer", .integer):
            true
        // An integer beyond 64 bits is parsed as a floating-point number.
        case ("integer", .number(let number)): number == number.rounded()
        default: false
        }
    }

    private func resolve(_ reference: String) -> JSON {
        reference.split(separator: "/").dropFirst().reduce(root) { $0[String($1)] ?? false }
    }
}
