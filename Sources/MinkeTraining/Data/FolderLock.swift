import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The right to change a folder, held until released by the end of the object or the process.
final class FolderLock {
    private let descriptor: Int32

    /// - Throws: ``InputError`` when another process holds it: it does not wait.
    ///
    /// - Parameter activity: what the holder does, for the message.
    init(_ folder: String, for activity: String) throws {
        descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw InputError("cannot open the folder: \(String(cString: strerror(errno)))", at: folder)
        }
        // Some network file systems have no locks; there the folder is as good as free.
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK {
            close(descriptor)
            throw InputError(
                "another process is \(activity) here", at: folder,
                remedy: "wait until it is done, or choose another folder")
        }
    }

    deinit { close(descriptor) }
}
