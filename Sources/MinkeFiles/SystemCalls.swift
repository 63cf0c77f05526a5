#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension InputError {
    /// The failure of a system call on `path`, in the words of the system.
    static func system(_ action: String, _ path: String, code: Int32 = errno, remedy: String? = nil) -> InputError {
        InputError("cannot \(action): \(String(cString: strerror(code)))", at: path, remedy: remedy)
    }
}

/// Opens `path`, retrying when a signal interrupts. The descriptor does not survive `exec`.
func openDescriptor(_ path: String, _ flags: Int32, mode: mode_t = 0, action: String = "open") throws -> Int32 {
    // C would read such a path only up to the NUL, and open another file.
    if path.utf8.contains(0) { throw InputError("a path may not contain a NUL byte", at: path) }
    while true {
        let descriptor = open(path, flags | O_CLOEXEC, mode)
        if descriptor >= 0 { return descriptor }
        if errno != EINTR { throw InputError.system(action, path) }
    }
}

/// What `stat` says of `path`, or `nil` with `errno` set. `lstat` when symbolic links are not to be followed.
func status(of path: String, followingLinks: Bool = true) -> stat? {
    if path.utf8.contains(0) {
        errno = ENOENT
        return nil
    }
    var information = stat()
    let result = followingLinks ? stat(path, &information) : lstat(path, &information)
    return result == 0 ? information : nil
}

extension stat {
    var isDirectory: Bool { st_mode & S_IFMT == S_IFDIR }
    var isRegularFile: Bool { st_mode & S_IFMT == S_IFREG }
    var isSymbolicLink: Bool { st_mode & S_IFMT == S_IFLNK }
}
