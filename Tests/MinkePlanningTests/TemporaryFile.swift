import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file for one test, removed with the object.
final class TemporaryFile {
    let path: String

    init(_ text: String) throws {
        path = FileSystem.join("/tmp", "minke-plan-\(getpid())-\(UInt64.random(in: 0..<(.max))).json")
        try AtomicFile.write(text, to: path)
    }

    deinit { try? FileSystem.remove(path) }
}
