import MinkeFiles
import Testing

@testable import MinkeTraining

@Suite struct DocumentSplitTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func document(_ bytes: UnsafeRawBufferPointer, name: String = "a.txt", line: Int? = nil) -> Document {
        Document(path: name, name: name, line: line, bytes: bytes)
    }

    /// The split of one text into first 90 % and last 10 %, as character-level models of Shakespeare are trained on.
    @Test func theEndOfOneFileIsForValidation() throws {
        try folder.write("some text", to: "a.txt")
        #expect(try DocumentSplit(of: Corpus([folder.path]), fraction: 0.1) == .ends(fraction: 0.1))
        let shakespeare = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_115_394, alignment: 1)
        defer { shakespeare.deallocate() }
        shakespeare.initializeMemory(as: UInt8.self, repeating: 0x61)
        let document = document(UnsafeRawBufferPointer(shakespeare))
        #expect(DocumentSplit.ends(fraction: 0.1).trainingBytes(of: document) == 1_003_854)
        #expect(DocumentSplit.ends(fraction: 0).trainingBytes(of: document) == 1_115_394)
    }

    @Test func theCutIsBetweenCharacters() {
        Array("abcdefgh€".utf8).withUnsafeBytes { bytes in
            #expect(DocumentSplit.ends(fraction: 0.1).trainingBytes(of: document(bytes)) == 8)
        }
    }

    @Test func ofManyDocumentsSomeAreForValidation() throws {
        let lines = (0..<400).map { "{\"text\":\"document \($0)\"}\n" }.joined()
        try folder.write(lines, to: "a.jsonl")
        let corpus = try Corpus([folder.path])
        let split = try DocumentSplit(of: corpus, fraction: 0.1)
        #expect(split == .documents(fraction: 0.1))
        var validation: [Int] = []
        try corpus.forEachDocument { document in
            let bytes = split.trainingBytes(of: document)
            #expect(bytes == 0 || bytes == document.bytes.count)
            if bytes == 0 { validation.append(document.line ?? 0) }
        }
        #expect((20...60).contains(validation.count))
        // The choice must never change: a resumed run would see other documents.
        #expect(Array(validation.prefix(4)) == [4, 10, 29, 33])
    }

    @Test func fewDocumentsAreCut() throws {
        try folder.write((0..<19).map { "{\"text\":\"document \($0)\"}\n" }.joined(), to: "a.jsonl")
        #expect(try DocumentSplit(of: Corpus([folder.path]), fraction: 0.5) == .ends(fraction: 0.5))
    }

    @Test func manyDocumentsAreCutWhenNoneWouldBeForValidation() throws {
        try folder.write((0..<30).map { "{\"text\":\"document \($0)\"}\n" }.joined(), to: "a.jsonl")
        #expect(try DocumentSplit(of: Corpus([folder.path]), fraction: 1e-9) == .ends(fraction: 1e-9))
    }

    @Test(arguments: [-0.1, 1, .nan, .infinity]) func aFractionOutOfRangeIsRefused(fraction: Double) throws {
        try folder.write("some text", to: "a.txt")
        let corpus = try Corpus([folder.path])
        #expect(throws: InputError.self) { try DocumentSplit(of: corpus, fraction: fraction) }
    }
}
