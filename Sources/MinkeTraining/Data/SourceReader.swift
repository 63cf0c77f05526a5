import MinkeFiles

/// Reads the documents of one file of a corpus.
struct SourceReader {
    let source: Corpus.Source
    /// The field of a `.jsonl` line that holds the text.
    let field: String

    /// Calls `body` with every document of the file.
    ///
    /// - Parameter limit: more text than this is not asked for, and not decompressed where that can be avoided.
    func forEachDocument(atMost limit: Int, _ body: (Document) throws -> Void) throws {
        try open(atMost: limit).withBytes { content in
            if source.kind.isLines {
                try forEachLine(of: content) { number, line in
                    try withText(ofLine: line, number: number) { text in try body(document(text, line: number)) }
                }
            } else {
                try body(document(content, line: nil))
            }
        }
    }

    /// The position of the first NUL byte near the start of the text, which is not text then.
    func firstNUL() throws -> Int? {
        let limit = 8 << 10
        return try source.kind.isCompressed
            ? Gzip.prefix(ofFile: source.path, limit: limit).firstIndex(of: 0)
            : MappedFile(path: source.path).withBytes { $0.prefix(limit).firstIndex(of: 0) }
    }

    private func document(_ bytes: UnsafeRawBufferPointer, line: Int?) -> Document {
        Document(path: source.path, name: source.name, line: line, bytes: bytes)
    }

    private func open(atMost limit: Int) throws -> MappedFile {
        guard source.kind.isCompressed else { return try MappedFile(path: source.path) }
        // A byte more than the limit shows whether the text ends there.
        let textLimit = source.kind.isLines || limit == Int.max ? Int.max : limit + 1
        return try Gzip.expandedFile(source.path, limit: textLimit)
    }

    private func forEachLine(
        of bytes: UnsafeRawBufferPointer, _ body: (Int, UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var number = 0
        while start < bytes.count {
            number += 1
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            let length = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.count
            try body(number, UnsafeRawBufferPointer(rebasing: rest[..<length]))
            start += length + 1
        }
    }

    private func withText(
        ofLine line: UnsafeRawBufferPointer, number: Int, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let isBlank = line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        if isBlank { return }
        let place = "\(source.path): line \(number)"
        let value: JSON
        do {
            value = try JSON(parsing: line)
        } catch let error as InputError {
            throw error.located(at: place)
        }
        guard var text = value[field]?.stringValue else {
            throw InputError(
                "no text under \"\(field)\"", at: place,
                remedy: "every line of a .jsonl file is an object with the text in one field; say which one")
        }
        try text.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
    }
}
