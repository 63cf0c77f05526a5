import MinkeFiles

/// An error as clients see it.
public struct APIError: Error, Equatable, Sendable {
    /// The status of HTTP.
    public let status: Int
    /// One line without paths, pointers or what others wrote.
    public let message: String
    /// `invalid_request_error`, `authentication_error`, `rate_limit_error`, `server_error` and the like.
    public let type: String
    /// The field of the request that is wrong.
    public let parameter: String?
    /// A name for programs, as `context_length_exceeded`.
    public let code: String?
    /// When another try makes sense.
    public let retryAfter: Duration?

    public init(
        status: Int, _ message: String, type: String, parameter: String? = nil, code: String? = nil,
        retryAfter: Duration? = nil
    ) {
        self.status = status
        self.message = message
        self.type = type
        self.parameter = parameter
        self.code = code
        self.retryAfter = retryAfter
    }

    /// The request makes no sense.
    public static func invalid(_ message: String, parameter: String? = nil, code: String? = nil) -> APIError {
        APIError(status: 400, message, type: "invalid_request_error", parameter: parameter, code: code)
    }

    /// The body of the answer, in the form of a dialect.
    public func json(for dialect: APIRoute.Dialect) -> JSON {
        switch dialect {
        case .openAI:
            [
                "error": [
                    "message": .string(message), "type": .string(type), "param": parameter.map { .string($0) } ?? .null,
                    "code": code.map { .string($0) } ?? .null,
                ]
            ]
        case .anthropic:
            ["type": "error", "error": ["type": .string(anthropicType), "message": .string(message)]]
        case .ollama: ["error": .string(message)]
        }
    }

    private var anthropicType: String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503, 529: "overloaded_error"
        case 500...: "api_error"
        default: "invalid_request_error"
        }
    }
}
