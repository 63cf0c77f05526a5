import MinkeFiles

/// A value of a template: data alone, nothing that reaches outside.
enum JinjaValue: Sendable {
    /// What a name or key stands for that does not exist; its text says which.
    case undefined(String)
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(MarkedText)
    case list([JinjaValue])
    case object(JinjaObject)
    case namespace(JinjaNamespace)
    case macro(JinjaMacro)
    /// A function of the interpreter by its name.
    case function(String)

    static func text(template text: String) -> JinjaValue { .text(MarkedText(text, isTemplate: true)) }

    /// A value from outside; all its strings and keys are content.
    init(_ json: JSON) {
        switch json {
        case .null: self = .none
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .number(let value): self = .number(value)
        case .string(let value): self = .text(MarkedText(value, isTemplate: false))
        case .array(let values): self = .list(values.map(JinjaValue.init))
        case .object(let object):
            var result = JinjaObject()
            for (key, value) in object { result[MarkedText(key, isTemplate: false)] = JinjaValue(value) }
            self = .object(result)
        }
    }

    /// What Python's `type(value).__name__` is, for messages.
    var typeName: String {
        switch self {
        case .undefined: "undefined"
        case .none: "None"
        case .bool: "bool"
        case .integer: "int"
        case .number: "float"
        case .text: "str"
        case .list: "list"
        case .object: "dict"
        case .namespace: "namespace"
        case .macro: "macro"
        case .function: "function"
        }
    }

    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .text(let text): !text.isEmpty
        case .list(let values): !values.isEmpty
        case .object(let object): object.count > 0
        case .namespace, .macro, .function: true
        }
    }

    var isUndefined: Bool { if case .undefined = self { true } else { false } }
    var textValue: MarkedText? { if case .text(let text) = self { text } else { nil } }

    /// The value as an integer; Python's booleans are integers.
    var intValue: Int? {
        switch self {
        case .integer(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    var doubleValue: Double? {
        if case .number(let value) = self { return value }
        return intValue.map(Double.init)
    }
}

/// A dictionary that keeps the order of its keys.
struct JinjaObject: Sendable {
    private(set) var keys: [MarkedText] = []
    private var values: [MarkedText: JinjaValue] = [:]

    var count: Int { keys.count }
    var pairs: [(key: MarkedText, value: JinjaValue)] { keys.compactMap { key in values[key].map { (key, $0) } } }

    subscript(key: MarkedText) -> JinjaValue? {
        get { values[key] }
        set {
            if let newValue {
                if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
            } else if values.removeValue(forKey: key) != nil {
                keys.removeAll { $0 == key }
            }
        }
    }
}

/// Values that a template may change from inside a loop; lives as long as one rendering.
final class JinjaNamespace: @unchecked Sendable {
    // One rendering runs on one thread, and no namespace leaves it.
    var values = JinjaObject()
}

/// A template's own function.
struct JinjaMacro: Sendable {
    let name: String
    let parameters: [(name: String, defaultValue: JinjaExpression?)]
    let body: [JinjaStatement]
}

// MARK: Equality and text

extension JinjaValue {
    /// Python's `==`.
    static func areEqual(_ left: JinjaValue, _ right: JinjaValue) -> Bool {
        switch (left, right) {
        case (.none, .none), (.undefined, .undefined): return true
        case (.text(let left), .text(let right)): return left == right
        case (.list(let left), .list(let right)):
            return left.count == right.count && zip(left, right).allSatisfy(areEqual)
        case (.object(let left), .object(let right)):
            return left.count == right.count
                && left.pairs.allSatisfy { pair in right[pair.key].map { areEqual(pair.value, $0) } ?? false }
        case (.namespace(let left), .namespace(let right)): return left === right
        default:
            if let left = left.intValue, let right = right.intValue { return left == right }
            guard let left = left.doubleValue, let right = right.doubleValue else { return false }
            return left == right
        }
    }

    /// Python's `str(value)`.
    var string: MarkedText {
        switch self {
        case .text(let text): text
        case .undefined: MarkedText()
        default: representation
        }
    }

    /// Python's `repr(value)`.
    private var representation: MarkedText {
        func template(_ text: String) -> MarkedText { MarkedText(text, isTemplate: true) }
        switch self {
        case .undefined: return template("Undefined")
        case .none: return template("None")
        case .bool(let value): return template(value ? "True" : "False")
        case .integer(let value): return template(String(value))
        case .number(let value): return template("\(value)")
        case .text(let text):
            return text.mapped { text in
                let quote = text.contains("'") && !text.contains("\"") ? "\"" : "'"
                var result = quote
                for scalar in text.unicodeScalars {
                    switch scalar {
                    case "\\": result += "\\\\"
                    case "\n": result += "\\n"
                    case "\r": result += "\\r"
                    case "\t": result += "\\t"
                    case "'" where quote == "'": result += "\\'"
                    case "\u{0}"..<"\u{20}", "\u{7F}":
                        let digits = String(scalar.value, radix: 16)
                        result += digits.count < 2 ? "\\x0" + digits : "\\x" + digits
                    default: result.unicodeScalars.append(scalar)
                    }
                }
                return result + quote
            }
        case .list(let values): return bracketed("[", values.map(\.representation), "]")
        case .object(let object):
            let entries = object.pairs.map {
                JinjaValue.text($0.key).representation + template(": ") + $0.value.representation
            }
            return bracketed("{", entries, "}")
        case .namespace, .macro, .function: return template("<\(typeName)>")
        }
    }

    private func bracketed(_ open: String, _ parts: [MarkedText], _ close: String) -> MarkedText {
        let separator = MarkedText(", ", isTemplate: true)
        let inner = MarkedText.joined(parts, separator: separator) ?? MarkedText()
        return MarkedText(open, isTemplate: true) + inner + MarkedText(close, isTemplate: true)
    }
}
