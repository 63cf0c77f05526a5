import MinkeFiles

/// A model in GGUF: metadata and tensors of one file, or of the parts `-00001-of-0000N.gguf` that it was split into.
///
/// Files are mapped, not read; every rule of the container is checked when they are opened.
public struct GGUFFile: Sendable {
    /// The path of the file, of the first part when there are several.
    public let path: String
    /// The metadata; of the first part when there are several.
    public let metadata: GGUFMetadata
    /// The names of all tensors as the file spells them, in its order.
    public let tensorNames: [String]

    private let shards: [GGUFShard]
    private let shardIndices: [String: Int]

    private static let partKey = "split.no"
    private static let partCountKey = "split.count"
    private static let tensorCountKey = "split.tensors.count"

    /// Opens a file and, when it is a part, all others beside it.
    ///
    /// - Throws: ``InputError`` that names the file, key or tensor and the rule that is broken, or the part missing.
    public init(path: String) throws {
        let given = try GGUFShard(path: path)
        let count = try Self.located(path) { try given.metadata.integer(Self.partCountKey) } ?? 1
        shards = count == 1 ? [given] : try Self.parts(count, beside: given)
        self.path = shards[0].file.path
        metadata = shards[0].metadata
        tensorNames = shards.flatMap(\.names)
        var indices: [String: Int] = [:]
        for (index, shard) in shards.enumerated() {
            for name in shard.names {
                guard indices.updateValue(index, forKey: name) == nil else {
                    throw InputError("another part has this tensor, too", at: "\(shard.file.path): tensor \"\(name)\"")
                }
            }
        }
        shardIndices = indices
        if let announced = try Self.located(self.path, { try shards[0].metadata.integer(Self.tensorCountKey) }),
            announced != tensorNames.count
        {
            throw InputError(
                "\(Self.tensorCountKey) is \(announced), but the parts have \(tensorNames.count) tensors",
                at: self.path)
        }
    }

    public func hasTensor(_ name: String) -> Bool { shardIndices[name] != nil }

    /// The dimensions of a tensor, outermost first; `nil` when there is none of this name.
    public func shape(of name: String) -> [Int]? { entry(name)?.entry.shape }

    /// The tensor that the file calls `name`, its dimensions outermost first.
    ///
    /// - Throws: ``InputError`` when there is none, or its type is not supported.
    public func tensor(_ name: String) throws -> StoredTensor {
        guard let (entry, shard) = entry(name) else {
            throw InputError("the file has no tensor \"\(name.prefix(200))\"", at: path)
        }
        guard let type = entry.type.storedType else {
            throw InputError(
                "the type \(entry.type.name) is not supported", at: "\(shard.file.path): tensor \"\(name)\"",
                remedy: "use a file in Q2_K to Q8_0, IQ4, MXFP4, F16, BF16 or F32")
        }
        return StoredTensor(name: name, type: type, shape: entry.shape, file: shard.file, range: entry.range)
    }

    private func entry(_ name: String) -> (entry: GGUFShard.Entry, shard: GGUFShard)? {
        guard let index = shardIndices[name], let entry = shards[index].entries[name] else { return nil }
        return (entry, shards[index])
    }

    /// Opens all `count` parts of the model that `given` is one of.
    private static func parts(_ count: Int, beside given: GGUFShard) throws -> [GGUFShard] {
        let path = given.file.path
        guard (1...99_999).contains(count) else { throw InputError("is \(count)", at: "\(path): \(partCountKey)") }
        let name = FileSystem.name(of: path)
        guard let stem = stem(of: name, count: count) else {
            throw InputError(
                "the file is one of \(count) parts, but its name does not end in \(suffix(1, of: count))", at: path,
                remedy: "give the parts the names under which they were published")
        }
        return try (0..<count).map { index in
            let partName = stem + suffix(index + 1, of: count)
            let partPath = FileSystem.join(FileSystem.directory(of: path), partName)
            guard partName == name || FileSystem.exists(partPath) else {
                throw InputError(
                    "the part \(partName) is missing", at: path, remedy: "is the download complete?")
            }
            let part = partName == name ? given : try GGUFShard(path: partPath)
            try located(part.file.path) {
                guard try part.metadata.integer(partCountKey) == count else {
                    throw InputError("is not \(count), as in the other parts", at: partCountKey)
                }
                guard try part.metadata.integer(partKey) == index else {
                    throw InputError("is not \(index), as the file's name says", at: partKey)
                }
            }
            return part
        }
    }

    private static func suffix(_ number: Int, of count: Int) -> String {
        func padded(_ number: Int) -> String {
            String(repeating: "0", count: max(0, 5 - String(number).count)) + String(number)
        }
        return "-\(padded(number))-of-\(padded(count)).gguf"
    }

    /// What stands in front of `-00001-of-0000N.gguf`.
    private static func stem(of name: String, count: Int) -> String? {
        let length = suffix(1, of: count).utf8.count
        guard name.utf8.count >= length else { return nil }
        let end = String(name.suffix(length))
        let numberText = end.dropFirst().prefix(5)
        guard let number = Int(numberText), end == suffix(number, of: count) else { return nil }
        return String(name.dropLast(length))
    }

    private static func located<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as InputError {
            throw error.located(at: path)
        }
    }
}
