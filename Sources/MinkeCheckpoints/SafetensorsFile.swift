import MinkeFiles

/// A safetensors file, mapped into memory and checked against every rule of the format.
///
/// The file is a length (8 bytes, little-endian), a JSON header of that length, and the data. The header gives each
/// tensor's type, shape and place in the data; the places must cover the data without holes or overlap.
/// Format: https://github.com/huggingface/safetensors#format
public struct SafetensorsFile: Sendable {
    public let path: String
    /// The free text under `__metadata__`, empty when there is none.
    public let metadata: [String: String]
    /// The names of the tensors, in the order of the header.
    public let names: [String]

    private let file: MappedFile
    private let dataStart: Int
    private let entries: [String: SafetensorsEntry]

    /// The longest header that the format allows, in bytes.
    static let longestHeader = 100_000_000
    /// The header's key that is not a tensor.
    static let metadataKey = "__metadata__"

    /// Opens and checks a file. No tensor data is read.
    ///
    /// - Throws: ``InputError`` that names the file, the tensor or the byte, and the rule that is broken.
    public init(path: String) throws {
        let file = try MappedFile(path: path)
        let header = try SafetensorsFile.header(of: file)
        var metadata: [String: String] = [:]
        var names: [String] = []
        var entries: [String: SafetensorsEntry] = [:]
        for (name, value) in header.content {
            do {
                if name == SafetensorsFile.metadataKey {
                    metadata = try SafetensorsFile.metadata(value)
                } else if entries.updateValue(try SafetensorsEntry(value), forKey: name) == nil {
                    names.append(name)
                } else {
                    throw InputError("another name differs from it only in the encoding of accents")
                }
            } catch let error as InputError {
                throw error.located(at: SafetensorsFile.place(path, name))
            }
        }
        try SafetensorsFile.checkCoverage(entries, dataSize: file.bytes.count - header.end, path: path)
        self.path = path
        self.metadata = metadata
        self.names = names
        self.entries = entries
        self.file = file
        dataStart = header.end
    }

    /// The tensor called `name`, or `nil` when the file has none.
    public func tensor(_ name: String) -> StoredTensor? {
        guard let entry = entries[name] else { return nil }
        let range = entry.range.lowerBound + dataStart..<entry.range.upperBound + dataStart
        return StoredTensor(name: name, type: entry.type, shape: entry.shape, file: file, range: range)
    }

    private static func place(_ path: String, _ name: String) -> String {
        name == metadataKey ? "\(path): \(name)" : "\(path): tensor \"\(name.prefix(200))\""
    }

    /// Reads the length and the JSON object behind it, which ends at byte `end` of the file.
    private static func header(of file: MappedFile) throws -> (content: JSON.Object, end: Int) {
        try file.withBytes { bytes in
            let lengthSize = MemoryLayout<UInt64>.size
            guard bytes.count >= lengthSize else {
                throw InputError("not a safetensors file: shorter than \(lengthSize) bytes", at: file.path)
            }
            let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
            guard length <= longestHeader else {
                throw InputError("not a safetensors file: a header of \(length) bytes is too long", at: file.path)
            }
            guard length <= bytes.count - lengthSize else {
                throw InputError(
                    "the header of \(length) bytes reaches past the end of the file", at: file.path,
                    remedy: "is the download complete?")
            }
            let end = lengthSize + Int(length)
            guard length > 0, bytes[lengthSize] == UInt8(ascii: "{") else {
                throw InputError("not a safetensors file: the header does not begin with '{'", at: file.path)
            }
            do {
                let json = try JSON(parsing: UnsafeRawBufferPointer(rebasing: bytes[lengthSize..<end]), maximumDepth: 8)
                return (json.objectValue ?? [:], end)
            } catch let error as InputError {
                throw error.located(at: "\(file.path): header")
            }
        }
    }

    private static func metadata(_ value: JSON) throws -> [String: String] {
        guard let object = value.objectValue else { throw InputError("is not an object of strings") }
        var metadata: [String: String] = [:]
        for (key, value) in object {
            guard let text = value.stringValue else {
                throw InputError("the value of \"\(key.prefix(200))\" is not a string")
            }
            metadata[key] = text
        }
        return metadata
    }

    /// Checks that the tensors, in the order of their places, follow one another from the start to the end of the data.
    private static func checkCoverage(_ entries: [String: SafetensorsEntry], dataSize: Int, path: String) throws {
        let ordered = entries.sorted { left, right in
            let (first, second) = (left.value.range, right.value.range)
            return (first.lowerBound, first.upperBound) < (second.lowerBound, second.upperBound)
        }
        var covered = 0
        for (name, entry) in ordered {
            let range = entry.range
            guard range.upperBound <= dataSize else {
                throw InputError(
                    "data_offsets end at \(range.upperBound), but the file has \(dataSize) bytes of data",
                    at: place(path, name), remedy: "is the download complete?")
            }
            guard range.lowerBound == covered else {
                let problem = range.lowerBound < covered ? "overlap the tensor before" : "leave a hole before"
                throw InputError(
                    "data_offsets \(problem): begin at \(range.lowerBound), expected \(covered)", at: place(path, name))
            }
            covered = range.upperBound
        }
        guard covered == dataSize else {
            throw InputError("\(dataSize - covered) bytes after the last tensor belong to none", at: path)
        }
    }
}
