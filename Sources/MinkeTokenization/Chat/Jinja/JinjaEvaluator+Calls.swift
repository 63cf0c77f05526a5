import MinkeFiles

/// Functions, macros and methods.
extension JinjaEvaluator {
    static let functions: Set<String> = ["raise_exception", "namespace", "range", "dict", "strftime_now"]

    mutating func call(_ callee: JinjaExpression, _ arguments: JinjaArguments, line: Int) throws -> JinjaValue {
        if case .attribute(let receiver, let name) = callee.kind {
            let receiver = try evaluate(receiver)
            if case .macro(let macro) = try attribute(name, of: receiver, line: line) {
                return try run(macro, values(arguments), line: line)
            }
            return try method(name, of: receiver, values(arguments), line: line)
        }
        switch try evaluate(callee) {
        case .macro(let macro): return try run(macro, values(arguments), line: line)
        case .function(let name): return try function(name, values(arguments), line: line)
        case .undefined(let why): throw failure(why, line: line)
        case let value: throw failure("'\(value.typeName)' object is not callable", line: line)
        }
    }

    private mutating func run(_ macro: JinjaMacro, _ arguments: JinjaArgumentValues, line: Int) throws -> JinjaValue {
        let names = macro.parameters.map(\.name)
        try count(names.count * (1 + arguments.named.count), line: line)
        guard arguments.positional.count <= names.count, arguments.named.keys.allSatisfy(names.contains) else {
            throw failure("macro '\(macro.name)' does not take these arguments", line: line)
        }
        let saved = scopes
        defer { scopes = saved }
        scopes = [saved[0], [:]]
        for (index, parameter) in macro.parameters.enumerated() {
            var value = arguments.value(index, parameter.name)
            if value == nil, let expression = parameter.defaultValue { value = try evaluate(expression) }
            scopes[1][parameter.name] = value ?? .undefined("parameter '\(parameter.name)' was not provided")
        }
        return .text(try deeper(line: line) { try $0.text(of: macro.body) })
    }

    private mutating func function(_ name: String, _ arguments: JinjaArgumentValues, line: Int) throws -> JinjaValue {
        switch name {
        case "raise_exception":
            let message = arguments.value(0, "message")?.string.text ?? ""
            throw InputError("the chat template refuses the messages: \(message)")
        case "namespace", "dict":
            var values = JinjaObject()
            for argument in arguments.positional {
                guard case .object(let object) = argument else {
                    throw failure("\(name)() takes names with values", line: line)
                }
                for (key, value) in object.pairs { values[key] = value }
            }
            for (key, value) in arguments.named.sorted(by: { $0.key < $1.key }) {
                values[MarkedText(key, isTemplate: true)] = value
            }
            try checkNesting(of: .object(values), line: line)
            if name == "dict" { return .object(values) }
            let namespace = JinjaNamespace()
            namespace.values = values
            return .namespace(namespace)
        case "range":
            let numbers = try arguments.positional.map { value in
                guard let number = value.intValue else { throw failure("range() takes integers", line: line) }
                return number
            }
            guard (1...3).contains(numbers.count) else { throw failure("range() takes 1 to 3 integers", line: line) }
            let step = numbers.count > 2 ? numbers[2] : 1
            if step == 0 { throw failure("range() step must not be zero", line: line) }
            let bounds = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
            var values: [JinjaValue] = []
            for number in stride(from: bounds.0, to: bounds.1, by: step) {
                try count(line: line)
                values.append(.integer(number))
            }
            return .list(values)
        default:
            throw failure(
                "\(name)() is not available: prompts must not depend on the time they are made at", line: line)
        }
    }

    // MARK: Methods

    private mutating func method(
        _ name: String, of receiver: JinjaValue, _ arguments: JinjaArgumentValues, line: Int
    ) throws -> JinjaValue {
        switch receiver {
        case .text(let text):
            try count(.copying, text.count, line: line)
            if let value = try textMethod(name, text, arguments, line: line) { return value }
        case .object(let object):
            try count(object.count, line: line)
            switch name {
            case "items": return .list(object.pairs.map { .list([.text($0.key), $0.value]) })
            case "keys": return .list(object.keys.map { .text($0) })
            case "values": return .list(object.pairs.map(\.value))
            case "get":
                let fallback = arguments.value(1, "default") ?? .none
                try count(.hashing, arguments.value(0, "key")?.textValue?.count ?? 0, line: line)
                return arguments.value(0, "key")?.textValue.flatMap { object[$0] } ?? fallback
            default: break
            }
        case .list(let values) where name == "index" || name == "count":
            try checkNesting(of: receiver, line: line)
            let wanted = arguments.value(0, "value") ?? .none
            if name == "count" { return .integer(values.count { JinjaValue.areEqual($0, wanted) }) }
            guard let index = values.firstIndex(where: { JinjaValue.areEqual($0, wanted) }) else {
                throw failure("the value is not in the list", line: line)
            }
            return .integer(index)
        case .undefined(let why): throw failure(why, line: line)
        default: break
        }
        throw failure("'\(receiver.typeName) object' has no method '\(name)'", line: line)
    }

    private mutating func textMethod(
        _ name: String, _ text: MarkedText, _ arguments: JinjaArgumentValues, line: Int
    ) throws -> JinjaValue? {
        func textArgument(_ index: Int) throws -> MarkedText? {
            guard index < arguments.positional.count else { return nil }
            if case .none = arguments.positional[index] { return nil }
            guard let text = arguments.positional[index].textValue else {
                throw failure("\(name)() takes strings, not \(arguments.positional[index].typeName)", line: line)
            }
            return text
        }
        func required(_ index: Int) throws -> MarkedText {
            guard let text = try textArgument(index) else {
                throw failure("\(name)() is missing an argument", line: line)
            }
            return text
        }
        func limit(_ index: Int, _ keyword: String) -> Int {
            let value = arguments.value(index, keyword)?.intValue ?? -1
            return value < 0 ? .max : value
        }
        switch name {
        case "strip", "lstrip", "rstrip":
            try count(.hashing, textArgument(0)?.count ?? 0, line: line)
        case "upper", "lower", "title", "capitalize", "isdigit":
            try count(.rewriting, text.count, line: line)
        default: break
        }
        switch name {
        case "strip": return .text(text.stripped(try textArgument(0)))
        case "lstrip": return .text(text.stripped(try textArgument(0), right: false))
        case "rstrip": return .text(text.stripped(try textArgument(0), left: false))
        case "upper": return .text(text.mapped { $0.uppercased() })
        case "lower": return .text(text.mapped { $0.lowercased() })
        case "title": return .text(text.mapped(Self.title))
        case "capitalize": return .text(text.mapped(Self.capitalized))
        case "startswith", "endswith":
            var patterns = [MarkedText]()
            if case .list(let values)? = arguments.positional.first {
                patterns = values.compactMap(\.textValue)
                try count(patterns.count, line: line)
                for pattern in patterns { try count(.copying, pattern.count, line: line) }
            } else {
                patterns = [try required(0)]
            }
            return .bool(patterns.contains { name == "startswith" ? text.starts(with: $0) : text.ends(with: $0) })
        case "find": return .integer(text.find(try required(0)) ?? -1)
        case "rfind":
            let parts = text.splitFromEnd(try required(0), limit: 1)
            return .integer(parts.count > 1 ? parts[0].count : -1)
        case "count":
            let pattern = try required(0)
            if pattern.isEmpty { return .integer(text.count + 1) }
            return .integer(try parts(line: line) { text.split(pattern, limit: $0) }.count - 1)
        case "replace":
            return .text(
                try replace(required(0), in: text, with: required(1), limit: limit(2, "count"), line: line))
        case "split", "rsplit":
            let limit = limit(1, "maxsplit")
            guard let separator = try textArgument(0) else {
                return .list(try parts(limit: limit, line: line, text.splitAtWhiteSpace).map { .text($0) })
            }
            if separator.isEmpty { throw failure("empty separator", line: line) }
            let parts = try parts(limit: limit, line: line) {
                name == "split" ? text.split(separator, limit: $0) : text.splitFromEnd(separator, limit: $0)
            }
            return .list(parts.map { .text($0) })
        case "splitlines": return .list(try parts(line: line, text.lines).map { .text($0) })
        case "join":
            let values = try elements(of: arguments.positional.first ?? .list([]), line: line)
            try checkNesting(of: .list(values), isWritten: true, line: line)
            let parts = values.map(\.string)
            return .text(try checked(MarkedText.joined(parts, separator: text), line: line))
        case "removeprefix":
            let prefix = try required(0)
            return .text(text.starts(with: prefix) ? text[prefix.count..<text.count] : text)
        case "removesuffix":
            let suffix = try required(0)
            return .text(text.ends(with: suffix) ? text[0..<text.count - suffix.count] : text)
        case "isdigit":
            return .bool(!text.isEmpty && text.text.unicodeScalars.allSatisfy { $0.properties.numericType != nil })
        case "isspace": return .bool(!text.isEmpty && text.stripped().isEmpty)
        default: return nil
        }
    }

    /// Every word with a large first letter and small others.
    static func title(_ text: String) -> String {
        var result = ""
        var isInWord = false
        for character in text {
            result += isInWord ? character.lowercased() : character.uppercased()
            isInWord = character.isLetter
        }
        return result
    }

    static func capitalized(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst().lowercased() }
}
