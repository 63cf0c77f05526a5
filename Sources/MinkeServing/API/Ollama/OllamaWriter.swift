import MinkeFiles
import MinkeTokenization

/// Writes an answer as lines of JSON, or as one that holds all of it.
struct OllamaWriter: FrameWriter {
    /// Where the text of an answer stands.
    enum Shape: Sendable {
        case chat
        case generate
    }

    private let shape: Shape
    private let model: String
    private let clock: ServiceClock
    private let start: Int
    /// A call is told when it is whole.
    private var call: ChatAnswer.Call?
    private var hasFailed = false

    init(_ shape: Shape, model: String, clock: ServiceClock) {
        self.shape = shape
        self.model = model
        self.clock = clock
        start = clock.nanoseconds()
    }

    mutating func append(_ step: AnswerStep) -> [UInt8] {
        if hasFailed { return [] }
        if case .failed(let error)? = step.end?.reason {
            hasFailed = true
            return error.json(for: .ollama).line
        }
        var bytes: [UInt8] = []
        for event in step.events {
            switch event {
            case .reasoning(let text): bytes += JSON.object(part(reasoning: text)).line
            case .content(let text): bytes += JSON.object(part(content: text)).line
            case .toolCallBegan(_, let id, let name): call = ChatAnswer.Call(id: id, name: name)
            case .toolCallArguments(_, let text): call?.arguments += text
            case .toolCallEnded:
                if let call { bytes += JSON.object(part(calls: [call])).line }
                call = nil
            }
        }
        if let end = step.end { bytes += ending(part(), end).line }
        return bytes
    }

    func finish() -> [UInt8] { [] }

    /// The whole answer as one value.
    func whole(_ answer: ChatAnswer) throws -> JSON {
        let end = try answer.checkedEnd()
        return ending(part(reasoning: answer.reasoning, content: answer.content, calls: answer.calls), end)
    }

    /// The reply to a request without anything to answer.
    func loaded() -> JSON {
        var object = part()
        object["done"] = true
        object["done_reason"] = "load"
        return .object(object)
    }

    private func part(reasoning: String = "", content: String = "", calls: [ChatAnswer.Call] = []) -> JSON.Object {
        var object: JSON.Object = [
            "model": .string(model), "created_at": .string(UTCTime.text(nanoseconds: clock.nanoseconds())),
        ]
        switch shape {
        case .generate:
            object["response"] = .string(content)
            if !reasoning.isEmpty { object["thinking"] = .string(reasoning) }
        case .chat:
            var message: JSON.Object = ["role": "assistant", "content": .string(content)]
            if !reasoning.isEmpty { message["thinking"] = .string(reasoning) }
            if !calls.isEmpty { message["tool_calls"] = .array(calls.map(Self.json)) }
            object["message"] = .object(message)
        }
        object["done"] = false
        return object
    }

    private static func json(_ call: ChatAnswer.Call) -> JSON {
        let arguments = (try? JSON(parsing: call.arguments)).flatMap { $0.objectValue }
        return [
            "id": .string(call.id),
            "function": ["name": .string(call.name), "arguments": .object(arguments ?? [:])],
        ]
    }

    private func ending(_ part: JSON.Object, _ end: AnswerEnd) -> JSON {
        var object = part
        object["done"] = true
        if case .length = end.reason { object["done_reason"] = "length" } else { object["done_reason"] = "stop" }
        object["total_duration"] = .integer(clock.nanoseconds() - start)
        object["load_duration"] = 0
        object["prompt_eval_count"] = .integer(end.summary.promptTokens)
        object["prompt_eval_duration"] = .integer(end.summary.prompt.nanoseconds)
        object["eval_count"] = .integer(end.summary.completionTokens)
        object["eval_duration"] = .integer(end.summary.decode.nanoseconds)
        return .object(object)
    }
}

extension JSON {
    /// The value on a line of its own.
    var line: [UInt8] { Array("\(text())\n".utf8) }
}

extension Duration {
    fileprivate var nanoseconds: Int {
        Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000)
    }
}

/// Points in time as text.
enum UTCTime {
    /// A time since 1970 as `2026-11-26T02:05:00.123456Z` (RFC 3339).
    static func text(nanoseconds: Int) -> String {
        let seconds = nanoseconds / 1_000_000_000
        let (year, month, day) = date(days: seconds / 86_400)
        let clock = [seconds % 86_400 / 3600, seconds % 3600 / 60, seconds % 60].map { padded($0, 2) }
        let fraction = padded(nanoseconds % 1_000_000_000 / 1000, 6)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(clock.joined(separator: ":")).\(fraction)Z"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// The Gregorian date of a day since 1970. Years are counted from March, so that the leap day is a year's last.
    private static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        return (era * 400 + yearOfEra + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, day)
    }
}
