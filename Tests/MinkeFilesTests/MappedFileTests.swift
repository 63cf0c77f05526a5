import Testing

@testable import MinkeFiles

@Suite struct MappedFileTests {
    @Test func holdsTheContents() throws {
        let directory = try TemporaryDirectory()
        try AtomicFile.write("whale", to: directory("a"))
        let file = try MappedFile(path: directory("a"))
        file.advise(.sequential)
        #expect(file.withBytes { Array($0) } == Array("whale".utf8))
    }

    @Test func emptyFileIsEmpty() throws {
        let directory = try TemporaryDirectory()
        try directory.touch("a")
        #expect(try MappedFile(path: directory("a")).bytes.isEmpty)
    }

    @Test func outlivesRemovalAndReplacement() throws {
        let directory = try TemporaryDirectory()
        try AtomicFile.write("old", to: directory("a"))
        let file = try MappedFile(path: directory("a"))
        try AtomicFile.write("something new", to: directory("a"))
        #expect(file.withBytes { Array($0) } == Array("old".utf8))
    }

    @Test func refusesWhatIsNotAFile() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: InputError("is a directory, not a file", at: directory.path)) {
            try MappedFile(path: directory.path)
        }
        #expect(throws: InputError("cannot open: No such file or directory", at: directory("none"))) {
            try MappedFile(path: directory("none"))
        }
        #expect(throws: InputError("is not a regular file", at: "/dev/null")) { try MappedFile(path: "/dev/null") }
        #expect(throws: InputError.self) { try MappedFile(path: "a\0b") }
    }
}
