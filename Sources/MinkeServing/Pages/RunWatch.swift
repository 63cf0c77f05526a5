import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Follows the metrics of a training run in its folder, a piece at a time, for whoever watches the run.
///
/// The run needs to know nothing of it, and may not have begun. Where to go on is told by a ``Cursor`` that also
/// remembers what lay before it: a run that is started anew, or resumed from an earlier step, cuts its metrics back and
/// grows over the old place, and whoever followed it must begin again.
public struct RunWatch: Sendable {
    /// The folder of the run.
    public let folder: String
    /// The most bytes that are read at once.
    private let chunkSize: Int

    /// - Throws: ``InputError`` when there is no folder at `folder`.
    public init(folder: String, chunkSize: Int = 1 << 20) throws {
        guard FileSystem.isDirectory(folder) else {
            throw InputError(
                "not a folder", at: folder, remedy: "name the folder of a run, as it was given to minke train --out")
        }
        self.folder = folder
        self.chunkSize = chunkSize
    }

    /// A place in the metrics, and what lay before it.
    public struct Cursor: Equatable, Sendable {
        var offset = 0
        /// A hash of the bytes before the offset, as many as ``span`` allows; empty at the beginning.
        var mark = ""

        static let span = 256
        /// The beginning.
        public static let start = Cursor()

        init(offset: Int = 0, mark: String = "") {
            self.offset = offset
            self.mark = mark
        }

        /// Reads what ``text`` wrote; nil where it is none.
        public init?(_ text: String) {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let offset = Int(parts[0]), offset >= 0, parts[1].utf8.count <= 64 else {
                return nil
            }
            self.init(offset: offset, mark: String(parts[1]))
        }

        public var text: String { "\(offset)-\(mark)" }
    }

    /// What was written since a cursor.
    public struct News: Sendable {
        /// The whole lines that are objects, in order.
        public var lines: [JSON] = []
        /// Where to go on.
        public var cursor = Cursor.start
        /// Whether the metrics are others than those before the cursor, and the lines begin anew.
        public var isRestarted = false
        /// Whether more can be read at once.
        public var hasMore = false
        /// Seconds since the metrics last changed; nil where there are none yet.
        public var age: Double?
    }

    /// What was written since `cursor`, at most a chunk of it. A last line that is not complete is left for later, and
    /// lines that are no objects are left out.
    ///
    /// - Throws: ``InputError`` when the metrics cannot be read.
    public func news(since cursor: Cursor) throws -> News {
        let path = FileSystem.join(folder, "metrics.jsonl")
        // Not blocking: a pipe in the place of the file must not stop the server.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0, errno == ENOENT { return News(isRestarted: cursor.offset > 0) }
        guard descriptor >= 0 else { throw Self.failure(path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure(path) }
        guard status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG) else { throw InputError("not a file", at: path) }
        let size = Int(status.st_size)

        var news = News(age: Self.age(status))
        var start = cursor.offset
        if start > 0 {
            let isKept = start <= size ? try Self.mark(descriptor, before: start, path) == cursor.mark : false
            if !isKept {
                news.isRestarted = true
                start = 0
            }
        }
        let bytes = try Self.bytes(descriptor, from: start, count: min(chunkSize, max(0, size - start)), path)
        var end = bytes.startIndex
        while let newline = bytes[end...].firstIndex(of: UInt8(ascii: "\n")) {
            if let line = Self.object(bytes[end..<newline]) { news.lines.append(line) }
            end = newline + 1
        }
        // A line longer than a chunk is none of Minke's: it is passed over.
        if end == 0, bytes.count == chunkSize { end = bytes.count }
        let next = start + end
        news.cursor = Cursor(offset: next, mark: next > 0 ? try Self.mark(descriptor, before: next, path) : "")
        news.hasMore = end > 0 && bytes.count == chunkSize && next < size
        return news
    }

    /// The settings of the run, from its `run.json`; nil where it has none that can be read.
    public var settings: JSON? {
        guard let bytes = try? FileSystem.readAll(FileSystem.join(folder, "run.json"), limit: 1 << 20),
            let json = try? JSON(parsing: bytes), json.objectValue != nil
        else { return nil }
        return json
    }

    private static func object(_ line: ArraySlice<UInt8>) -> JSON? {
        let json = line.withUnsafeBytes { try? JSON(parsing: $0) }
        return json?.objectValue == nil ? nil : json
    }

    private static func mark(_ descriptor: Int32, before offset: Int, _ path: String) throws -> String {
        let count = min(offset, Cursor.span)
        let bytes = try bytes(descriptor, from: offset - count, count: count, path)
        return String(bytes.withUnsafeBytes { SHA256.hexadecimal(of: $0) }.prefix(16))
    }

    /// Fewer than `count` where the file ends before.
    private static func bytes(_ descriptor: Int32, from offset: Int, count: Int, _ path: String) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                pread(
                    descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset + filled))
            }
            if got < 0, errno == EINTR { continue }
            if got < 0 { throw failure(path) }
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return bytes
    }

    private static func age(_ status: stat) -> Double {
        #if canImport(Darwin)
            let written = status.st_mtimespec
        #else
            let written = status.st_mtim
        #endif
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let nanoseconds = Double(now.tv_nsec) - Double(written.tv_nsec)
        return max(0, Double(now.tv_sec) - Double(written.tv_sec) + nanoseconds / 1e9)
    }

    private static func failure(_ path: String) -> InputError {
        InputError("cannot read the metrics: \(String(cString: strerror(errno)))", at: path)
    }
}
