import MinkeEngine
import MinkeTokenization

/// What the engine is asked for, and how its answers are taken apart.
struct Generation: Sendable {
    /// One an answer. Answers of the same prompt differ in their seeds.
    var requests: [EngineRequest]
    /// Takes an answer apart; nil: it is content as it is.
    var reader: AnswerReader?
}

/// What became known of one answer with a token, or with its end.
struct AnswerStep: Sendable {
    /// The number of the answer.
    let index: Int
    var events: [AnswerParser.Event] = []
    /// The token, and the part of the answer it belongs to; nil for end tokens.
    var token: (token: EngineToken, part: AnswerParser.Part)?
    /// Tokens of the prompt, where they were asked for.
    var prompt: [EngineToken] = []
    /// Tokens of the prompt that were in the cache, where the answer's turn came.
    var cachedTokens: Int?
    var end: AnswerEnd?
}

/// The answers to a request as they come.
struct Answers: Sendable {
    /// Steps of all answers; the end of each is its last. Whoever stops listening ends them all.
    let steps: AsyncStream<AnswerStep>
    /// Ends them all at once, without waiting for the tasks that follow them to notice.
    let cancel: @Sendable () -> Void
}

/// How an answer ended.
struct AnswerEnd: Sendable {
    enum Reason: Sendable {
        case stop
        case stopString(String)
        case length
        case toolCalls
        case failed(APIError)

        /// As OpenAI names it.
        var name: String {
            switch self {
            case .stop, .stopString: "stop"
            case .length: "length"
            case .toolCalls: "tool_calls"
            case .failed: "error"
            }
        }
    }

    let reason: Reason
    let summary: EngineSummary
    let reasoningTokens: Int
}

extension ModelService {
    /// Hands a generation to the engine.
    ///
    /// - Throws: ``APIError`` or ``EngineError`` when the engine takes not all of them.
    func answers(_ generation: Generation, for request: APIRequest) throws -> Answers {
        let recorder = Recorder(request.record)
        let places = engine.options.maximumSequences + engine.options.queueLimit
        guard generation.requests.count <= places else {
            throw APIError.invalid(
                "\(generation.requests.count) answers at once are more than this server can hold (\(places))",
                parameter: "n")
        }
        let streams = try generation.requests.map { try engine.submit($0) }
        recorder.submitted(generation.requests[0])
        let (steps, continuation) = AsyncStream.makeStream(of: AnswerStep.self)
        let task = Task {
            await withTaskGroup(of: Void.self) { group in
                for (index, stream) in streams.enumerated() {
                    group.addTask {
                        await Self.follow(stream, index, generation.reader, recorder) { continuation.yield($0) }
                    }
                }
            }
            continuation.finish()
        }
        let cancel: @Sendable () -> Void = {
            recorder.clientLeft()
            // The tasks first: what the engine tells of the end is not for the record.
            task.cancel()
            streams.forEach { $0.cancel() }
        }
        continuation.onTermination = { if case .cancelled = $0 { cancel() } }
        return Answers(steps: steps, cancel: cancel)
    }

    private static func follow(
        _ stream: EngineStream, _ index: Int, _ reader: AnswerReader?, _ recorder: Recorder,
        _ tell: (AnswerStep) -> Void
    ) async {
        var reader = reader
        for await event in stream {
            var step = AnswerStep(index: index)
            switch event {
            case .started(let cachedTokens, let queued):
                recorder.started(index, cachedTokens, queued)
                step.cachedTokens = cachedTokens
            case .prompt(let tokens): step.prompt = tokens
            case .token(let token):
                recorder.token()
                var part = AnswerParser.Part.content
                if reader == nil {
                    if !token.text.isEmpty { step.events = [.content(token.text)] }
                } else if !token.isEnd, let read = reader?.append(token.id) {
                    (step.events, part) = read
                }
                if !token.isEnd { step.token = (token, part) }
            case .finished(let summary):
                step.events = reader?.finish() ?? []
                step.end = AnswerEnd(
                    reason: reason(summary, reader), summary: summary, reasoningTokens: reader?.reasoningTokens ?? 0)
                if !Task.isCancelled { recorder.finished(index, step.end) }
            }
            tell(step)
        }
    }

    private static func reason(_ summary: EngineSummary, _ reader: AnswerReader?) -> AnswerEnd.Reason {
        switch summary.reason {
        case .stop:
            if let string = reader?.stopString { return .stopString(string) }
            return reader.map { $0.callCount > 0 } ?? false ? .toolCalls : .stop
        case .stopString(let string): return .stopString(string)
        case .length: return reader?.stopString.map { .stopString($0) } ?? .length
        // Nobody hears of it where the client left; so it was the server.
        case .cancelled: return .failed(.shuttingDown)
        case .failed(let message): return .failed(.failed(message))
        }
    }
}

/// Fills in what is told about a request.
struct Recorder: Sendable {
    private let record: RequestRecord
    private let start = ContinuousClock.now

    init(_ record: RequestRecord) { self.record = record }

    func submitted(_ request: EngineRequest) {
        record.update {
            $0.promptTokens = request.prompt.count
            $0.completionTokens = 0
        }
    }

    /// The first answer stands for all: the others find its prompt in the cache.
    func started(_ index: Int, _ cachedTokens: Int, _ queued: Duration) {
        guard index == 0 else { return }
        record.update {
            $0.cachedTokens = cachedTokens
            $0.queued = queued
        }
    }

    func token() {
        let time = ContinuousClock.now - start
        record.update {
            $0.completionTokens = ($0.completionTokens ?? 0) + 1
            if $0.timeToFirstToken == nil { $0.timeToFirstToken = time }
        }
    }

    func finished(_ index: Int, _ end: AnswerEnd?) {
        guard index == 0, let end else { return }
        record.update {
            $0.cachedTokens = end.summary.cachedTokens
            $0.queued = end.summary.queued
            $0.decode = end.summary.decode
            $0.finishReason = end.reason.name
        }
    }

    func clientLeft() { record.update { $0.finishReason = "cancelled" } }
}
