import MinkeFiles

/// A tensor inside a mapped file: its description, and its elements in row-major order.
public struct StoredTensor: @unchecked Sendable {  // The bytes are read-only and live as long as `file`.
    public let name: String
    public let type: StoredType
    /// Dimensions, outermost first; empty for a scalar.
    public let shape: [Int]
    /// The elements, little-endian, at any alignment. Valid while this value is alive: see ``withBytes(_:)``.
    public let bytes: UnsafeRawBufferPointer
    private let file: MappedFile

    /// - Parameters:
    ///   - range: the bytes of `file` that hold the elements, as many as `type` and `shape` need.
    init(name: String, type: StoredType, shape: [Int], file: MappedFile, range: Range<Int>) {
        self.name = name
        self.type = type
        self.shape = shape
        self.file = file
        bytes = UnsafeRawBufferPointer(rebasing: file.bytes[range])
    }

    /// The product of the dimensions.
    public var elementCount: Int { bytes.count / type.byteWidth }

    /// Path of the file and name of the tensor, for messages.
    public var location: String { "\(file.path): tensor \"\(name)\"" }

    /// Calls `body` with the elements, which stay valid until it returns.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(file) { try body(bytes) }
    }

    /// The elements as `Float`: exact for every floating-point type but F64, which is rounded.
    ///
    /// - Throws: ``InputError`` when the type is an integer type or BOOL.
    public func floats() throws -> [Float] {
        try requireFloatingPoint()
        return try [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
            let target = UnsafeMutableBufferPointer(rebasing: buffer[..<elementCount])
            try copyFloats(to: target)
            count = target.count
        }
    }

    /// Writes what ``floats()`` returns to `destination`, which must have ``elementCount`` elements.
    public func copyFloats(to destination: UnsafeMutableBufferPointer<Float>) throws {
        precondition(destination.count == elementCount, "the destination must hold exactly the tensor's elements")
        try requireFloatingPoint()
        withBytes { bytes in
            guard let source = bytes.baseAddress, let target = destination.baseAddress else { return }
            convert(source, type, to: target, count: destination.count)
        }
    }

    /// The elements as integers.
    ///
    /// - Throws: ``InputError`` when the type is not an integer type, or an element is above `Int.max`.
    public func integers() throws -> [Int] {
        switch type {
        case .int64: try integers(of: Int64.self)
        case .int32: try integers(of: Int32.self)
        case .int16: try integers(of: Int16.self)
        case .int8: try integers(of: Int8.self)
        case .uint64: try integers(of: UInt64.self)
        case .uint32: try integers(of: UInt32.self)
        case .uint16: try integers(of: UInt16.self)
        case .uint8: try integers(of: UInt8.self)
        default: throw InputError("holds \(type.rawValue) values, but integers are needed", at: location)
        }
    }

    private func integers<Element: FixedWidthInteger>(of _: Element.Type) throws -> [Int] {
        try withBytes { bytes in
            try (0..<elementCount).map { index in
                let offset = index * MemoryLayout<Element>.size
                let element = Element(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Element.self))
                guard let value = Int(exactly: element) else {
                    throw InputError("element \(index) is \(element), above \(Int.max)", at: location)
                }
                return value
            }
        }
    }

    private func requireFloatingPoint() throws {
        switch type {
        case .float64, .float32, .float16, .bfloat16, .float8E4M3, .float8E5M2, .float8E8M0: return
        default:
            throw InputError("holds \(type.rawValue) values, but floating-point values are needed", at: location)
        }
    }
}
