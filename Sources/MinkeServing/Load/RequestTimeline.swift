import MinkeFiles

/// What became of one request, in seconds from when it was sent.
package struct RequestTimeline: Equatable, Sendable {
    /// Why a request does not count as completed.
    package enum Failure: Hashable, Sendable, CustomStringConvertible {
        /// An answer of another status than 200.
        case status(Int)
        case timedOut
        /// No connection, or one that ended within the answer.
        case connection(String)
        /// An error within the stream, by its code or type.
        case inStream(String)
        /// The stream ended without saying that it is done.
        case unfinished

        package var description: String {
            switch self {
            case .status(let status): "HTTP \(status)"
            case .timedOut: "timed out"
            case .connection(let problem): problem
            case .inStream(let code): "error in the stream: \(code)"
            case .unfinished: "the stream ended without [DONE]"
            }
        }
    }

    /// When each piece of the answer's text arrived.
    package var arrivals: [Double]
    /// When the answer was whole.
    package var total: Double
    /// Tokens of the answer as the server counts them. Where it does not, all that were asked for if it says that the
    /// answer is that long, otherwise the pieces of its text.
    package var outputTokens: Int
    package var promptTokens: Int?
    package var cachedTokens: Int?
    package var failure: Failure?

    package init(
        arrivals: [Double] = [], total: Double = 0, outputTokens: Int = 0, promptTokens: Int? = nil,
        cachedTokens: Int? = nil, failure: Failure? = nil
    ) {
        self.arrivals = arrivals
        self.total = total
        self.outputTokens = outputTokens
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.failure = failure
    }

    /// Seconds to the first piece of text.
    package var timeToFirstToken: Double? { arrivals.first }

    /// Seconds a token after the first.
    package var timePerOutputToken: Double? {
        guard let first = arrivals.first, let last = arrivals.last, outputTokens > 1 else { return nil }
        return (last - first) / Double(outputTokens - 1)
    }

    /// Seconds between pieces of text that follow each other.
    package var gaps: [Double] { zip(arrivals.dropFirst(), arrivals).map { $0 - $1 } }

    package func meets(_ objective: LoadPlan.Objective) -> Bool {
        guard failure == nil, let first = timeToFirstToken else { return false }
        return first <= objective.timeToFirstToken && (timePerOutputToken ?? 0) * objective.tokensPerSecond <= 1
    }
}

extension RequestTimeline {
    /// Reads a streamed answer in the form of OpenAI's interface.
    ///
    /// - Parameter asked: the tokens that the answer was to have at most.
    init(_ exchange: HTTPExchange, asked: Int) {
        func seconds(_ time: UInt64) -> Double { Double(time - min(time, exchange.started)) * 1e-9 }
        self.init(total: seconds(exchange.ended))
        if let status = exchange.status, status != 200 {
            failure = .status(status)
            return
        }
        var events = EventLines()
        var pieces = 0
        var counted: Int?
        var isFull = false
        var isDone = false
        for piece in exchange.pieces {
            for event in events.append(piece.bytes) {
                if event.starts(with: "[DONE]".utf8) {
                    isDone = true
                    continue
                }
                guard let chunk = try? JSON(parsing: event) else {
                    failure = failure ?? .inStream("no JSON")
                    continue
                }
                if let error = chunk["error"], !error.isNull {
                    let code = error["code"]?.stringValue ?? error["type"]?.stringValue ?? "no code"
                    failure = failure ?? .inStream(code)
                }
                if let usage = chunk["usage"], !usage.isNull {
                    counted = usage["completion_tokens"]?.intValue ?? counted
                    promptTokens = usage["prompt_tokens"]?.intValue ?? promptTokens
                    cachedTokens = usage["prompt_tokens_details"]?["cached_tokens"]?.intValue ?? cachedTokens
                }
                if chunk["choices"]?.arrayValue?.first?["finish_reason"] == "length" { isFull = true }
                if Self.hasText(chunk) {
                    pieces += 1
                    arrivals.append(seconds(piece.time))
                }
            }
        }
        outputTokens = max(0, counted ?? (isFull ? asked : pieces))
        switch exchange.ending {
        case .timedOut: failure = .timedOut
        case .broken(let problem) where !isDone: failure = failure ?? .connection(problem)
        case .whole, .broken: if !isDone { failure = failure ?? .unfinished }
        }
    }

    /// Whether a chunk carries something that the model wrote.
    private static func hasText(_ chunk: JSON) -> Bool {
        (chunk["choices"]?.arrayValue ?? []).contains { choice in
            let delta = choice["delta"]
            let texts = [choice["text"], delta?["content"], delta?["reasoning_content"]]
            if texts.contains(where: { $0?.stringValue?.isEmpty == false }) { return true }
            return delta?["tool_calls"]?.arrayValue?.isEmpty == false
        }
    }
}

/// Cuts server-sent events out of a stream of bytes.
struct EventLines: Sendable {
    private var line: [UInt8] = []
    private var data: [UInt8]?

    /// The data of the events that end within these bytes.
    mutating func append(_ bytes: [UInt8]) -> [[UInt8]] {
        var events: [[UInt8]] = []
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                line.append(byte)
                continue
            }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if line.isEmpty {
                if let data { events.append(data) }
                data = nil
            } else if line.starts(with: "data:".utf8) {
                let value = line.dropFirst(line.count > 5 && line[5] == UInt8(ascii: " ") ? 6 : 5)
                data = data.map { $0 + [UInt8(ascii: "\n")] + value } ?? Array(value)
            }
            line.removeAll(keepingCapacity: true)
        }
        return events
    }
}
