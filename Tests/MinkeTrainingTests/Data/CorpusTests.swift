import MinkeFiles
import Testing

@testable import MinkeTraining

@Suite struct CorpusTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let zippedText: [UInt8] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 202, 44, 40, 72, 77, 81, 40, 73, 173, 40, 225, 2, 0, 47, 175, 75, 137,
        12, 0, 0, 0,
    ]
    private static let zippedLines: [UInt8] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 42, 73, 173, 40, 81, 178, 82, 202, 207, 75, 85, 170, 229, 170, 134,
        113, 75, 202, 243, 129, 92, 0, 251, 14, 80, 203, 30, 0, 0, 0,
    ]
    private static let zippedNULs: [UInt8] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 96, 0, 0, 18, 217, 65, 255, 3, 0, 0, 0,
    ]

    @Test func aFolderIsSearchedForText() throws {
        try folder.write("B", to: "b.txt")
        try folder.write("A", to: "z/v1.2/README")
        try folder.write("S", to: "a.swift")
        try folder.write("", to: "empty.txt")
        try folder.write("hidden", to: ".hidden")
        try folder.write("hidden", to: ".git/config")
        try folder.write("\u{89}PNG", to: "picture.PNG")
        try folder.write([65, 0, 66], to: "program")
        try folder.write(Self.zippedText, to: "c.txt.gz")
        try folder.write(Self.zippedNULs, to: "d.txt.gz")
        try folder.write(Self.zippedText, to: "e.tar.gz")
        let expected = ["a.swift=S", "b.txt=B", "c.txt.gz=zipped text\n", "z/v1.2/README=A"]
        #expect(try Corpus([folder.path]).contents() == expected)
        #expect(try Corpus([folder.path], options: .init(include: ["swift"])).contents() == ["a.swift=S"])
        #expect(
            try Corpus([folder.path], options: .init(include: [".TXT"])).sources.map(\.name) == ["b.txt", "c.txt.gz"])
    }

    @Test func aFileCountsOnce() throws {
        let path = try folder.write("A", to: "a.txt")
        try folder.write("B", to: "b.txt")
        let arguments = [folder.path("b.txt"), folder.path("*.txt"), path, folder.path("./a.txt"), folder.path]
        #expect(try Corpus(arguments).contents() == ["b.txt=B", "a.txt=A"])
    }

    @Test func linesAreDocuments() throws {
        try folder.write("{\"text\":\"one\\n\"}\r\n\n{\"id\":2,\"text\":\"\"}\n{\"text\":\"drei €\"}", to: "a.jsonl")
        try folder.write("{\"body\":\"other\"}\n", to: "b.jsonl")
        try folder.write(Self.zippedLines, to: "c.jsonl.gz")
        #expect(try Corpus([folder.path("a.jsonl")]).contents() == ["a.jsonl:1=one\n", "a.jsonl:4=drei €"])
        #expect(try Corpus([folder.path("c.jsonl.gz")]).contents() == ["c.jsonl.gz:1=one", "c.jsonl.gz:2=two"])
        let other = try Corpus([folder.path("b.jsonl")], options: .init(field: "body"))
        #expect(try other.contents() == ["b.jsonl:1=other"])
    }

    @Test func theMostTextIsCutBetweenCharacters() throws {
        try folder.write("abé", to: "a.txt")
        try folder.write(Self.zippedText, to: "b.txt.gz")
        try folder.write("c", to: "c.txt")
        func contents(_ maximum: Int) throws -> [String] {
            try Corpus([folder.path], options: .init(maximumBytes: maximum)).contents()
        }
        #expect(throws: InputError.self) { try contents(0) }
        #expect(throws: InputError.self) { try contents(-1) }
        #expect(try contents(1) == ["a.txt=a"])
        #expect(try contents(3) == ["a.txt=ab"])
        #expect(try contents(4) == ["a.txt=abé"])
        #expect(try contents(6) == ["a.txt=abé", "b.txt.gz=zi"])
        #expect(try contents(16) == ["a.txt=abé", "b.txt.gz=zipped text\n"])
        #expect(try contents(.max) == ["a.txt=abé", "b.txt.gz=zipped text\n", "c.txt=c"])
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "no error"
        } catch {
            return "\(error)".replacing(folder.path + "/", with: "")
        }
    }

    @Test func errorsNameThePlace() throws {
        try folder.write("{\"text\":\"one\"}\n{\"text\":1}\n", to: "field.jsonl")
        try folder.write("{\"text\":\"one\"}\n\n{\"text\":}\n", to: "syntax.jsonl")
        try folder.write([65, 0], to: "binary.txt")
        try folder.write(Array(Self.zippedText.dropLast(9)), to: "short.txt.gz")
        func contents(_ name: String) -> String { message { _ = try Corpus([folder.path(name)]).contents() } }
        #expect(contents("field.jsonl").hasPrefix("field.jsonl: line 2: no text under \"text\""))
        #expect(contents("syntax.jsonl").hasPrefix("syntax.jsonl: line 3: byte 8: invalid JSON"))
        #expect(contents("binary.txt").hasPrefix("binary.txt: byte 1: not a text"))
        #expect(contents("short.txt.gz").hasPrefix("short.txt.gz: byte "))
        #expect(contents("absent.txt") == "absent.txt: there is no such file or folder")
        #expect(contents("*.md") == "*.md: the pattern matches nothing")
        #expect(message { _ = try Corpus([]) }.hasPrefix("no text files"))
        let swift = message { _ = try Corpus([folder.path], options: .init(include: ["swift"])) }
        #expect(swift.hasSuffix("(only files ending in .swift are looked for)"))
    }
}
