import MinkeFiles

/// The answer to an ``APIRequest``.
public enum APIReply: Sendable {
    /// One JSON value.
    case json(JSON)
    /// Bytes as they come. Whoever stops listening cancels the work.
    case stream(StreamFormat, AsyncStream<[UInt8]>)
    /// What is no JSON, as a page.
    case content(APIContent)
}

/// Bytes with their type.
public struct APIContent: Sendable {
    /// As `text/html; charset=utf-8`.
    public let type: String
    public let bytes: [UInt8]
    /// What a browser may load and do for a page (`Content-Security-Policy`).
    public let securityPolicy: String?

    public init(type: String, bytes: [UInt8], securityPolicy: String? = nil) {
        self.type = type
        self.bytes = bytes
        self.securityPolicy = securityPolicy
    }
}

/// How a streamed answer is framed; each element of the stream is one or more whole frames.
public enum StreamFormat: Sendable {
    /// Server-sent events, `text/event-stream`: `data: …` and an empty line. Comments may be put between frames.
    case events
    /// A JSON value a line, `application/x-ndjson`.
    case lines
}

/// One way into the interface.
public struct APIRoute: Sendable {
    /// Whose interface a route imitates, which decides how errors look.
    public enum Dialect: Sendable {
        case openAI, anthropic, ollama
    }

    public enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
    }

    public let method: Method
    /// Without a slash at the end; a last component `{…}` becomes ``APIRequest/parameter`` and may hold slashes.
    public let path: String
    public let dialect: Dialect
    /// Whether it is there for everybody, without a key: only for what tells nothing.
    public let isOpen: Bool
    public let handle: @Sendable (APIRequest) async throws -> APIReply

    /// - Parameter handle: throws ``APIError``, or what becomes an error of status 500 without its text.
    public init(
        _ method: Method, _ path: String, dialect: Dialect = .openAI, isOpen: Bool = false,
        handle: @escaping @Sendable (APIRequest) async throws -> APIReply
    ) {
        self.method = method
        self.path = path
        self.dialect = dialect
        self.isOpen = isOpen
        self.handle = handle
    }
}
