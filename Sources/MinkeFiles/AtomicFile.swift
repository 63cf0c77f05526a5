#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Writes a file that appears under its name whole, or not at all.
///
/// The text goes to a temporary in the same directory (`.NAME.tmp-PID`); ``commit()`` flushes it to the disk,
/// renames it over the name, and flushes the directory, so that after a crash or a power cut the old file or the
/// new one is there. Without a commit the temporary is removed. The temporary is locked while it is written, which
/// is how ``removeLeftovers(in:)`` tells one in use from one left by a process that died.
public final class AtomicFile {
    /// The name under which the file will appear.
    public let path: String

    private var descriptor: Int32
    private let temporaryPath: String
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private var buffered = 0

    /// Creates the temporary.
    ///
    /// - Parameter expectedSize: the bytes about to be written, when known: fails here when the disk lacks them.
    public init(path: String, expectedSize: Int? = nil) throws {
        self.path = path
        descriptor = -1
        if let needed = expectedSize, let free = FileSystem.freeBytes(at: path), free < needed {
            throw InputError("not enough disk space: needs \(needed) bytes, \(free) are free", at: path)
        }
        let existing = status(of: path)
        if existing?.isDirectory == true { throw InputError("cannot write: a directory has this name", at: path) }
        (descriptor, temporaryPath) = try AtomicFile.createTemporary(for: path)
        // A file that is replaced hands on who may read it.
        if let existing { _ = fchmod(descriptor, existing.st_mode & 0o777) }
    }

    deinit {
        discard()
        buffer.deallocate()
    }

    /// Appends bytes.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        if bytes.count <= buffer.count - buffered {
            UnsafeMutableRawBufferPointer(rebasing: buffer[buffered...]).copyMemory(from: bytes)
            buffered += bytes.count
            return
        }
        try flush()
        if bytes.count < buffer.count {
            buffer.copyMemory(from: bytes)
            buffered = bytes.count
        } else {
            try writeThrough(bytes)
        }
    }

    /// Appends the UTF-8 bytes of a text.
    public func write(_ text: String) throws {
        var text = text
        try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
    }

    /// Makes the file appear under its name, durably. Nothing can be written after it.
    public func commit() throws {
        try flush()
        guard synchronize(descriptor) == 0 else { throw failure(needed: nil) }
        do {
            try FileSystem.rename(temporaryPath, to: path)
        } catch let error as InputError {
            throw InputError(error.problem, at: path, remedy: error.remedy)
        }
        close(descriptor)
        descriptor = -1
        try AtomicFile.synchronizeDirectory(FileSystem.directory(of: path))
    }

    /// Removes the temporary. Does nothing after ``commit()``.
    public func discard() {
        guard descriptor >= 0 else { return }
        unlink(temporaryPath)
        close(descriptor)
        descriptor = -1
    }

    private func flush() throws {
        guard buffered > 0 else { return }
        try writeThrough(UnsafeRawBufferPointer(rebasing: buffer[..<buffered]))
        buffered = 0
    }

    private func writeThrough(_ bytes: UnsafeRawBufferPointer) throws {
        guard descriptor >= 0 else { throw InputError("cannot write: the file is already finished", at: path) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            let count = systemWrite(descriptor, piece.baseAddress, piece.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(needed: piece.count)
            }
            rest = rest.dropFirst(count)
        }
    }

    private func failure(needed: Int?) -> InputError {
        let code = errno
        guard code == ENOSPC || code == EDQUOT else { return InputError.system("write", path, code: code) }
        var problem = "cannot write: \(String(cString: strerror(code)))"
        if let needed { problem += "; at least \(needed) more bytes are needed" }
        if let free = FileSystem.freeBytes(at: path) { problem += ", \(free) are free" }
        return InputError(problem, at: path, remedy: "free some space or choose another disk")
    }
}

extension AtomicFile {
    /// Writes a whole text file.
    public static func write(_ text: String, to path: String) throws {
        let file = try AtomicFile(path: path)
        try file.write(text)
        try file.commit()
    }

    /// Writes a whole file.
    public static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws {
        let file = try AtomicFile(path: path, expectedSize: bytes.count)
        try file.write(bytes)
        try file.commit()
    }

    /// Writes a whole file.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        try bytes.withUnsafeBytes { try write($0, to: path) }
    }

    /// Flushes the entries of a directory to the disk, so that renames and removals in it last.
    public static func synchronizeDirectory(_ directory: String) throws {
        let descriptor = try openDescriptor(directory, O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        // Some network file systems cannot flush a directory and have nothing to flush.
        if synchronize(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP {
            throw InputError.system("flush the directory", directory)
        }
    }

    /// Removes the temporaries that dead processes left in a directory.
    ///
    /// - Returns: the names removed.
    @discardableResult
    public static func removeLeftovers(in directory: String) throws -> [String] {
        var removed: [String] = []
        for name in try FileSystem.list(directory) where isTemporary(name) {
            let path = FileSystem.join(directory, name)
            guard let information = status(of: path, followingLinks: false), information.isRegularFile,
                let descriptor = try? openDescriptor(path, O_RDONLY | O_NONBLOCK)
            else { continue }
            defer { close(descriptor) }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                try FileSystem.remove(path)
                removed.append(name)
            }
        }
        return removed
    }

    /// Whether a file name is one that ``AtomicFile`` gives its temporaries.
    public static func isTemporary(_ name: String) -> Bool {
        guard name.utf8.first == UInt8(ascii: "."), let mark = name.lastRange(of: ".tmp-") else { return false }
        let number = name[mark.upperBound...]
        return mark.lowerBound > name.utf8.index(after: name.startIndex) && !number.isEmpty
            && number.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
            }
    }

    private static func createTemporary(for path: String) throws -> (descriptor: Int32, path: String) {
        let stem = ".\(FileSystem.name(of: path)).tmp-\(getpid())"
        let directory = FileSystem.directory(of: path)
        for attempt in 0..<1_000 {
            // The plain name may be taken: by another writer of this process, or by a leftover of an equal number.
            let name = FileSystem.join(directory, attempt == 0 ? stem : "\(stem)-\(attempt)")
            if status(of: name, followingLinks: false) != nil { continue }
            let descriptor: Int32
            do {
                descriptor = try openDescriptor(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o666, action: "create")
            } catch {
                if status(of: name, followingLinks: false) != nil { continue }  // Another writer was quicker.
                // The reader knows the file by the name that it shall have.
                throw (error as? InputError).map { InputError($0.problem, at: path, remedy: $0.remedy) } ?? error
            }
            var information = stat()
            // Someone clearing leftovers may have seen the file before it was locked: then it has no name any more.
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK,
                fstat(descriptor, &information) == 0, information.st_nlink > 0
            {
                return (descriptor, name)
            }
            close(descriptor)
        }
        throw InputError("cannot find a free name for a temporary file", at: directory)
    }
}

/// Flushes a file to the disk itself; zero for success.
private func synchronize(_ descriptor: Int32) -> Int32 {
    #if canImport(Darwin)
        if fcntl(descriptor, F_FULLFSYNC) == 0 { return 0 }
    #endif
    return fsync(descriptor)
}

/// The system's `write`, whose name the class's own methods hide.
private func systemWrite(_ descriptor: Int32, _ address: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, address, count)
}

extension String {
    /// The last occurrence of an ASCII text.
    fileprivate func lastRange(of text: StaticString) -> Range<Index>? {
        let count = text.utf8CodeUnitCount
        let units = utf8
        var end = units.endIndex
        while let start = units.index(end, offsetBy: -count, limitedBy: units.startIndex) {
            if text.withUTF8Buffer({ units[start..<end].elementsEqual($0) }) { return start..<end }
            end = units.index(before: end)
        }
        return nil
    }
}
