extension JSON {
    /// Parses one JSON value that fills all of `bytes` (white space around it is allowed).
    ///
    /// - Parameter maximumDepth: how deep arrays and objects may nest.
    /// - Throws: ``InputError`` whose location is `byte N`.
    public init(parsing bytes: UnsafeRawBufferPointer, maximumDepth: Int = 128) throws {
        var parser = Parser(bytes: bytes, maximumDepth: maximumDepth)
        self = try parser.document()
    }

    /// Parses a JSON text held in an array of UTF-8 bytes. See ``init(parsing:maximumDepth:)-(UnsafeRawBufferPointer,_)``.
    public init(parsing bytes: [UInt8], maximumDepth: Int = 128) throws {
        self = try bytes.withUnsafeBytes { try JSON(parsing: $0, maximumDepth: maximumDepth) }
    }

    /// Parses a JSON text.
    public init(parsing text: String, maximumDepth: Int = 128) throws {
        self = try JSON(parsing: Array(text.utf8), maximumDepth: maximumDepth)
    }
}

private struct Parser {
    let bytes: UnsafeRawBufferPointer
    let maximumDepth: Int
    var position = 0

    init(bytes: UnsafeRawBufferPointer, maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    func failure(_ problem: String, at offset: Int? = nil) -> InputError {
        InputError("invalid JSON: \(problem)", at: "byte \(offset ?? position)")
    }

    mutating func document() throws -> JSON {
        let result = try value(depth: 0)
        skipWhiteSpace()
        if position < bytes.count { throw failure("unexpected text after the value") }
        return result
    }

    mutating func skipWhiteSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    func peek() throws -> UInt8 {
        guard position < bytes.count else { throw failure("the text ends too early") }
        return bytes[position]
    }

    mutating func value(depth: Int) throws -> JSON {
        skipWhiteSpace()
        if depth > maximumDepth { throw failure("nested deeper than \(maximumDepth) levels") }
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw failure("unexpected character")
        }
    }

    mutating func literal(_ text: StaticString, _ result: JSON) throws -> JSON {
        let count = text.utf8CodeUnitCount
        let matches = text.withUTF8Buffer { expected in
            position + count <= bytes.count && (0..<count).allSatisfy { bytes[position + $0] == expected[$0] }
        }
        guard matches else { throw failure("unexpected word") }
        position += count
        return result
    }

    mutating func object(depth: Int) throws -> JSON {
        position += 1
        var object = JSON.Object()
        skipWhiteSpace()
        if try peek() == UInt8(ascii: "}") {
            position += 1
            return .object(object)
        }
        while true {
            skipWhiteSpace()
            let keyStart = position
            guard try peek() == UInt8(ascii: "\"") else { throw failure("expected a key in quotes") }
            let key = try string()
            if object[key] != nil { throw failure("duplicate key \"\(key.prefix(80))\"", at: keyStart) }
            skipWhiteSpace()
            guard try peek() == UInt8(ascii: ":") else { throw failure("expected ':' after a key") }
            position += 1
            object[key] = try value(depth: depth + 1)
            skipWhiteSpace()
            switch try peek() {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return .object(object)
            default: throw failure("expected ',' or '}'")
            }
        }
    }

    mutating func array(depth: Int) throws -> JSON {
        position += 1
        var elements: [JSON] = []
        skipWhiteSpace()
        if try peek() == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            skipWhiteSpace()
            switch try peek() {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return .array(elements)
            default: throw failure("expected ',' or ']'")
            }
        }
    }

    mutating func number() throws -> JSON {
        let start = position
        var isInteger = true
        func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        func skipDigits(_ parser: inout Parser) throws {
            guard isDigit(try parser.peek()) else { throw parser.failure("expected a digit") }
            while parser.position < parser.bytes.count, isDigit(parser.bytes[parser.position]) { parser.position += 1 }
        }
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let leadingZero = try peek() == UInt8(ascii: "0")
        let firstDigit = position
        try skipDigits(&self)
        if leadingZero && position - firstDigit > 1 { throw failure("a number may not start with 0", at: start) }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            try skipDigits(&self)
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(try peek()) { position += 1 }
            try skipDigits(&self)
        }
        if position - start > 1_000 { throw failure("a number of more than 1000 characters", at: start) }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw failure("number out of range", at: start) }
        return .number(value)
    }

    mutating func string() throws -> String {
        let start = position
        position += 1
        var end = position
        while end < bytes.count, bytes[end] != UInt8(ascii: "\""), bytes[end] != UInt8(ascii: "\\"), bytes[end] >= 0x20
        {
            end += 1
        }
        guard end < bytes.count else { throw failure("a string without its closing quote", at: start) }
        if bytes[end] == UInt8(ascii: "\"") {
            guard let text = String(validating: bytes[position..<end], as: UTF8.self) else {
                throw failure("a string that is not valid UTF-8", at: start)
            }
            position = end + 1
            return text
        }
        return try stringWithEscapes(start: start)
    }

    private mutating func stringWithEscapes(start: Int) throws -> String {
        var content: [UInt8] = []
        while true {
            guard position < bytes.count else { throw failure("a string without its closing quote", at: start) }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw failure("a string that is not valid UTF-8", at: start)
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &content)
            case 0..<0x20: throw failure("a control character inside a string", at: position - 1)
            default: content.append(byte)
            }
        }
    }

    private mutating func escape(into content: inout [UInt8]) throws {
        let byte = try peek()
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try hexadecimal())
            if (0xD800..<0xDC00).contains(code) {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u")
                else { throw failure("half of a surrogate pair") }
                position += 2
                let low = UInt32(try hexadecimal())
                guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half of a surrogate pair") }
            content.append(contentsOf: Character(scalar).utf8)
        default: throw failure("unknown escape", at: position - 1)
        }
    }

    private mutating func hexadecimal() throws -> UInt16 {
        var code: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(try peek())).hexDigitValue else {
                throw failure("expected four hexadecimal digits")
            }
            code = code << 4 | UInt16(digit)
            position += 1
        }
        return code
    }
}
