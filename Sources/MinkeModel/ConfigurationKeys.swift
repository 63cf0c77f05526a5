import MinkeFiles

/// Typed access to the keys of a configuration.
struct ConfigurationKeys {
    let json: JSON.Object

    private func present(_ key: String) -> JSON? {
        json[key].flatMap { $0.isNull ? nil : $0 }
    }

    func optionalInteger(_ key: String) throws -> Int? {
        guard let value = present(key) else { return nil }
        guard let integer = value.intValue else {
            throw InputError("\(key) must be a whole number, not \(value.text().prefix(40))", at: key)
        }
        return integer
    }

    func integer(_ key: String, default fallback: Int? = nil) throws -> Int {
        guard let value = try optionalInteger(key) ?? fallback else {
            throw InputError("\(key) is missing", at: key)
        }
        return value
    }

    /// An integer, or the first of a list of integers.
    func firstInteger(_ key: String) throws -> Int? {
        if let list = present(key)?.arrayValue { return list.first?.intValue }
        return try optionalInteger(key)
    }

    func optionalNumber(_ key: String) throws -> Double? {
        guard let value = present(key) else { return nil }
        guard let number = value.doubleValue else {
            throw InputError("\(key) must be a number, not \(value.text().prefix(40))", at: key)
        }
        return number
    }

    func number(_ key: String, default fallback: Double? = nil) throws -> Double {
        guard let value = try optionalNumber(key) ?? fallback else {
            throw InputError("\(key) is missing", at: key)
        }
        return value
    }

    func flag(_ key: String, default fallback: Bool) throws -> Bool {
        guard let value = present(key) else { return fallback }
        guard let flag = value.boolValue else { throw InputError("\(key) must be true or false", at: key) }
        return flag
    }

    func optionalString(_ key: String) throws -> String? {
        guard let value = present(key) else { return nil }
        guard let text = value.stringValue else { throw InputError("\(key) must be a text", at: key) }
        return text
    }

    func choice<Choice: RawRepresentable<String>>(_ key: String, default fallback: Choice) throws -> Choice {
        guard let text = try optionalString(key) else { return fallback }
        guard let choice = Choice(rawValue: text) else { throw InputError("\(key) \"\(text)\" is unknown", at: key) }
        return choice
    }

    func object(_ key: String) throws -> ConfigurationKeys? {
        guard let value = present(key) else { return nil }
        guard let object = value.objectValue else { throw InputError("\(key) must be an object", at: key) }
        return ConfigurationKeys(json: object)
    }
}
