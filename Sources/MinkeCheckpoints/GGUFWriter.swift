import MinkeFiles

/// Writes GGUF files, version 3.
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
public enum GGUFWriter {
    /// Name, type and dimensions (outermost first) of a tensor to write.
    public typealias Declaration = (name: String, type: StoredType, shape: [Int])

    /// Writes a file that appears under its name whole or not at all (see ``AtomicFile``).
    ///
    /// - Parameters:
    ///   - metadata: written in its order; tensors are aligned to 32 bytes whatever it says of alignment.
    ///   - tensors: what to write, in the order of the file.
    ///   - data: called once for each tensor with its index and a function that takes its bytes, in as many pieces as is
    ///     convenient.
    /// - Throws: ``InputError`` when a name is taken twice, a shape overflows or is no whole number of blocks, a type does
    ///   not exist in GGUF, `data` gives more or fewer bytes than declared, or the disk refuses; and whatever `data`
    ///   throws.
    public static func write(
        to path: String, metadata: GGUFMetadata, tensors: [Declaration],
        data: (Int, (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        var metadata = metadata
        metadata[GGUFShard.alignmentKey] = nil
        let (header, sizes, total) = try layOut(metadata, tensors, path: path)
        let file = try AtomicFile(path: path, expectedSize: total)
        try header.withUnsafeBytes { try file.write($0) }
        for (index, size) in sizes.enumerated() {
            var missing = size
            try data(index) { piece in
                missing -= piece.count
                guard missing >= 0 else { throw mismatch(tensors[index], path) }
                try file.write(piece)
            }
            guard missing == 0 else { throw mismatch(tensors[index], path) }
            try [UInt8](repeating: 0, count: padding(after: size)).withUnsafeBytes { try file.write($0) }
        }
        try file.commit()
    }

    /// Bytes from `offset` to the next multiple of the alignment.
    private static func padding(after offset: Int) -> Int { -offset & (GGUFShard.defaultAlignment - 1) }

    private static func mismatch(_ tensor: Declaration, _ path: String) -> InputError {
        InputError(
            "the data of tensor \"\(tensor.name)\" does not fill \(tensor.type.rawValue) \(tensor.shape) exactly",
            at: path)
    }

    /// Everything in front of the data, the byte count of each tensor, and the size of the file.
    private static func layOut(
        _ metadata: GGUFMetadata, _ tensors: [Declaration], path: String
    ) throws -> (header: [UInt8], sizes: [Int], total: Int) {
        var header = GGUFShard.magic
        header.append(UInt32(3))
        header.append(UInt64(tensors.count))
        header.append(UInt64(metadata.keys.count))
        for key in metadata.keys {
            guard let value = metadata[key] else { continue }
            header.append(key)
            header.append(value.kind.rawValue)
            header.append(value)
        }
        var names: Set<String> = []
        var sizes: [Int] = []
        var offset = 0
        for tensor in tensors {
            let place = "\(path): tensor \"\(tensor.name)\""
            guard names.insert(tensor.name).inserted else { throw InputError("the name is taken", at: place) }
            guard let code = GGUFTensorType.code(of: tensor.type) else {
                throw InputError("the type \(tensor.type.rawValue) does not exist in GGUF", at: place)
            }
            guard let size = tensor.type.byteCount(shape: tensor.shape),
                case let (end, overflow) = offset.addingReportingOverflow(size), !overflow,
                case let (next, overflows) = end.addingReportingOverflow(padding(after: end)), !overflows
            else {
                throw InputError(
                    "shape \(tensor.shape) overflows or is no whole number of \(tensor.type.rawValue) blocks", at: place)
            }
            header.append(tensor.name)
            header.append(UInt32(tensor.shape.count))
            for dimension in tensor.shape.reversed() { header.append(UInt64(dimension)) }
            header.append(code)
            header.append(UInt64(offset))
            sizes.append(size)
            offset = next
        }
        header += [UInt8](repeating: 0, count: padding(after: header.count))
        let (total, overflow) = offset.addingReportingOverflow(header.count)
        if overflow { throw InputError("the file would exceed 2^63 bytes", at: path) }
        return (header, sizes, total)
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(_ text: String) {
        append(UInt64(text.utf8.count))
        append(contentsOf: text.utf8)
    }

    fileprivate mutating func append(_ value: GGUFValue) {
        switch value {
        case .uint8(let value): append(value)
        case .int8(let value): append(value)
        case .uint16(let value): append(value)
        case .int16(let value): append(value)
        case .uint32(let value): append(value)
        case .int32(let value): append(value)
        case .float32(let value): append(value.bitPattern)
        case .bool(let value): append(UInt8(value ? 1 : 0))
        case .string(let value): append(value)
        case .array(let value):
            append(value.elementKind.rawValue)
            append(UInt64(value.count))
            append(contentsOf: value.bytes)
        case .uint64(let value): append(value)
        case .int64(let value): append(value)
        case .float64(let value): append(value.bitPattern)
        }
    }
}

extension GGUFTensorType {
    /// The number that a GGUF file gives a type; `nil` for types that it does not know.
    static func code(of type: StoredType) -> UInt32? {
        switch type {
        case .float64: 28
        case .int8: 24
        case .int16: 25
        case .int32: 26
        case .int64: 27
        case .float8E4M3: nil
        // The kernels use GGML's numbers.
        default: type.formatCode.map { UInt32($0) }
        }
    }
}
