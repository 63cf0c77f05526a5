#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Files and directories: questions about them, and the changes Minke makes to them.
///
/// Symbolic links are followed unless said otherwise. Failures are ``InputError``s that name the path.
public enum FileSystem {
    /// Whether two paths lead to the same file or directory.
    public static func isSame(_ first: String, _ second: String) -> Bool {
        guard let a = status(of: first), let b = status(of: second) else { return false }
        return a.st_dev == b.st_dev && a.st_ino == b.st_ino
    }

    /// Whether anything is at `path`. A link to nothing does not exist.
    public static func exists(_ path: String) -> Bool { status(of: path) != nil }

    /// Whether a directory is at `path`.
    public static func isDirectory(_ path: String) -> Bool { status(of: path)?.isDirectory ?? false }

    /// The size of the file at `path`, in bytes.
    public static func size(of path: String) throws -> Int {
        guard let information = status(of: path) else { throw InputError.system("read", path) }
        return Int(information.st_size)
    }

    /// When the contents of `path` last changed, in nanoseconds since 1970.
    public static func modificationTime(of path: String) throws -> Int {
        guard let information = status(of: path) else { throw InputError.system("read", path) }
        #if canImport(Darwin)
            let time = information.st_mtimespec
        #else
            let time = information.st_mtim
        #endif
        return Int(time.tv_sec) &* 1_000_000_000 &+ Int(time.tv_nsec)
    }

    /// Free bytes that an ordinary user may fill on the volume that holds (or would hold) `path`.
    ///
    /// `nil` when the system does not say.
    public static func freeBytes(at path: String) -> Int? {
        var place = path
        while !exists(place) {
            let parent = directory(of: place)
            if parent == place { return nil }
            place = parent
        }
        var volume = statvfs()
        guard statvfs(place, &volume) == 0 else { return nil }
        let (bytes, overflow) = Int(clamping: volume.f_bavail)
            .multipliedReportingOverflow(by: Int(clamping: volume.f_frsize))
        return overflow ? .max : bytes
    }

    /// Reads all of a file, which may also be a pipe.
    ///
    /// - Parameter limit: the most bytes to accept.
    public static func readAll(_ path: String, limit: Int = .max) throws -> [UInt8] {
        let descriptor = try openDescriptor(path, O_RDONLY)
        defer { close(descriptor) }
        var contents: [UInt8] = []
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 1)
        defer { chunk.deallocate() }
        while true {
            let count = read(descriptor, chunk.baseAddress, chunk.count)
            if count == 0 { return contents }
            if count < 0 {
                if errno == EINTR { continue }
                throw InputError.system("read", path)
            }
            if count > limit - contents.count { throw InputError("is larger than \(limit) bytes", at: path) }
            contents.append(contentsOf: chunk[..<count])
        }
    }

    /// Makes a directory; one that is already there is fine.
    public static func createDirectory(_ path: String, withIntermediates: Bool = true) throws {
        if isDirectory(path) { return }
        let parent = directory(of: path)
        if withIntermediates && parent != path { try createDirectory(parent) }
        if mkdir(path, 0o777) == 0 || (errno == EEXIST && isDirectory(path)) { return }
        throw InputError.system("create the directory", path)
    }

    /// Removes one file, link or empty directory. Nothing there is fine.
    public static func remove(_ path: String) throws {
        #if canImport(Darwin)
            let result = Darwin.remove(path)
        #elseif canImport(Musl)
            let result = Musl.remove(path)
        #else
            let result = Glibc.remove(path)
        #endif
        if result != 0 && errno != ENOENT { throw InputError.system("remove", path) }
    }

    /// Removes a file, or a directory with all it holds. Links inside are removed, not followed.
    public static func removeTree(_ path: String) throws {
        if let information = status(of: path, followingLinks: false), information.isDirectory {
            for name in try list(path) { try removeTree(join(path, name)) }
        }
        try remove(path)
    }

    /// Renames `source` to `destination` on the same volume, replacing a file that is there.
    public static func rename(_ source: String, to destination: String) throws {
        #if canImport(Darwin)
            let result = Darwin.rename(source, destination)
        #elseif canImport(Musl)
            let result = Musl.rename(source, destination)
        #else
            let result = Glibc.rename(source, destination)
        #endif
        if result != 0 { throw InputError.system("rename to \(destination)", source) }
    }
}

extension FileSystem {
    /// The directory part of a path: `a/b` for `a/b/c`, `.` for `c`, `/` for `/c`.
    public static func directory(of path: String) -> String {
        let trimmed = withoutTrailingSlashes(path)
        guard let slash = trimmed.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return withoutTrailingSlashes(trimmed[...slash])
    }

    /// The last component of a path: `c` for `a/b/c`.
    public static func name(of path: String) -> String {
        let trimmed = withoutTrailingSlashes(path)
        guard let slash = trimmed.utf8.lastIndex(of: UInt8(ascii: "/")), trimmed != "/" else { return trimmed }
        return String(trimmed[trimmed.utf8.index(after: slash)...])
    }

    /// `name` inside `directory`; `name` itself when `directory` is empty or `name` is absolute.
    public static func join(_ directory: String, _ name: String) -> String {
        if directory.isEmpty || name.utf8.first == UInt8(ascii: "/") { return name }
        return directory.utf8.last == UInt8(ascii: "/") ? directory + name : directory + "/" + name
    }

    private static func withoutTrailingSlashes(_ path: some StringProtocol) -> String {
        var end = path.utf8.endIndex
        while end > path.utf8.startIndex {
            let last = path.utf8.index(end, offsetBy: -1)
            if path.utf8[last] != UInt8(ascii: "/") || last == path.utf8.startIndex { break }
            end = last
        }
        return String(path[..<end])
    }
}
