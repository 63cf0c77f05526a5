import MinkeFiles

/// One text of a corpus: a whole file, or one line of a `.jsonl` file.
public struct Document {
    /// The path of the file, as errors should show it.
    public let path: String
    /// The name of the file relative to the folder that was given, or its last component: the same wherever the corpus
    /// lies.
    public let name: String
    /// The line in a `.jsonl` file, from 1.
    public let line: Int?
    /// The text. Valid only during the call that hands the document over.
    public let bytes: UnsafeRawBufferPointer

    /// The path and, if there is one, the line.
    public var location: String { line.map { "\(path): line \($0)" } ?? path }
}

/// The files that a text corpus is made of, read one document at a time.
///
/// An argument is a file, a folder (all text in it and below), or a pattern with `*`, `?` or `[`. A file is one
/// document; every line of a `.jsonl` file is one. Either may be compressed as `.gz`. The order is that of the
/// arguments, and within a folder or pattern that of the paths' bytes; a file that several arguments name counts once.
public struct Corpus: Sendable {
    /// What to take from the files.
    public struct Options: Equatable, Sendable {
        /// Name extensions (`"swift"`) to which folders and patterns are limited; empty for all text files.
        public var include: [String]
        /// The field of a `.jsonl` line that holds the text.
        public var field: String
        /// The most text to read, in bytes; the document that crosses it is cut between two characters.
        public var maximumBytes: Int?

        public init(include: [String] = [], field: String = "text", maximumBytes: Int? = nil) {
            self.include = include
            self.field = field
            self.maximumBytes = maximumBytes
        }
    }

    /// A file of the corpus, as it was when the corpus was listed.
    public struct Source: Equatable, Sendable {
        public let path: String
        /// See ``Document/name``.
        public let name: String
        /// The size of the file, compressed if it is.
        public let size: Int
        /// The modification time, in nanoseconds since 1970.
        public let modified: Int
        /// The resolved path: the same for a file reached in two ways.
        let identity: String
        /// What the name says about the content.
        let kind: SourceKind
    }

    public let options: Options
    /// The files in their order.
    public let sources: [Source]

    /// Lists the files of a corpus.
    ///
    /// Folders are searched for text: hidden files, extensions that are never text, empty files and files with a NUL
    /// byte near the start are passed over. A file that is named is always taken.
    ///
    /// - Throws: ``InputError`` when an argument names nothing, a named file is not text, or no file is left.
    public init(_ arguments: [String], options: Options = Options()) throws {
        if let maximum = options.maximumBytes, maximum <= 0 {
            throw InputError("at most \(maximum) bytes of text", remedy: "give a positive number of bytes")
        }
        self.options = options
        sources = try SourceSearch(options: options).sources(of: arguments)
    }

    /// Calls `body` with every document that is not empty, in order.
    ///
    /// Files are memory-mapped, compressed ones by way of a temporary file, so that no text is held in memory.
    ///
    /// - Throws: ``InputError`` naming file and line or byte, or what `body` throws.
    public func forEachDocument(_ body: (Document) throws -> Void) throws {
        struct EnoughRead: Error {}
        var remaining = options.maximumBytes ?? Int.max
        do {
            for source in sources {
                try SourceReader(source: source, field: options.field).forEachDocument(atMost: remaining) { document in
                    let end = document.bytes.characterBoundary(atOrBefore: remaining)
                    remaining -= end
                    if end > 0 {
                        let bytes = UnsafeRawBufferPointer(rebasing: document.bytes[..<end])
                        try body(
                            Document(path: document.path, name: document.name, line: document.line, bytes: bytes))
                    }
                    if end < document.bytes.count || remaining == 0 { throw EnoughRead() }
                }
            }
        } catch is EnoughRead {}
    }

    /// The corpus without the files of another one.
    func excluding(_ other: Corpus) -> Corpus {
        let excluded = Set(other.sources.map(\.identity))
        return Corpus(options: options, sources: sources.filter { !excluded.contains($0.identity) })
    }

    private init(options: Options, sources: [Source]) {
        self.options = options
        self.sources = sources
    }

    /// Whether there may be `count` documents; false only when there are surely fewer.
    func mayHoldDocuments(atLeast count: Int) -> Bool {
        sources.count >= count || sources.contains { $0.kind.isLines }
    }
}
