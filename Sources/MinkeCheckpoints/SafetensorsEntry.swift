import MinkeFiles

/// What a safetensors header says of one tensor, checked by itself.
struct SafetensorsEntry: Sendable {
    let type: StoredType
    let shape: [Int]
    /// Place in the data that follows the header.
    let range: Range<Int>

    /// The most dimensions of a tensor. The format names no limit; PyTorch has this one.
    private static let mostDimensions = 64

    /// - Throws: ``InputError`` without a location.
    init(_ value: JSON) throws {
        guard let object = value.objectValue else { throw InputError("its entry is not an object") }
        guard let typeName = object["dtype"]?.stringValue else { throw InputError("dtype is missing or not a string") }
        guard let type = StoredType(rawValue: typeName), !type.isBlocked else {
            throw InputError("unknown dtype \"\(typeName.prefix(40))\"")
        }
        let shape = try SafetensorsEntry.sizes(object, "shape")
        guard shape.count <= SafetensorsEntry.mostDimensions else {
            throw InputError("\(shape.count) dimensions, more than \(SafetensorsEntry.mostDimensions)")
        }
        let offsets = try SafetensorsEntry.sizes(object, "data_offsets")
        guard offsets.count == 2 else { throw InputError("data_offsets has \(offsets.count) numbers, expected 2") }
        guard offsets[0] <= offsets[1] else {
            throw InputError("data_offsets begin at \(offsets[0]), after their end \(offsets[1])")
        }
        guard object.count == 3 else { throw InputError("has keys besides dtype, shape and data_offsets") }
        guard let size = type.byteCount(shape: shape) else { throw InputError("shape \(shape) overflows 64 bits") }
        guard size == offsets[1] - offsets[0] else {
            throw InputError(
                "\(typeName) of shape \(shape) takes \(size) bytes, data_offsets span \(offsets[1] - offsets[0])")
        }
        self.type = type
        self.shape = shape
        range = offsets[0]..<offsets[1]
    }

    /// A list of numbers from 0 up, written as integers.
    private static func sizes(_ object: JSON.Object, _ key: String) throws -> [Int] {
        guard let elements = object[key]?.arrayValue else { throw InputError("\(key) is missing or not a list") }
        return try elements.map { element in
            guard case .integer(let size) = element, size >= 0 else {
                throw InputError("\(key) holds something other than integers from 0 to 2^63 - 1")
            }
            return size
        }
    }
}
