import MinkeFiles

/// The metadata of a GGUF file: typed values under keys, in the order of the file.
public struct GGUFMetadata: Sendable, Equatable {
    public private(set) var keys: [String] = []
    private var values: [String: GGUFValue] = [:]

    public init() {}

    public subscript(key: String) -> GGUFValue? {
        get { values[key] }
        set {
            if let newValue {
                if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
            } else if values.removeValue(forKey: key) != nil {
                keys.removeAll { $0 == key }
            }
        }
    }

    /// The integer under `key`, of any width.
    ///
    /// - Throws: ``InputError`` naming the key when it holds something else.
    public func integer(_ key: String) throws -> Int? {
        try values[key].map { try require($0.intValue, key, "a whole number") }
    }

    /// The number under `key`; integers count.
    public func number(_ key: String) throws -> Double? {
        try values[key].map { try require($0.doubleValue, key, "a number") }
    }

    public func flag(_ key: String) throws -> Bool? {
        try values[key].map { try require($0.boolValue, key, "true or false") }
    }

    public func string(_ key: String) throws -> String? {
        try values[key].map { try require($0.stringValue, key, "a text") }
    }

    public func strings(_ key: String) throws -> [String]? {
        try list(key) { try $0.strings() }
    }

    public func integers(_ key: String) throws -> [Int]? {
        try list(key) { try $0.integers() }
    }

    private func list<Element>(_ key: String, _ read: (GGUFArray) throws -> [Element]) throws -> [Element]? {
        guard let value = values[key] else { return nil }
        do {
            return try read(require(value.arrayValue, key, "a list"))
        } catch let error as InputError {
            throw error.location == nil ? error.located(at: key) : error
        }
    }

    private func require<Value>(_ value: Value?, _ key: String, _ expectation: String) throws -> Value {
        guard let value else { throw InputError("must be \(expectation)", at: key) }
        return value
    }
}
