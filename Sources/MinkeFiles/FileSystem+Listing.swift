#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension FileSystem {
    /// The names in a directory, hidden ones included, sorted byte by byte.
    public static func list(_ directory: String) throws -> [String] {
        guard let stream = opendir(directory) else { throw InputError.system("list", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw InputError.system("list", directory) }
                return names.sorted(by: precedes)
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: field.pointee)) {
                    String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    /// The files below a directory as paths relative to it, sorted byte by byte.
    ///
    /// Hidden files and directories are left out. Links are followed, but no directory is visited twice, so a link
    /// to a directory above ends.
    public static func walk(_ directory: String) throws -> [String] {
        var files: [String] = []
        try visit(directory) { path, isDirectory in if !isDirectory { files.append(path) } }
        return files.sorted(by: precedes)
    }

    /// The directories below a directory as relative paths, `""` (itself) first. Same rules as ``walk(_:)``.
    static func walkDirectories(_ directory: String) throws -> [String] {
        var directories = [""]
        try visit(directory) { path, isDirectory in if isDirectory { directories.append(path) } }
        return directories.sorted(by: precedes)
    }

    static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    private struct Identity: Hashable {
        let device: UInt64
        let node: UInt64

        init(_ information: stat) {
            device = UInt64(truncatingIfNeeded: information.st_dev)
            node = UInt64(truncatingIfNeeded: information.st_ino)
        }
    }

    private static func visit(_ root: String, _ body: (_ path: String, _ isDirectory: Bool) -> Void) throws {
        guard let information = status(of: root) else { throw InputError.system("list", root) }
        var visited: Set<Identity> = [Identity(information)]
        var pending = [""]
        while let directory = pending.popLast() {
            for name in try list(join(root, directory)) where name.utf8.first != UInt8(ascii: ".") {
                let path = join(directory, name)
                let fullPath = join(root, path)
                guard let information = status(of: fullPath) else {
                    // A link to nothing is as good as absent.
                    if status(of: fullPath, followingLinks: false)?.isSymbolicLink == true { continue }
                    throw InputError.system("read", fullPath)
                }
                if !information.isDirectory {
                    body(path, false)
                } else if visited.insert(Identity(information)).inserted {
                    body(path, true)
                    pending.append(path)
                }
            }
        }
    }
}
