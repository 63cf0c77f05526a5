import Foundation
import MinkeFiles

/// A directory of its own for one test, removed when the test lets go of it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = FileSystem.join(NSTemporaryDirectory(), "minke-\(UUID().uuidString)")
        try FileSystem.createDirectory(path)
    }

    deinit { try? FileSystem.removeTree(path) }

    func callAsFunction(_ name: String) -> String { FileSystem.join(path, name) }
}

/// The shared fixtures, which are not part of the package.
enum Fixtures {
    /// `MINKE_FIXTURES`, else `shared/fixtures` beside the package; `nil`, with a note, when there are none.
    static func directory(_ name: String) -> String? {
        let packageRoot = (0..<3).reduce(#filePath) { path, _ in FileSystem.directory(of: path) }
        let root =
            ProcessInfo.processInfo.environment["MINKE_FIXTURES"]
            ?? FileSystem.join(FileSystem.directory(of: packageRoot), "shared/fixtures")
        let path = FileSystem.join(root, name)
        if FileSystem.isDirectory(path) { return path }
        print("skipped: no fixtures at \(path)")
        return nil
    }
}

/// The bytes of a safetensors file with this header and data.
func safetensors(_ header: String, data: [UInt8] = []) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8) + data
}
