import MinkeFiles

/// Reads the little-endian numbers, strings and values of a GGUF file one after the other; never past the end.
struct GGUFCursor {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    /// Lists inside lists are allowed by the format and used by nobody.
    private static let mostNesting = 4

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var remaining: Int { bytes.count - offset }

    mutating func integer<Integer: FixedWidthInteger>(_: Integer.Type = Integer.self) throws -> Integer {
        let start = offset
        try skip(MemoryLayout<Integer>.size)
        return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: Integer.self))
    }

    /// A number of things that take at least `least` bytes each, all of which must still lie ahead.
    mutating func count(of things: String, least: Int) throws -> Int {
        let count: UInt64 = try integer()
        guard count <= UInt64(remaining / least) else {
            throw InputError("\(count) \(things) do not fit in the \(remaining) bytes that follow")
        }
        return Int(count)
    }

    mutating func string() throws -> String {
        let length = try count(of: "bytes of text", least: 1)
        let start = offset
        try skip(length)
        guard let text = String(validating: bytes[start..<start + length], as: UTF8.self) else {
            throw InputError("a text at byte \(start) is not UTF-8")
        }
        return text
    }

    mutating func kind() throws -> GGUFValue.Kind {
        let code: UInt32 = try integer()
        guard let kind = GGUFValue.Kind(rawValue: code) else { throw InputError("unknown value type \(code)") }
        return kind
    }

    mutating func value(_ kind: GGUFValue.Kind) throws -> GGUFValue {
        switch kind {
        case .uint8: return .uint8(try integer())
        case .int8: return .int8(try integer())
        case .uint16: return .uint16(try integer())
        case .int16: return .int16(try integer())
        case .uint32: return .uint32(try integer())
        case .int32: return .int32(try integer())
        case .float32: return .float32(Float(bitPattern: try integer()))
        case .bool: return .bool(try integer(UInt8.self) != 0)
        case .string: return .string(try string())
        case .uint64: return .uint64(try integer())
        case .int64: return .int64(try integer())
        case .float64: return .float64(Double(bitPattern: try integer()))
        case .array:
            let elementKind = try self.kind()
            let count = try elementCount(elementKind)
            let start = offset
            try skipElements(elementKind, count, nesting: 1)
            return .array(
                GGUFArray(elementKind: elementKind, count: count, bytes: Array(bytes[start..<offset])))
        }
    }

    private mutating func elementCount(_ kind: GGUFValue.Kind) throws -> Int {
        // A string has at least its length, a list its type and length.
        try count(of: "list elements", least: kind.byteWidth ?? (kind == .string ? 8 : 12))
    }

    private mutating func skipElements(_ kind: GGUFValue.Kind, _ count: Int, nesting: Int) throws {
        if let width = kind.byteWidth { return try skip(width * count) }
        guard nesting <= Self.mostNesting else { throw InputError("lists nested more than \(Self.mostNesting) deep") }
        for _ in 0..<count {
            if kind == .string {
                try skip(self.count(of: "bytes of text", least: 1))
            } else {
                let inner = try self.kind()
                try skipElements(inner, elementCount(inner), nesting: nesting + 1)
            }
        }
    }

    private mutating func skip(_ count: Int) throws {
        guard count <= remaining else { throw InputError("the file ends at byte \(bytes.count), inside its header") }
        offset += count
    }
}
