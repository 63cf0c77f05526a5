import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file of JSON lines, one object a line, that only grows: the numbers of a run as it goes.
///
/// Each line is one write(2) to a file opened for appending, so that whoever follows the file sees whole lines, and a
/// run that is killed leaves at most its last line incomplete.
public final class MetricsLog: Sendable {
    public let path: String
    private let descriptor: Int32

    /// Opens the file at `path` for appending, and creates it where there is none.
    ///
    /// - Throws: ``InputError`` when the file cannot be opened.
    public init(path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw Self.failure("cannot open the metrics for writing", path) }
    }

    deinit { close(descriptor) }

    /// Appends one line.
    ///
    /// - Throws: ``InputError`` when it cannot be written, as on a full disk.
    public func append(_ metrics: JSON.Object) throws {
        let line = Array(JSON.object(metrics).text().utf8) + [UInt8(ascii: "\n")]
        let code = SystemFile.put(line, into: descriptor)
        if code != 0 { throw Self.failure("cannot write the metrics", path, code) }
    }

    /// The objects of the file at `path`, in order. A last line that was cut short is left out.
    ///
    /// - Throws: ``InputError`` when the file cannot be read or a whole line is no JSON object.
    public static func read(path: String) throws -> [JSON.Object] {
        try lines(path: path).map(\.object)
    }

    /// Cuts the file back to what was logged up to and including `step`, so that a run resumed there repeats no step.
    ///
    /// The cut is before the first line whose `"step"` is greater, or before a last line that was cut short. A file
    /// that does not exist is left so.
    ///
    /// - Throws: ``InputError`` when the file cannot be read or cut, or holds a line that is no JSON object.
    public static func truncate(path: String, throughStep step: Int) throws {
        if access(path, F_OK) != 0, errno == ENOENT { return }
        let kept = try lines(path: path).prefix { line in
            line.object["step"]?.intValue.map { $0 <= step } ?? true
        }
        guard SystemFile.cut(path, to: kept.last?.end ?? 0) else {
            throw failure("cannot cut the metrics back to step \(step)", path)
        }
    }

    /// Every whole line with the offset of the byte behind its end.
    private static func lines(path: String) throws -> [(object: JSON.Object, end: Int)] {
        let bytes = try contents(path: path)
        var lines: [(object: JSON.Object, end: Int)] = []
        var start = 0
        var number = 0
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            number += 1
            do {
                let json = try bytes.withUnsafeBytes {
                    try JSON(parsing: UnsafeRawBufferPointer(rebasing: $0[start..<end]))
                }
                guard case .object(let object) = json else { throw InputError("not a JSON object") }
                lines.append((object, end + 1))
            } catch let error as InputError {
                throw InputError(
                    error.problem, at: "\(path): line \(number)",
                    remedy: "remove the line, or the file to start a new one")
            }
            start = end + 1
        }
        return lines
    }

    private static func contents(path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure("cannot open the metrics", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("cannot read the metrics", path) }
        guard status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG) else { throw InputError("not a file", at: path) }
        guard let bytes = SystemFile.bytes(from: descriptor, limit: Int(status.st_size)) else {
            throw failure("cannot read the metrics", path)
        }
        return bytes
    }

    private static func failure(_ problem: String, _ path: String, _ code: Int32 = errno) -> InputError {
        InputError("\(problem): \(String(cString: strerror(code)))", at: path)
    }
}
