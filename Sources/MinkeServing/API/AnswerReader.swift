import MinkeGeneration
import MinkeTokenization

/// Takes one answer apart as its tokens come: thoughts, content up to a stop string, tool calls.
///
/// Stop strings end an answer where they stand in its content; what a model thinks to itself may hold them.
struct AnswerReader: Sendable {
    private var parser: AnswerParser
    private var filter: StopStringFilter
    private let allowsFurtherCalls: Bool
    private(set) var callCount = 0
    private(set) var reasoningTokens = 0
    /// Whether the answer is over, although the model might go on.
    private(set) var isOver = false

    /// - Parameters:
    ///   - stop: none of them empty.
    ///   - allowsFurtherCalls: whether more may follow the first tool call.
    init(_ parser: AnswerParser, stop: [String], allowsFurtherCalls: Bool) throws {
        self.parser = parser
        filter = try StopStringFilter(stop)
        self.allowsFurtherCalls = allowsFurtherCalls
    }

    /// The stop string that ended the content.
    var stopString: String? { filter.stopString }

    /// Takes the next token, which is no end token.
    ///
    /// - Returns: what is known with it, and the part of the answer that the token belongs to.
    mutating func append(_ id: Int32) -> (events: [AnswerParser.Event], part: AnswerParser.Part) {
        let before = parser.part
        let events = parser.append(id)
        // The token that opens thoughts belongs to them, like that which closes them.
        let part = before == .reasoning || parser.part == .reasoning ? .reasoning : parser.part
        if part == .reasoning { reasoningTokens += 1 }
        return (pass(events), part)
    }

    /// What was held back, when no more comes.
    mutating func finish() -> [AnswerParser.Event] {
        if isOver { return [] }
        var events = pass(parser.finish())
        let rest = filter.finish()
        if !rest.isEmpty { events.append(.content(rest)) }
        return events
    }

    private mutating func pass(_ events: [AnswerParser.Event]) -> [AnswerParser.Event] {
        var passed: [AnswerParser.Event] = []
        for event in events where !isOver {
            switch event {
            case .content(let text):
                let text = filter.append(text)
                if !text.isEmpty { passed.append(.content(text)) }
                isOver = filter.isStopped
            case .toolCallBegan:
                // What was held back of the content stands in front of the call.
                let rest = filter.finish()
                if !rest.isEmpty { passed.append(.content(rest)) }
                callCount += 1
                passed.append(event)
            case .toolCallEnded:
                passed.append(event)
                isOver = !allowsFurtherCalls
            case .reasoning, .toolCallArguments: passed.append(event)
            }
        }
        return passed
    }
}

/// Ends a generation where its reader says that the answer is over, and leaves the rest to another constraint.
struct ReaderConstraint: TokenConstraint {
    private var reader: AnswerReader
    private var base: (any TokenConstraint)?

    init(_ reader: AnswerReader, _ base: (any TokenConstraint)?) {
        self.reader = reader
        self.base = base
    }

    mutating func mask(_ logits: inout [Float]) { base?.mask(&logits) }

    mutating func advance(_ token: Int32) {
        _ = reader.append(token)
        base?.advance(token)
    }

    var isComplete: Bool { reader.isOver || (base?.isComplete ?? true) }
    var mustStop: Bool { reader.isOver || (base?.mustStop ?? false) }
}

/// Allows a JSON value or tool calls, until the first tokens decide.
struct JSONOrCalls: TokenConstraint {
    private var json: JSONConstraint?
    private var calls: ToolCallConstraint?

    init(_ json: JSONConstraint, _ calls: ToolCallConstraint) {
        self.json = json
        self.calls = calls
    }

    mutating func mask(_ logits: inout [Float]) {
        guard json != nil, calls != nil else {
            json?.mask(&logits)
            calls?.mask(&logits)
            return
        }
        var other = logits
        json?.mask(&logits)
        calls?.mask(&other)
        for index in logits.indices where other[index] > logits[index] { logits[index] = other[index] }
    }

    mutating func advance(_ token: Int32) {
        json?.advance(token)
        calls?.advance(token)
        // One of them allowed the token; if both did, white space came that either may begin with.
        if let other = calls, json?.hasFailed == true, !other.hasFailed { json = nil }
        if let other = json, calls?.hasFailed == true, !other.hasFailed { calls = nil }
    }

    var isComplete: Bool { (json?.isComplete ?? false) || (calls?.isComplete ?? false) }
    var mustStop: Bool { (json?.mustStop ?? true) && (calls?.mustStop ?? true) }
}
