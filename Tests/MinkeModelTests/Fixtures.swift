import MinkeCheckpoints
import MinkeFiles
import MinkeModel
import MinkeTensors
import Testing

/// The shared fixtures: outputs of the reference implementations.
enum Fixtures {
    /// The folder of a fixture, or nil where the fixtures are absent.
    static func folder(_ name: String) -> String? {
        var root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        root = "/" + root
        let base = environment("MINKE_FIXTURES") ?? FileSystem.join(root, "../shared/fixtures")
        let path = FileSystem.join(base, name)
        if FileSystem.exists(path) { return path }
        print("skipped: fixture \(name) is not there (set MINKE_FIXTURES to its parent folder)")
        return nil
    }

    static func file(_ folder: String, _ name: String) throws -> SafetensorsFile {
        try SafetensorsFile(path: FileSystem.join(folder, name + ".safetensors"))
    }

    static func json(_ folder: String, _ name: String) throws -> JSON {
        try JSON(parsing: FileSystem.readAll(FileSystem.join(folder, name)))
    }

    static func model(_ folder: String) throws -> LanguageModel {
        try LanguageModel(contentsOf: ModelFolder(path: folder))
    }
}

extension SafetensorsFile {
    func values(_ name: String) throws -> [Float] { try #require(tensor(name)).floats() }
    func ids(_ name: String) throws -> [Int32] { try #require(tensor(name)).integers().map { Int32($0) } }
}

func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { max($0, $1.0.isNaN || $1.1.isNaN ? .infinity : abs($1.0 - $1.1)) }
}
