import Testing

@testable import MinkeFiles

@Suite struct AtomicFileTests {
    @Test func appearsOnlyWithCommit() throws {
        let directory = try TemporaryDirectory()
        let file = try AtomicFile(path: directory("a"))
        try file.write("one ")
        try file.write("two")
        #expect(!FileSystem.exists(directory("a")))
        try file.commit()
        #expect(try FileSystem.readAll(directory("a")) == Array("one two".utf8))
        #expect(try FileSystem.list(directory.path) == ["a"])
    }

    @Test func abandonedFileLeavesTheOldOne() throws {
        let directory = try TemporaryDirectory()
        try AtomicFile.write("old", to: directory("a"))
        do {
            let file = try AtomicFile(path: directory("a"))
            try file.write("new")
            #expect(try FileSystem.list(directory.path).count == 2)
        }
        #expect(try FileSystem.list(directory.path) == ["a"])
        #expect(try FileSystem.readAll(directory("a")) == Array("old".utf8))
    }

    @Test func writesPiecesLargerThanItsBuffer() throws {
        let directory = try TemporaryDirectory()
        let file = try AtomicFile(path: directory("a"))
        var expected: [UInt8] = []
        for (index, count) in [3, 200_000, 100_000, 300_000, 1, 262_144].enumerated() {
            let piece = [UInt8](repeating: UInt8(index), count: count)
            try piece.withUnsafeBytes { try file.write($0) }
            expected += piece
        }
        try file.commit()
        #expect(try FileSystem.readAll(directory("a")) == expected)
    }

    @Test func twoWritersOfOneNameDoNotMix() throws {
        let directory = try TemporaryDirectory()
        let first = try AtomicFile(path: directory("a"))
        let second = try AtomicFile(path: directory("a"))
        try first.write("first")
        try second.write("second")
        try second.commit()
        try first.commit()
        #expect(try FileSystem.readAll(directory("a")) == Array("first".utf8))
        #expect(try FileSystem.list(directory.path) == ["a"])
    }

    @Test func removesOnlyAbandonedTemporaries() throws {
        let directory = try TemporaryDirectory()
        try directory.touch(".model.tmp-123", ".model.tmp-123-1", ".other", "b.tmp-1", ".tmp-1", ".a.tmp-x")
        let file = try AtomicFile(path: directory("model"))
        try file.write("live")
        #expect(try AtomicFile.removeLeftovers(in: directory.path) == [".model.tmp-123", ".model.tmp-123-1"])
        try file.commit()
        #expect(try FileSystem.list(directory.path) == [".a.tmp-x", ".other", ".tmp-1", "b.tmp-1", "model"])
    }

    @Test func failuresSayWhy() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: InputError("cannot write: a directory has this name", at: directory.path)) {
            try AtomicFile(path: directory.path)
        }
        #expect(throws: InputError.self) { try AtomicFile(path: directory("none/a")) }
        #expect {
            try AtomicFile(path: directory("a"), expectedSize: .max)
        } throws: { error in
            "\(error)".hasPrefix("\(directory("a")): not enough disk space: needs \(Int.max) bytes, ")
        }
        let file = try AtomicFile(path: directory("a"))
        try file.commit()
        try file.write("late")
        #expect(throws: InputError("cannot write: the file is already finished", at: directory("a"))) {
            try file.commit()
        }
    }
}
