import CMinkeKernels
import MinkeFiles

/// A tensor inside a mapped file: its description, and its elements in row-major order.
public struct StoredTensor: @unchecked Sendable {  // The bytes are read-only and live as long as `owner`.
    public let name: String
    public let type: StoredType
    /// Dimensions, outermost first; empty for a scalar.
    public let shape: [Int]
    /// The elements, little-endian, at any alignment. Valid while this value is alive: see ``withBytes(_:)``.
    public let bytes: UnsafeRawBufferPointer
    /// Keeps ``bytes`` valid as long as it is alive: the mapped file.
    public let owner: AnyObject
    /// Path of the file, for messages.
    private let path: String

    /// - Parameters:
    ///   - range: the bytes of `file` that hold the elements, as many as `type` and `shape` need.
    init(name: String, type: StoredType, shape: [Int], file: MappedFile, range: Range<Int>) {
        self.init(
            name: name, type: type, shape: shape, bytes: UnsafeRawBufferPointer(rebasing: file.bytes[range]),
            owner: file, path: file.path)
    }

    init(
        name: String, type: StoredType, shape: [Int], bytes: UnsafeRawBufferPointer, owner: AnyObject, path: String
    ) {
        self.name = name
        self.type = type
        self.shape = shape
        self.bytes = bytes
        self.owner = owner
        self.path = path
    }

    /// The file and the bytes of it that hold the elements; nil for elements that lie in no file.
    public var place: (path: String, range: Range<Int>)? {
        guard let file = owner as? MappedFile, let start = file.bytes.baseAddress, let own = bytes.baseAddress else {
            return nil
        }
        return (file.path, own - start..<own - start + bytes.count)
    }

    /// The product of the dimensions.
    public var elementCount: Int { bytes.count / type.blockBytes * type.blockElements }

    /// Path of the file and name of the tensor, for messages.
    public var location: String { "\(path): tensor \"\(name)\"" }

    /// The rows `range` of the tensor seen as a matrix `[rows, columns]`, where columns is the last dimension: one expert
    /// of a stack, for example. Shares the bytes.
    ///
    /// - Throws: ``InputError`` when there are fewer rows.
    public func rows(_ range: Range<Int>) throws -> StoredTensor {
        guard let columns = shape.last, columns > 0 else { throw InputError("has no rows", at: location) }
        let count = elementCount / columns
        guard range.lowerBound >= 0, range.upperBound <= count else {
            throw InputError("has \(count) rows, but rows \(range) are needed", at: location)
        }
        let stride = columns / type.blockElements * type.blockBytes
        return StoredTensor(
            name: name, type: type, shape: [range.count, columns],
            bytes: UnsafeRawBufferPointer(
                rebasing: bytes[range.lowerBound * stride..<range.upperBound * stride]),
            owner: owner, path: path)
    }

    /// The same elements under another name and shape, which must have as many elements in rows as long.
    func renamed(_ name: String, shape: [Int]) -> StoredTensor {
        StoredTensor(name: name, type: type, shape: shape, bytes: bytes, owner: owner, path: path)
    }

    /// Calls `body` with the elements, which stay valid until it returns.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(owner) { try body(bytes) }
    }

    /// The elements as `Float`: exact for every floating-point type but F64, which is rounded;
    /// blocks are decoded.
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
            if type.isBlocked, let format = type.formatCode {
                minkeDecodeBlocks(format, source, target, Int64(destination.count))
            } else {
                convert(source, type, to: target, count: destination.count)
            }
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
        case _ where type.isBlocked: return
        default:
            throw InputError("holds \(type.rawValue) values, but floating-point values are needed", at: location)
        }
    }
}
