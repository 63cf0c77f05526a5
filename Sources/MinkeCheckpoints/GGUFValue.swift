import MinkeFiles

/// A value in the metadata of a GGUF file.
public enum GGUFValue: Sendable, Equatable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case bool(Bool)
    case string(String)
    case array(GGUFArray)
    case uint64(UInt64)
    case int64(Int64)
    case float64(Double)

    /// The type of the value, by the number that the file gives it.
    public enum Kind: UInt32, Sendable {
        case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

        /// Bytes of a value, `nil` for those without a fixed size.
        public var byteWidth: Int? {
            switch self {
            case .uint8, .int8, .bool: 1
            case .uint16, .int16: 2
            case .uint32, .int32, .float32: 4
            case .uint64, .int64, .float64: 8
            case .string, .array: nil
            }
        }
    }

    public var kind: Kind {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .float32: .float32
        case .bool: .bool
        case .string: .string
        case .array: .array
        case .uint64: .uint64
        case .int64: .int64
        case .float64: .float64
        }
    }

    /// The value as an integer, whatever its width; `nil` for other kinds and what does not fit.
    public var intValue: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(value)
        case .int32(let value): Int(value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(value)
        default: nil
        }
    }

    /// The value as a floating-point number; integers convert.
    ///
    /// A `float32` gives the shortest decimal number that is the same `Float`, which is what was meant: 0.707 and
    /// not 0.7070000171661377.
    public var doubleValue: Double? {
        switch self {
        case .float32(let value): Double(value.description)
        case .float64(let value): value
        default: intValue.map(Double.init)
        }
    }

    public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    public var arrayValue: GGUFArray? { if case .array(let value) = self { value } else { nil } }
}

/// A list of values of one kind, kept as the bytes of the file: vocabularies have hundreds of thousands of entries.
public struct GGUFArray: Sendable, Equatable {
    public let elementKind: GGUFValue.Kind
    public let count: Int
    /// The elements as the file encodes them, one after the other.
    public let bytes: [UInt8]

    /// - Parameter bytes: `count` whole elements.
    init(elementKind: GGUFValue.Kind, count: Int, bytes: [UInt8]) {
        self.elementKind = elementKind
        self.count = count
        self.bytes = bytes
    }

    public init(_ strings: some Collection<String>) {
        var bytes: [UInt8] = []
        for string in strings {
            Swift.withUnsafeBytes(of: UInt64(string.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: string.utf8)
        }
        self.init(elementKind: .string, count: strings.count, bytes: bytes)
    }

    public init(_ integers: some Collection<Int32>) {
        self.init(
            elementKind: .int32, count: integers.count,
            bytes: integers.flatMap { Swift.withUnsafeBytes(of: $0.littleEndian) { Array($0) } })
    }

    public init(_ numbers: some Collection<Float>) {
        self.init(
            elementKind: .float32, count: numbers.count,
            bytes: numbers.flatMap { Swift.withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } })
    }

    /// The elements of a list of strings.
    ///
    /// - Throws: ``InputError`` without a location, for other lists and for what is no UTF-8.
    public func strings() throws -> [String] {
        guard elementKind == .string else { throw InputError("is not a list of strings") }
        return try bytes.withUnsafeBytes { buffer in
            var cursor = GGUFCursor(buffer)
            return try (0..<count).map { _ in try cursor.string() }
        }
    }

    /// The elements of a list of integers of any width.
    ///
    /// - Throws: ``InputError`` without a location, for other lists.
    public func integers() throws -> [Int] {
        try bytes.withUnsafeBytes { buffer in
            var cursor = GGUFCursor(buffer)
            return try (0..<count).map { _ in
                guard let value = try cursor.value(elementKind).intValue else {
                    throw InputError("is not a list of integers")
                }
                return value
            }
        }
    }
}
