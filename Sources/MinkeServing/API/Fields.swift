import MinkeFiles

/// The fields of a JSON object from outside, read with their limits. `null` counts as absent.
///
/// What is wrong is said with the field's full name: `stream_options.include_usage`, `messages[3].content`.
struct Fields: Sendable {
    let object: JSON.Object
    /// What errors call the object; empty for the body itself.
    let path: String

    /// - Parameter path: what errors call the object; empty for the body itself.
    init(_ json: JSON, at path: String = "") throws {
        guard let object = json.objectValue else {
            throw APIError.invalid(
                "\(path.isEmpty ? "the body" : path) must be a JSON object", parameter: path.isEmpty ? nil : path)
        }
        self.object = object
        self.path = path
    }

    subscript(key: String) -> JSON? {
        let value = object[key]
        return value?.isNull == true ? nil : value
    }

    func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// An error that says "`key` must be …".
    func failure(_ key: String, _ rule: String) -> APIError {
        APIError.invalid("\(name(key)) must be \(rule)", parameter: name(key))
    }

    private func read<Value>(_ key: String, _ rule: @autoclosure () -> String, _ convert: (JSON) -> Value?) throws
        -> Value?
    {
        guard let json = self[key] else { return nil }
        guard let value = convert(json) else { throw failure(key, rule()) }
        return value
    }

    func string(_ key: String) throws -> String? { try read(key, "a string", \.stringValue) }
    func bool(_ key: String) throws -> Bool? { try read(key, "true or false", \.boolValue) }
    func list(_ key: String) throws -> [JSON]? { try read(key, "an array", \.arrayValue) }

    func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double? {
        try read(key, "a number from \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound))") {
            $0.doubleValue.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A whole number, also one that is written `16.0`.
    func integer(_ key: String, _ range: ClosedRange<Int>) throws -> Int? {
        let rule =
            range.upperBound == .max
            ? "a whole number of at least \(range.lowerBound)"
            : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return try read(key, rule) { $0.intValue.flatMap { range.contains($0) ? $0 : nil } }
    }

    /// An object inside this one.
    func fields(_ key: String) throws -> Fields? { try self[key].map { try Fields($0, at: name(key)) } }

    /// One of a few words.
    func word<Word: RawRepresentable & CaseIterable>(_ key: String, _ type: Word.Type = Word.self) throws -> Word?
    where Word.RawValue == String {
        try read(key, Self.alternatives(Word.allCases.map(\.rawValue))) { $0.stringValue.flatMap(Word.init) }
    }

    /// One or more strings.
    func strings(_ key: String) throws -> [String]? {
        try read(key, "a string or an array of strings") { json in
            if let text = json.stringValue { return [text] }
            guard let list = json.arrayValue else { return nil }
            let texts = list.compactMap(\.stringValue)
            return texts.count == list.count ? texts : nil
        }
    }

    static func alternatives(_ words: [String]) -> String {
        let quoted = words.map { "\"\($0)\"" }
        return quoted.count > 1
            ? quoted.dropLast().joined(separator: ", ") + " or " + (quoted.last ?? "") : quoted.joined()
    }

    private static func text(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }
}

extension APIError {
    /// What is wrong with a request, where the rooms below found it.
    ///
    /// - Parameter parameter: the field it is in, where the error does not say.
    init(_ error: InputError, parameter: String? = nil) {
        let known = ["messages", "tools", "tool_choice", "response_format", "format"]
        let location = error.location.flatMap { location in
            known.contains { location.hasPrefix($0) } ? location : nil
        }
        let shown = InputError(error.problem, at: location, remedy: error.remedy)
        self = .invalid(shown.description, parameter: location ?? parameter)
    }
}
