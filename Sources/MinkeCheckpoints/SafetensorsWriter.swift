import MinkeFiles

/// Writes safetensors files.
public enum SafetensorsWriter {
    /// Name, element type and shape of a tensor to write.
    public typealias Declaration = (name: String, type: StoredType, shape: [Int])

    /// Writes a file that appears under its name whole or not at all (see ``AtomicFile``).
    ///
    /// - Parameters:
    ///   - tensors: what to write, in the order of the file.
    ///   - metadata: free text; written in the order of its keys.
    ///   - data: called once for each tensor with its index and a function that takes its little-endian elements,
    ///     in as many pieces as is convenient.
    /// - Throws: ``InputError`` when a name is taken twice or reserved, a shape overflows, `data` gives more or
    ///   fewer bytes than declared, or the disk refuses; and whatever `data` throws.
    public static func write(
        to path: String, tensors: [Declaration], metadata: [String: String] = [:],
        data: (Int, (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        let (header, sizes, total) = try layOut(tensors, metadata, path: path)
        let file = try AtomicFile(path: path, expectedSize: total)
        try withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { try file.write($0) }
        try file.write(header)
        for (index, size) in sizes.enumerated() {
            var missing = size
            try data(index) { piece in
                missing -= piece.count
                guard missing >= 0 else { throw mismatch(tensors[index], path) }
                try file.write(piece)
            }
            guard missing == 0 else { throw mismatch(tensors[index], path) }
        }
        try file.commit()
    }

    private static func mismatch(_ tensor: Declaration, _ path: String) -> InputError {
        InputError(
            "the data of tensor \"\(tensor.name)\" does not fill \(tensor.type.rawValue) \(tensor.shape) exactly",
            at: path)
    }

    /// The header, the byte count of each tensor, and the size of the file.
    private static func layOut(
        _ tensors: [Declaration], _ metadata: [String: String], path: String
    ) throws -> (header: String, sizes: [Int], total: Int) {
        var header = JSON.Object()
        if !metadata.isEmpty {
            var object = JSON.Object()
            for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { object[key] = .string(value) }
            header[SafetensorsFile.metadataKey] = .object(object)
        }
        var sizes: [Int] = []
        var offset = 0
        for tensor in tensors {
            let place = "\(path): tensor \"\(tensor.name)\""
            guard header[tensor.name] == nil, tensor.name != SafetensorsFile.metadataKey else {
                throw InputError("the name is taken", at: place)
            }
            guard !tensor.type.isBlocked else {
                throw InputError("a safetensors file cannot hold \(tensor.type.rawValue)", at: place)
            }
            guard let size = tensor.type.byteCount(shape: tensor.shape),
                case let (end, overflow) = offset.addingReportingOverflow(size), !overflow
            else { throw InputError("shape \(tensor.shape) overflows 64 bits", at: place) }
            header[tensor.name] = [
                "dtype": .string(tensor.type.rawValue),
                "shape": .array(tensor.shape.map(JSON.integer)),
                "data_offsets": [.integer(offset), .integer(end)],
            ]
            sizes.append(size)
            offset = end
        }
        var text = JSON.object(header).text()
        // The data begins at a multiple of 8.
        text += String(repeating: " ", count: -text.utf8.count & 7)
        guard text.utf8.count <= SafetensorsFile.longestHeader else {
            throw InputError("the header would exceed \(SafetensorsFile.longestHeader) bytes", at: path)
        }
        let (total, overflow) = offset.addingReportingOverflow(text.utf8.count + MemoryLayout<UInt64>.size)
        if overflow { throw InputError("the file would exceed 2^63 bytes", at: path) }
        return (text, sizes, total)
    }
}
