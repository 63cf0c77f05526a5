/// A JSON value. Objects keep the order of their keys; numbers keep integers apart from floating point.
///
/// The parser is strict (RFC 8259): no duplicate keys, no `NaN`, no comments, no trailing text, bounded depth,
/// and no allocation beyond a small multiple of the input.
public enum JSON: Equatable, Sendable {
    case null
    case bool(Bool)
    /// A number written without fraction or exponent that fits in 64 bits.
    case integer(Int)
    /// Any other number. Never NaN or infinite when parsed.
    case number(Double)
    case string(String)
    case array([JSON])
    case object(Object)

    /// Key-value pairs in the order of the text, with lookup by key.
    public struct Object: Equatable, Sendable, Sequence, ExpressibleByDictionaryLiteral {
        public private(set) var keys: [String] = []
        private var values: [ExactKey: JSON] = [:]

        public init() {}

        public init(dictionaryLiteral elements: (String, JSON)...) {
            for (key, value) in elements { self[key] = value }
        }

        public var count: Int { keys.count }

        public subscript(key: String) -> JSON? {
            get { values[ExactKey(text: key)] }
            set {
                let exact = ExactKey(text: key)
                if let newValue {
                    if values.updateValue(newValue, forKey: exact) == nil { keys.append(key) }
                } else if values.removeValue(forKey: exact) != nil {
                    keys.removeAll { ExactKey(text: $0) == exact }
                }
            }
        }

        public func makeIterator() -> AnyIterator<(key: String, value: JSON)> {
            var index = 0
            return AnyIterator {
                guard index < keys.count, let value = values[ExactKey(text: keys[index])] else { return nil }
                defer { index += 1 }
                return (keys[index], value)
            }
        }
    }
}

extension JSON.Object {
    /// A key compared code unit by code unit.
    ///
    /// `String` holds two spellings of `é` (one scalar, or `e` and an accent) to be equal; JSON keys and the
    /// vocabularies kept in them do not.
    private struct ExactKey: Hashable, Sendable {
        let text: String

        static func == (left: ExactKey, right: ExactKey) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

        func hash(into hasher: inout Hasher) {
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }
}

extension JSON {
    public subscript(key: String) -> JSON? {
        if case .object(let object) = self { return object[key] }
        return nil
    }

    public var objectValue: Object? { if case .object(let value) = self { value } else { nil } }
    public var arrayValue: [JSON]? { if case .array(let value) = self { value } else { nil } }
    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The value as an integer; a floating-point number counts only when it is whole (`1.0`, `1e3`).
    public var intValue: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The value as a floating-point number; integers convert.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    public var isNull: Bool { self == .null }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) {
        var object = Object()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}
