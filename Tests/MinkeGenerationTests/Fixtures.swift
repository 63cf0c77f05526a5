import MinkeFiles
import MinkeGeneration
import MinkeModel
import MinkeTokenization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

enum Fixtures {
    /// The folder of a shared fixture, or nil where the fixtures are absent.
    static func folder(_ name: String) -> String? {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let base = getenv("MINKE_FIXTURES").map { String(cString: $0) } ?? FileSystem.join(root, "../shared/fixtures")
        let path = FileSystem.join(base, name)
        if FileSystem.exists(path) { return path }
        print("skipped: fixture \(name) is not there (set MINKE_FIXTURES to its parent folder)")
        return nil
    }

    static func json(_ folder: String, _ name: String) throws -> JSON {
        try JSON(parsing: FileSystem.readAll(FileSystem.join(folder, name)))
    }

    /// A small model with random weights, over bytes.
    static func randomModel(context: Int = 128, tokenizer: Tokenizer? = .bytes) throws -> TextModel {
        var configuration = ModelConfiguration(
            family: .deepseekV3, vocabSize: 259, hiddenSize: 32, numHiddenLayers: 2, numAttentionHeads: 2,
            intermediateSize: 48)
        configuration.kvLoraRank = 16
        configuration.qkNopeHeadDim = 8
        configuration.qkRopeHeadDim = 8
        configuration.vHeadDim = 8
        configuration.nRoutedExperts = 4
        configuration.nSharedExperts = 1
        configuration.numExpertsPerTok = 2
        configuration.moeIntermediateSize = 16
        configuration.firstKDenseReplace = 1
        configuration.maxPositionEmbeddings = context
        let model = try LanguageModel(
            configuration, weights: .random(seed: 7, Initialization(deviation: 0.3)))
        return TextModel(model, tokenizer: tokenizer)
    }
}

extension JSON {
    var ids: [Int32]? { arrayValue?.compactMap { $0.intValue.map { Int32($0) } } }
}

/// A folder for one test, removed with the object.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/minke-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw InputError("no temporary folder") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { try? FileSystem.removeTree(path) }
}
