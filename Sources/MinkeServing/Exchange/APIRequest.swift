import MinkeFiles
import Synchronization

/// A request as the interface sees it: its sender is known, its body is read.
public struct APIRequest: Sendable {
    /// `X-Request-Id`, the client's own or one made for it.
    public let id: String
    /// The JSON of the body; an empty object where there was none.
    public let body: JSON
    /// What was in the path behind the route, as the model's name of `/v1/models/{id}`.
    public let parameter: String?
    /// Whose request it is. Cached beginnings of prompts are shared only within a scope.
    public let scope: String
    /// What is told about the request in the log and in the metrics, filled in as it is worked on.
    public let record: RequestRecord

    public init(
        id: String, body: JSON = .object([:]), parameter: String? = nil, scope: String = "",
        record: RequestRecord = RequestRecord()
    ) {
        self.id = id
        self.body = body
        self.parameter = parameter
        self.scope = scope
        self.record = record
    }
}

/// What log and metrics tell about a request. No text of prompts or answers.
public final class RequestRecord: Sendable {
    /// The figures of a request; nil where they did not apply or come to be known.
    public struct Figures: Equatable, Sendable {
        public var promptTokens: Int?
        public var cachedTokens: Int?
        public var completionTokens: Int?
        /// From the request to its turn.
        public var queued: Duration?
        /// From the request to the first token.
        public var timeToFirstToken: Duration?
        /// From the first token to the last.
        public var decode: Duration?
        /// As the interface names it, `stop` or `length`; `cancelled` where the client left.
        public var finishReason: String?
    }

    private let state = Mutex(Figures())

    public init() {}

    public var figures: Figures { state.withLock { $0 } }

    /// Fills something in.
    public func update(_ change: (inout sending Figures) -> Void) { state.withLock { change(&$0) } }
}
