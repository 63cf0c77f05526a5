import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The shared fixture of a training run: 20 batches of 3 rows of 20 tokens, and what the reference makes of them.
struct ParityFixture {
    static let rows = 3
    static let length = 20

    let folder: String
    private let batches: [Int32]

    /// Nil, with a note, where the fixtures are absent.
    init?() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let base = getenv("MINKE_FIXTURES").map { String(cString: $0) } ?? FileSystem.join(root, "../shared/fixtures")
        folder = FileSystem.join(base, "train_adamw")
        guard FileSystem.exists(folder) else {
            print("skipped: fixture train_adamw is not there (set MINKE_FIXTURES to its parent folder)")
            return nil
        }
        batches = try SafetensorsFile(path: FileSystem.join(folder, "batches.safetensors")).int32s("batches")
    }

    func model() throws -> LanguageModel { try LanguageModel(contentsOf: ModelFolder(path: folder)) }

    func tensors(_ name: String) throws -> SafetensorsFile {
        try SafetensorsFile(path: FileSystem.join(folder, name + ".safetensors"))
    }

    /// The numbers under `key` of a JSON file.
    func numbers(_ key: String, in name: String) throws -> [Double] {
        let json = try JSON(parsing: FileSystem.readAll(FileSystem.join(folder, name + ".json")))
        return try #require(json[key]?.arrayValue).compactMap(\.doubleValue)
    }

    /// The batch of update `step`, counted from 0: all positions, the last of a row without a target.
    func batch(_ step: Int) -> (tokens: [Int32], targets: [Int32]) {
        let rows = (0..<Self.rows).map { row in
            batches[(step * Self.rows + row) * Self.length..<(step * Self.rows + row + 1) * Self.length]
        }
        return (rows.flatMap { Array($0) }, rows.flatMap { Array($0.dropFirst()) + [-1] })
    }
}

extension SafetensorsFile {
    func floats(_ name: String) throws -> [Float] { try #require(tensor(name), "no tensor \(name)").floats() }
    func int32s(_ name: String) throws -> [Int32] {
        try #require(tensor(name), "no tensor \(name)").integers().map { Int32($0) }
    }
}

/// The largest absolute difference of two lists; infinite where they cannot be compared.
func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { max($0, $1.0.isNaN || $1.1.isNaN ? .infinity : abs($1.0 - $1.1)) }
}
