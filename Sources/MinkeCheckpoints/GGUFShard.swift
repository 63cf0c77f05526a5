import MinkeFiles

/// One GGUF file, mapped into memory and checked against every rule of the container.
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
struct GGUFShard: Sendable {
    /// What the file says of one tensor.
    struct Entry: Sendable {
        let type: GGUFTensorType
        /// Outermost dimension first, the other way round than in the file.
        let shape: [Int]
        /// Place in the file.
        let range: Range<Int>
    }

    let file: MappedFile
    let metadata: GGUFMetadata
    /// The names of the tensors, in the order of the file.
    let names: [String]
    let entries: [String: Entry]

    static let magic: [UInt8] = Array("GGUF".utf8)
    static let defaultAlignment = 32
    static let alignmentKey = "general.alignment"
    private static let mostDimensions = 4
    private static let longestName = 1024

    /// - Throws: ``InputError`` that names the file, the key or tensor, and the rule that is broken.
    init(path: String) throws {
        let file = try MappedFile(path: path)
        do {
            (metadata, names, entries) = try file.withBytes { bytes in
                var cursor = GGUFCursor(bytes)
                let counts = try Self.counts(&cursor, of: bytes)
                let metadata = try Self.metadata(&cursor, count: counts.values)
                let tensors = try Self.tensors(&cursor, count: counts.tensors)
                let alignment = try Self.alignment(metadata)
                let (start, overflow) = cursor.offset.addingReportingOverflow((0 &- cursor.offset) & (alignment - 1))
                guard !overflow else { throw InputError("\(Self.alignmentKey) is too large") }
                var entries: [String: Entry] = [:]
                for tensor in tensors {
                    do {
                        let entry = try tensor.entry(dataStart: start, alignment: alignment, fileSize: bytes.count)
                        guard entries.updateValue(entry, forKey: tensor.name) == nil else {
                            throw InputError("is there twice")
                        }
                    } catch let error as InputError {
                        throw error.located(at: "tensor \"\(tensor.name.prefix(200))\"")
                    }
                }
                return (metadata, tensors.map(\.name), entries)
            }
        } catch let error as InputError {
            throw error.located(at: path)
        }
        self.file = file
    }

    private static func counts(
        _ cursor: inout GGUFCursor, of bytes: UnsafeRawBufferPointer
    ) throws -> (tensors: Int, values: Int) {
        guard bytes.count >= 24, bytes.prefix(4).elementsEqual(magic) else {
            throw InputError("not a GGUF file: it does not begin with \"GGUF\" and two counts")
        }
        _ = try cursor.integer(UInt32.self)
        let version: UInt32 = try cursor.integer()
        guard version == 2 || version == 3 else {
            let isSwapped = version.byteSwapped == 2 || version.byteSwapped == 3
            throw InputError(
                isSwapped
                    ? "a GGUF file in big-endian order, which is not supported"
                    : "GGUF version \(version) is not supported", remedy: "versions 2 and 3 are")
        }
        // A tensor takes at least its name's length, dimensions, type and offset; a value its key's length and type.
        let tensors = try cursor.count(of: "tensors", least: 8 + 4 + 8 + 4 + 8)
        return (tensors, try cursor.count(of: "metadata entries", least: 8 + 4 + 1))
    }

    private static func metadata(_ cursor: inout GGUFCursor, count: Int) throws -> GGUFMetadata {
        var metadata = GGUFMetadata()
        for index in 0..<count {
            var place = "metadata entry \(index + 1)"
            do {
                let key = try cursor.string()
                if !key.isEmpty { place = String(key.prefix(200)) }
                guard metadata[key] == nil else { throw InputError("the key is there twice") }
                metadata[key] = try cursor.value(cursor.kind())
            } catch let error as InputError {
                throw error.located(at: place)
            }
        }
        return metadata
    }

    private static func alignment(_ metadata: GGUFMetadata) throws -> Int {
        guard let value = metadata[alignmentKey] else { return defaultAlignment }
        guard case .uint32(let alignment) = value, alignment.nonzeroBitCount == 1 else {
            throw InputError("must be a power of two, as uint32", at: alignmentKey)
        }
        return Int(alignment)
    }

    /// A tensor as the header describes it.
    private struct Description {
        let name: String
        let type: GGUFTensorType
        let shape: [Int]
        let offset: UInt64

        func entry(dataStart: Int, alignment: Int, fileSize: Int) throws -> Entry {
            let columns = shape.last ?? 1
            guard columns.isMultiple(of: type.blockElements) else {
                throw InputError("rows of \(columns) elements are no whole blocks of \(type.name)")
            }
            guard offset.isMultiple(of: UInt64(alignment)) else {
                throw InputError("its offset \(offset) is no multiple of the alignment \(alignment)")
            }
            var count = 1
            for dimension in shape {
                let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
                if overflow { throw InputError("shape \(shape) overflows 64 bits") }
                count = product
            }
            let (size, overflow) = (count / type.blockElements).multipliedReportingOverflow(by: type.blockBytes)
            let available = fileSize - dataStart
            guard !overflow, available >= 0, offset <= UInt64(available), size <= available - Int(offset) else {
                throw InputError(
                    "its data lies beyond the end of the file", remedy: "is the download complete?")
            }
            let start = dataStart + Int(offset)
            return Entry(type: type, shape: shape, range: start..<start + size)
        }
    }

    private static func tensors(_ cursor: inout GGUFCursor, count: Int) throws -> [Description] {
        try (0..<count).map { index in
            var place = "tensor \(index + 1)"
            do {
                let name = try cursor.string()
                guard !name.isEmpty, name.utf8.count <= longestName else {
                    throw InputError("a tensor's name must have 1 to \(longestName) bytes")
                }
                place = "tensor \"\(name.prefix(200))\""
                let dimensions: UInt32 = try cursor.integer()
                guard (1...UInt32(mostDimensions)).contains(dimensions) else {
                    throw InputError("\(dimensions) dimensions; 1 to \(mostDimensions) are possible")
                }
                let shape = try (0..<dimensions).map { _ in
                    let size: UInt64 = try cursor.integer()
                    guard size > 0, let size = Int(exactly: size) else {
                        throw InputError("the dimension \(size) is impossible")
                    }
                    return size
                }
                let code: UInt32 = try cursor.integer()
                guard let type = GGUFTensorType(code: code) else { throw InputError("unknown type \(code)") }
                return Description(
                    name: name, type: type, shape: shape.reversed(), offset: try cursor.integer())
            } catch let error as InputError {
                throw error.located(at: place)
            }
        }
    }
}
