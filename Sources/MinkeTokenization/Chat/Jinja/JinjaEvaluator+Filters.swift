import MinkeFiles

/// Filters and tests.
extension JinjaEvaluator {
    mutating func apply(
        _ name: String, to value: JinjaValue, _ arguments: JinjaArgumentValues, line: Int
    ) throws -> JinjaValue {
        try count(line: line)
        try count(.copying, value.textValue?.count ?? 0, line: line)
        if let result = try textFilter(name, value, arguments, line: line) { return result }
        if let result = try sequenceFilter(name, value, arguments, line: line) { return result }
        switch name {
        case "default", "d":
            let isMissing = arguments.value(1, "boolean")?.isTrue == true ? !value.isTrue : value.isUndefined
            return isMissing ? arguments.value(0, "default_value") ?? .text(template: "") : value
        case "length", "count":
            switch value {
            case .text(let text): return .integer(text.count)
            case .list(let values): return .integer(values.count)
            case .object(let object): return .integer(object.count)
            case .undefined: return .integer(0)
            default: throw failure("object of type '\(value.typeName)' has no len()", line: line)
            }
        case "int":
            let fallback = arguments.value(0, "default") ?? .integer(0)
            if let number = value.intValue { return .integer(number) }
            if let number = value.doubleValue {
                return Int(exactly: number.rounded(.towardZero)).map(JinjaValue.integer) ?? fallback
            }
            guard let text = value.textValue?.stripped().text else { return fallback }
            if let number = Int(text) { return .integer(number) }
            return Double(text).flatMap { Int(exactly: $0.rounded(.towardZero)) }.map(JinjaValue.integer) ?? fallback
        case "float":
            if let number = value.doubleValue { return .number(number) }
            return value.textValue.flatMap { Double($0.stripped().text) }.map(JinjaValue.number)
                ?? arguments.value(0, "default") ?? .number(0)
        case "abs":
            if let number = value.intValue, number != .min { return .integer(abs(number)) }
            guard let number = value.doubleValue else { throw failure("abs takes a number", line: line) }
            return .number(abs(number))
        default: throw failure("no filter named '\(name)'", line: line)
        }
    }

    private mutating func textFilter(
        _ name: String, _ value: JinjaValue, _ arguments: JinjaArgumentValues, line: Int
    ) throws -> JinjaValue? {
        guard
            [
                "trim", "upper", "lower", "title", "capitalize", "replace", "string", "safe", "e", "escape", "tojson",
                "indent",
            ].contains(name)
        else { return nil }
        try checkNesting(of: value, isWritten: true, line: line)
        let text = value.string
        switch name {
        case "trim": try count(.hashing, arguments.value(0, "chars")?.textValue?.count ?? 0, line: line)
        case "upper", "lower", "title", "capitalize": try count(.rewriting, text.count, line: line)
        default: break
        }
        switch name {
        case "trim": return .text(text.stripped(arguments.value(0, "chars")?.textValue))
        case "upper": return .text(text.mapped { $0.uppercased() })
        case "lower": return .text(text.mapped { $0.lowercased() })
        case "title": return .text(text.mapped(Self.title))
        case "capitalize": return .text(text.mapped(Self.capitalized))
        case "replace":
            guard let old = arguments.value(0, "old")?.string, let new = arguments.value(1, "new")?.string else {
                throw failure("replace takes two strings", line: line)
            }
            let limit = arguments.value(2, "count")?.intValue ?? .max
            return .text(try replace(old, in: text, with: new, limit: limit, line: line))
        case "tojson":
            let json = try checked(JinjaJSON(arguments).text(of: value, line: line), line: line)
            try count(.hashing, json.count, line: line)
            return .text(json)
        case "indent":
            let width = min(max(0, arguments.value(0, "width")?.intValue ?? 4), 256)
            let blanks =
                arguments.value(0, "width")?.textValue
                ?? MarkedText(String(repeating: " ", count: width), isTemplate: true)
            let indentsFirst = arguments.value(1, "first")?.isTrue ?? false
            let indentsBlank = arguments.value(2, "blank")?.isTrue ?? false
            var lines = try parts(line: line) { text.split(MarkedText("\n", isTemplate: true), limit: $0) }
            guard blanks.count <= MarkedText.maximumCount / lines.count else {
                throw failure("a string of more than \(MarkedText.maximumCount) characters", line: line)
            }
            for index in lines.indices where index > 0 || indentsFirst {
                if indentsBlank || !lines[index].stripped().isEmpty { lines[index] = blanks + lines[index] }
            }
            return .text(
                try checked(MarkedText.joined(lines, separator: MarkedText("\n", isTemplate: true)), line: line))
        default: return .text(text)
        }
    }

    private mutating func sequenceFilter(
        _ name: String, _ value: JinjaValue, _ arguments: JinjaArgumentValues, line: Int
    ) throws -> JinjaValue? {
        guard
            [
                "first", "last", "list", "join", "reverse", "sort", "unique", "items", "dictsort", "map", "select",
                "reject", "selectattr", "rejectattr", "sum", "min", "max",
            ].contains(name)
        else { return nil }
        if name == "reverse", case .text(let text) = value { return .text(MarkedText(units: text.units.reversed())) }
        if name == "items" || name == "dictsort" {
            guard case .object(let object) = value else {
                if value.isUndefined { return .list([]) }
                throw failure("\(name) takes a dict, not \(value.typeName)", line: line)
            }
            try count(object.count, line: line)
            if name == "dictsort" { for key in object.keys { try count(.rewriting, key.count, line: line) } }
            let pairs = name == "items" ? object.pairs : object.pairs.sorted { $0.key < $1.key }
            return .list(pairs.map { .list([.text($0.key), $0.value]) })
        }
        let values = try elements(of: value, line: line)
        try count(values.count, line: line)
        switch name {
        case "first": return values.first ?? .undefined("No first item, sequence was empty.")
        case "last": return values.last ?? .undefined("No last item, sequence was empty.")
        case "list": return .list(values)
        case "reverse": return .list(values.reversed())
        case "join":
            try checkNesting(of: .list(values), isWritten: true, line: line)
            var parts = values
            if let key = arguments.value(1, "attribute")?.textValue {
                try countKey(key.text, values.count, line: line)
                parts = try values.map { try attribute(key.text, of: $0, line: line) }
            }
            let separator = arguments.value(0, "d")?.string ?? MarkedText()
            return .text(try checked(MarkedText.joined(parts.map(\.string), separator: separator), line: line))
        case "map": return .list(try mapped(values, arguments, line: line))
        case "select", "reject", "selectattr", "rejectattr":
            return .list(try chosen(name, values, arguments, line: line))
        case "unique":
            var kept: [JinjaValue] = []
            for value in values {
                var isNew = true
                for other in kept where isNew {
                    try count(line: line)
                    isNew = try !compare("==", value, other, line: line)
                }
                if isNew { kept.append(value) }
            }
            return .list(kept)
        case "sum":
            return try values.reduce(arguments.value(1, "start") ?? .integer(0)) { sum, value in
                guard let left = sum.intValue, let right = value.intValue else {
                    throw failure("sum takes integers", line: line)
                }
                let (result, overflow) = left.addingReportingOverflow(right)
                if overflow { throw failure("an integer out of range", line: line) }
                return .integer(result)
            }
        default:
            let sorted = try sorted(values, by: arguments.named["attribute"]?.textValue?.text, line: line)
            if name == "min" { return sorted.first ?? .undefined("the sequence was empty") }
            if name == "max" { return sorted.last ?? .undefined("the sequence was empty") }
            return .list(arguments.value(0, "reverse")?.isTrue == true ? sorted.reversed() : sorted)
        }
    }

    /// Counts what it takes to look for an attribute in some values.
    private mutating func countKey(_ key: String?, _ values: Int, line: Int) throws {
        try count(values, line: line)
        try count(values * (key?.utf8.count ?? 0) / Work.hashing.rawValue, line: line)
    }

    private mutating func sorted(_ values: [JinjaValue], by key: String?, line: Int) throws -> [JinjaValue] {
        try countKey(key, values.count * 8, line: line)
        let keyed = try values.map { value in
            let sortKey = try key.map { try attribute($0, of: value, line: line) } ?? value
            try count(.rewriting, sortKey.textValue?.count ?? 0, line: line)
            // As in the library, letters sort without regard to their case.
            return (value, sortKey.textValue.map { .text($0.mapped { $0.lowercased() }) } ?? sortKey)
        }
        // The closure may not change what it is called by, so that the work is counted in a copy.
        var counter = self
        defer { steps = counter.steps }
        return try keyed.sorted { try counter.compare("<", $0.1, $1.1, line: line) }.map(\.0)
    }

    private mutating func mapped(
        _ values: [JinjaValue], _ arguments: JinjaArgumentValues, line: Int
    ) throws -> [JinjaValue] {
        if let key = arguments.named["attribute"]?.textValue?.text {
            try countKey(key, values.count, line: line)
            return try values.map { value in
                let found = try attribute(key, of: value, line: line)
                return found.isUndefined ? arguments.named["default"] ?? found : found
            }
        }
        guard let filter = arguments.positional.first?.textValue?.text else {
            throw failure("map takes a filter or an attribute", line: line)
        }
        let rest = JinjaArgumentValues(positional: Array(arguments.positional.dropFirst()), named: arguments.named)
        return try deeper(line: line) { evaluator in
            var results: [JinjaValue] = []
            for value in values { results.append(try evaluator.apply(filter, to: value, rest, line: line)) }
            return results
        }
    }

    private mutating func chosen(
        _ name: String, _ values: [JinjaValue], _ arguments: JinjaArgumentValues, line: Int
    ) throws -> [JinjaValue] {
        var rest = arguments.positional[...]
        var key: String?
        if name.hasSuffix("attr") {
            guard let text = rest.popFirst()?.textValue?.text else {
                throw failure("\(name) takes an attribute", line: line)
            }
            key = text
            try countKey(key, values.count, line: line)
        }
        let test = rest.popFirst()?.textValue?.text
        let operands = JinjaArgumentValues(positional: Array(rest))
        var results: [JinjaValue] = []
        for value in values {
            let tested = try key.map { try attribute($0, of: value, line: line) } ?? value
            let isTrue = try test.map { try holds($0, tested, operands, line: line) } ?? tested.isTrue
            if isTrue == name.hasPrefix("select") { results.append(value) }
        }
        return results
    }

    // MARK: Tests

    mutating func holds(
        _ test: String, _ value: JinjaValue, _ arguments: JinjaArgumentValues, line: Int
    ) throws -> Bool {
        try count(line: line)
        try count(
            test == "upper" || test == "lower" ? .rewriting : .copying, value.textValue?.count ?? 0, line: line)
        func operand() throws -> JinjaValue {
            guard let first = arguments.positional.first else {
                throw failure("the test '\(test)' is missing its argument", line: line)
            }
            return first
        }
        switch (test, value) {
        case ("defined", _): return !value.isUndefined
        case ("undefined", _): return value.isUndefined
        case ("none", .none), ("string", .text), ("boolean", .bool), ("integer", .integer), ("float", .number):
            return true
        case ("number", .integer), ("number", .number), ("number", .bool): return true
        case ("mapping", .object), ("callable", .macro), ("callable", .function): return true
        case ("iterable", .list), ("iterable", .text), ("iterable", .object), ("iterable", .undefined): return true
        case ("sequence", .list), ("sequence", .text), ("sequence", .object), ("sequence", .undefined): return true
        case ("true", .bool(let value)): return value
        case ("false", .bool(let value)): return !value
        case ("none", _), ("string", _), ("boolean", _), ("integer", _), ("float", _), ("number", _), ("mapping", _),
            ("callable", _), ("iterable", _), ("sequence", _), ("true", _), ("false", _):
            return false
        case ("odd", .integer(let number)): return number % 2 != 0
        case ("even", .integer(let number)): return number % 2 == 0
        case ("divisibleby", .integer(let number)):
            guard let divisor = try operand().intValue, divisor != 0, divisor != -1 else {
                throw failure("divisibleby takes an integer other than 0", line: line)
            }
            return number % divisor == 0
        case ("equalto", _), ("eq", _), ("==", _), ("sameas", _):
            return try compare("==", value, operand(), line: line)
        case ("ne", _), ("!=", _): return try compare("!=", value, operand(), line: line)
        case ("in", _): return try compare("in", value, operand(), line: line)
        case ("lt", _), ("<", _), ("lessthan", _): return try compare("<", value, operand(), line: line)
        case ("le", _), ("<=", _): return try compare("<=", value, operand(), line: line)
        case ("gt", _), (">", _), ("greaterthan", _): return try compare(">", value, operand(), line: line)
        case ("ge", _), (">=", _): return try compare(">=", value, operand(), line: line)
        case ("upper", .text(let text)): return text.text.uppercased() == text.text
        case ("lower", .text(let text)): return text.text.lowercased() == text.text
        default: throw failure("no test named '\(test)' for \(value.typeName)", line: line)
        }
    }
}
