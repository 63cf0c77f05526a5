import NIOCore

/// What is known of a request before it is worked on.
struct Admission: Sendable {
    /// The client's own `X-Request-Id`, or one made for it.
    let id: String
    let method: String
    let received = ContinuousClock.now
    /// The path of the route, for log and metrics: never the client's own text.
    var routeName = "other"
    var dialect = APIRoute.Dialect.openAI
    var route: APIRoute?
    var parameter: String?
    var scope = ""
    /// `Access-Control-Allow-Origin` of the answer.
    var allowedOrigin: String?
    /// Whether a browser only asks what it may ask.
    var isPreflight = false
    /// Why the request is not worked on.
    var refusal: APIError?
    /// The methods that there are, where it is another one.
    var allowedMethods: String?
    var body = ByteBuffer()

    init(id: String, method: String) {
        self.id = id
        self.method = method
    }
}

extension Admission {
    /// - Returns: the id if it can be put into headers and logs as it is, else a new one.
    static func id(from given: String?) -> String {
        if let given, (1...128).contains(given.utf8.count), given.utf8.allSatisfy(isPlain) { return given }
        var generator = SystemRandomNumberGenerator()
        let digits = String(generator.next(), radix: 16) + String(generator.next(), radix: 16)
        return "req_" + String(repeating: "0", count: 32 - digits.count) + digits
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
