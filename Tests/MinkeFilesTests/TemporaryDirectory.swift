import Foundation

@testable import MinkeFiles

/// A directory of its own for one test, removed when the test lets go of it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = FileSystem.join(NSTemporaryDirectory(), "minke-\(UUID().uuidString)")
        try FileSystem.createDirectory(path)
    }

    deinit { try? FileSystem.removeTree(path) }

    func callAsFunction(_ name: String) -> String { FileSystem.join(path, name) }

    /// Writes empty files, with the directories they need.
    func touch(_ names: String...) throws {
        for name in names {
            try FileSystem.createDirectory(FileSystem.directory(of: self(name)))
            try AtomicFile.write("", to: self(name))
        }
    }
}
