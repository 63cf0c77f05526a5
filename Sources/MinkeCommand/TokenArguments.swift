import MinkeFiles

/// Token ids as they come in arguments and files.
enum TokenArguments {
    /// Ids from a text such as `1,2,3`, with or without blanks and brackets.
    static func list(_ text: String) throws -> [Int32] {
        var text = text[...]
        if text.first == "[", text.last == "]" { text = text.dropFirst().dropLast() }
        return try text.split(whereSeparator: { $0 == "," || $0.isWhitespace }).map { part in
            guard let id = Int32(part), id >= 0 else {
                throw InputError("\"\(part.prefix(40))\" is not a token id", remedy: "give ids as 1,2,3")
            }
            return id
        }
    }

    /// Ids of a JSON array.
    static func list(_ json: JSON, at place: String) throws -> [Int32] {
        guard let values = json.arrayValue else { throw InputError("is not an array of token ids", at: place) }
        return try values.enumerated().map { index, value in
            guard let id = value.intValue.flatMap({ Int32(exactly: $0) }), id >= 0 else {
                throw InputError("\(value.text().prefix(40)) is not a token id", at: "\(place)[\(index)]")
            }
            return id
        }
    }

    /// Sequences from a file, which holds a JSON array of ids or of such arrays, or from a list.
    static func sequences(_ argument: String) throws -> [[Int32]] {
        guard FileSystem.exists(argument) else {
            guard argument.contains(where: \.isNumber), !argument.contains(where: { $0 == "/" || $0.isLetter }) else {
                throw InputError("neither a file nor a list of token ids", at: argument)
            }
            return [try list(argument)]
        }
        let json: JSON
        do {
            json = try JSON(parsing: FileSystem.readAll(argument))
        } catch let error as InputError where error.location?.hasPrefix(argument) != true {
            throw error.located(at: argument)
        }
        if let first = json.arrayValue?.first, first.arrayValue != nil {
            return try (json.arrayValue ?? []).enumerated().map { try list($1, at: "\(argument): [\($0)]") }
        }
        return [try list(json, at: argument)]
    }
}

extension JSON {
    init(ids: [Int32]) { self = .array(ids.map { .integer(Int($0)) }) }
}
