import Logging
import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Writes a log as lines on standard error: JSON for programs, plain ones for people.
public struct ServerLogHandler: LogHandler {
    /// How a line looks.
    public enum Style: Sendable {
        /// `{"ts":"2026-01-02T03:04:05.678Z","level":"info","message":…, …}`
        case json
        /// `03:04:05 info request route=/v1/models status=200 …`, in UTC; values that are missing are left out.
        case plain
    }

    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    public var logLevel = Logger.Level.info
    private let style: Style
    private let put: @Sendable (String) -> Void

    /// - Parameters:
    ///   - style: JSON, unless standard error is a terminal.
    ///   - put: takes a line with its end, in one piece.
    public init(
        style: Style = isatty(STDERR_FILENO) == 1 ? .plain : .json,
        put: @escaping @Sendable (String) -> Void = ServerLogHandler.putOnStandardError
    ) {
        self.style = style
        self.put = put
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        let pairs = all.sorted { Self.rank($0.key) < Self.rank($1.key) }
        let (day, time) = Self.now()
        switch style {
        case .json:
            var object: JSON.Object = [
                "ts": .string(day + "T" + time + "Z"), "level": .string(event.level.rawValue),
                "message": .string("\(event.message)"),
            ]
            for (key, value) in pairs { object[key] = Self.json(value) }
            put(JSON.object(object).text() + "\n")
        case .plain:
            let values = pairs.compactMap { key, value in
                if case .stringConvertible(let value) = value, value is NullLogValue { return nil as String? }
                return "\(key)=\(value)"
            }
            let line = ([String(time.prefix(8)), event.level.rawValue, "\(event.message)"] + values)
            put(String(line.joined(separator: " ").map { $0.isNewline ? " " : $0 }) + "\n")
        }
    }

    /// Keys of requests in the order in which they are read.
    private static func rank(_ key: String) -> (Int, String) {
        let order = [
            "request_id", "route", "status", "prompt_tokens", "cached_tokens", "completion_tokens", "queue_ms",
            "ttft_ms", "total_ms", "finish_reason", "client_gone",
        ]
        return (order.firstIndex(of: key) ?? order.count, key)
    }

    private static func json(_ value: Logger.MetadataValue) -> JSON {
        switch value {
        case .string(let text): .string(text)
        case .stringConvertible(let value as Int): .integer(value)
        case .stringConvertible(let value as Double): .number(value)
        case .stringConvertible(let value as Bool): .bool(value)
        case .stringConvertible(_ as NullLogValue): .null
        case .stringConvertible(let value): .string(value.description)
        case .array(let values): .array(values.map(json))
        case .dictionary(let values):
            .object(values.sorted { $0.key < $1.key }.reduce(into: [:]) { $0[$1.key] = json($1.value) })
        }
    }

    /// The date and the time of day with milliseconds, in UTC.
    private static func now() -> (day: String, time: String) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var seconds = time.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let day = "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
        let clock = "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))"
        return (day, clock + "." + padded(Int32(time.tv_nsec / 1_000_000), to: 3))
    }

    private static func padded(_ number: Int32, to width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// In one call, so that lines of several threads do not mix. That it cannot be written is no reason to stop.
    @Sendable public static func putOnStandardError(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = UnsafeBufferPointer(rebasing: rest)
                let count = write(STDERR_FILENO, part.baseAddress, part.count)
                if count < 0, errno != EINTR { return }
                rest = rest.dropFirst(max(0, count))
            }
        }
    }
}
