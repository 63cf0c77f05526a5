import Foundation
import Testing

@testable import MinkeFiles

@Suite struct FileSystemTests {
    @Test func pathsComeApart() {
        #expect(FileSystem.directory(of: "a/b/c") == "a/b")
        #expect(FileSystem.directory(of: "a//b/") == "a")
        #expect(FileSystem.directory(of: "c") == ".")
        #expect(FileSystem.directory(of: "/c") == "/")
        #expect(FileSystem.directory(of: "/") == "/")
        #expect(FileSystem.name(of: "a/b/c/") == "c")
        #expect(FileSystem.name(of: "c") == "c")
        #expect(FileSystem.name(of: "/") == "/")
        #expect(FileSystem.join("a", "b") == "a/b")
        #expect(FileSystem.join("a/", "b") == "a/b")
        #expect(FileSystem.join("", "b") == "b")
        #expect(FileSystem.join("a", "/b") == "/b")
    }

    @Test func answersQuestions() throws {
        let directory = try TemporaryDirectory()
        try AtomicFile.write("12345", to: directory("a"))
        #expect(FileSystem.exists(directory("a")) && !FileSystem.isDirectory(directory("a")))
        #expect(FileSystem.isDirectory(directory.path))
        #expect(try FileSystem.size(of: directory("a")) == 5)
        #expect(try FileSystem.modificationTime(of: directory("a")) > 1_600_000_000_000_000_000)
        #expect(throws: InputError.self) { try FileSystem.size(of: directory("none")) }
        #expect(try #require(FileSystem.freeBytes(at: directory("not/yet/there"))) > 0)
    }

    @Test func readsWithinALimit() throws {
        let directory = try TemporaryDirectory()
        try AtomicFile.write("12345", to: directory("a"))
        #expect(try FileSystem.readAll(directory("a"), limit: 5) == Array("12345".utf8))
        #expect(throws: InputError("is larger than 4 bytes", at: directory("a"))) {
            try FileSystem.readAll(directory("a"), limit: 4)
        }
        #expect(throws: InputError.self) { try FileSystem.readAll(directory.path) }
    }

    @Test func makesAndRemoves() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: InputError.self) {
            try FileSystem.createDirectory(directory("x/y"), withIntermediates: false)
        }
        try directory.touch("x/y/z", "kept/file", "x/.hidden")
        try FileManager.default.createSymbolicLink(
            atPath: directory("x/link"), withDestinationPath: directory("kept"))
        try FileSystem.rename(directory("x/y/z"), to: directory("x/y/w"))
        #expect(FileSystem.exists(directory("x/y/w")))
        #expect(throws: InputError.self) { try FileSystem.remove(directory("x")) }
        try FileSystem.removeTree(directory("x"))
        #expect(!FileSystem.exists(directory("x")))
        #expect(FileSystem.exists(directory("kept/file")))
        try FileSystem.removeTree(directory("x"))
        try AtomicFile.write("", to: directory("f"))
        #expect(throws: InputError.self) { try FileSystem.createDirectory(directory("f")) }
    }

    @Test func walkIsSortedAndEnds() throws {
        let directory = try TemporaryDirectory()
        try directory.touch("b/two", "b/one", "a", "B", ".git/x", "c/.hidden", "c/d/e")
        try FileManager.default.createSymbolicLink(
            atPath: directory("c/loop"), withDestinationPath: directory.path)
        try FileManager.default.createSymbolicLink(atPath: directory("gone"), withDestinationPath: "/nowhere/at/all")
        try FileManager.default.createSymbolicLink(atPath: directory("file"), withDestinationPath: "a")
        #expect(try FileSystem.walk(directory.path) == ["B", "a", "b/one", "b/two", "c/d/e", "file"])
        #expect(throws: InputError.self) { try FileSystem.walk(directory("none")) }
        #expect(throws: InputError.self) { try FileSystem.list(directory("a")) }
    }

    @Test(arguments: [
        ("*.txt", ["a.txt", "b.txt"]),
        ("?.txt", ["a.txt", "b.txt"]),
        ("[b-z].txt", ["b.txt"]),
        ("[!b].t*t", ["a.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "d/c.txt", "d/e/f.txt"]),
        ("d/**", ["d/c.txt", "d/e/f.txt", "d/e/g.md"]),
        ("d/**/e/*", ["d/e/f.txt", "d/e/g.md"]),
        ("*/*.txt", ["d/c.txt"]),
        (".h*", [".hidden.txt"]),
        ("a.txt", ["a.txt"]),
        ("[x].md", ["[x].md"]),
        ("none*", []),
        ("none/x", []),
        ("a.txt/*", []),
        ("[a.txt", []),
    ])
    func globMatches(pattern: String, expected: [String]) throws {
        let directory = try TemporaryDirectory()
        try directory.touch("a.txt", "b.txt", ".hidden.txt", "[x].md", "d/c.txt", "d/e/f.txt", "d/e/g.md")
        let found = try FileSystem.glob(directory(pattern))
        #expect(found == expected.map { directory($0) })
    }

    @Test func globDoesNotSearchExponentially() throws {
        let directory = try TemporaryDirectory()
        try directory.touch(String(repeating: "a", count: 200))
        #expect(try FileSystem.glob(directory(String(repeating: "*a", count: 60) + "b")).isEmpty)
        #expect(try FileSystem.glob(directory(String(repeating: "**/", count: 30) + "*")).count == 1)
    }
}
