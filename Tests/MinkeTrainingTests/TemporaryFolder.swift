import MinkeFiles
import MinkeTraining

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A folder for one test, removed with the object.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/minke-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw InputError("no temporary folder") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { try? FileSystem.removeTree(path) }

    func path(_ name: String) -> String { FileSystem.join(path, name) }

    @discardableResult
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try FileSystem.createDirectory(FileSystem.directory(of: path(name)))
        try AtomicFile.write(bytes, to: path(name))
        return path(name)
    }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

    func read(_ name: String) throws -> String {
        String(decoding: try FileSystem.readAll(path(name)), as: UTF8.self)
    }
}

extension CorpusEncoder {
    /// Every byte is a token; token 256 separates documents.
    static func bytes(vocabularySize: Int = 257, separator: Int32? = 256, fingerprint: String = "bytes")
        -> CorpusEncoder
    {
        CorpusEncoder(
            vocabularySize: vocabularySize, fingerprint: fingerprint, endOfDocument: separator,
            tokenByteLengths: (0..<vocabularySize).map { $0 < 256 ? 1 : 0 }
        ) { text in text.map { Int32($0) } }
    }
}

extension Corpus {
    /// The documents as `name[:line]=text`.
    func contents() throws -> [String] {
        var contents: [String] = []
        try forEachDocument { document in
            let line = document.line.map { ":\($0)" } ?? ""
            contents.append("\(document.name)\(line)=\(String(decoding: document.bytes, as: UTF8.self))")
        }
        return contents
    }
}

extension TokenStream {
    func tokens(_ range: Range<Int>? = nil) throws -> [Int32] {
        let range = range ?? 0..<count
        return try [Int32](unsafeUninitializedCapacity: range.count) { buffer, initialized in
            guard let base = buffer.baseAddress, !range.isEmpty else { return }
            try copyTokens(from: range.lowerBound, count: range.count, to: base)
            initialized = range.count
        }
    }
}

/// The tokens and targets that a `fill` function writes.
func window(
    _ length: Int, _ fill: (UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int32>) throws -> Void
) rethrows -> (tokens: [Int32], targets: [Int32]) {
    var tokens = [Int32](repeating: -1, count: length)
    var targets = tokens
    try fill(&tokens, &targets)
    return (tokens, targets)
}
