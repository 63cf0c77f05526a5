import MinkeFiles
import NIOCore
import NIOPosix
import Synchronization

/// Sends the requests of a ``LoadPlan`` to a server and gathers what becomes of them.
package struct LoadRun: Sendable {
    /// How far a run is.
    package struct Progress: Equatable, Sendable {
        package var sent = 0
        package var completed = 0
        package var failed = 0
        package var outputTokens = 0
        package var seconds = 0.0
    }

    private let plan: LoadPlan
    private let model: String
    private let prompts: LoadPrompts
    private let group: any EventLoopGroup

    /// Asks the server for its model, where the plan has none, and for what its tokenizer makes of the prompts' words. The
    /// two requests for that also wake it up, and do not count.
    ///
    /// - Throws: ``InputError`` where the plan makes no sense, or the server cannot be reached or refuses.
    package init(_ plan: LoadPlan, on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton) async throws {
        try plan.validate()
        let asking = Asking(plan: plan, group: group)
        let model = if let name = plan.model { name } else { try await asking.firstModel() }
        var prompts = LoadPrompts(plan)
        let short = 16
        let long = 80
        let shortTokens = try await asking.promptTokens(of: prompts.probe(words: short), model: model)
        let longTokens = try await asking.promptTokens(of: prompts.probe(words: long), model: model)
        if let shortTokens, let longTokens, longTokens > shortTokens {
            let perWord = Double(longTokens - shortTokens) / Double(long - short)
            prompts.scale = LoadPrompts.Scale(
                overhead: max(0, Double(shortTokens) - perWord * Double(short)), perWord: perWord)
        }
        self.plan = plan
        self.model = model
        self.prompts = prompts
        self.group = group
    }

    /// The same server at another pace, with prompts of another seed: its cache is not to help with those that it has seen.
    package func paced(_ pace: LoadPlan.Pace, seed: Int) throws -> LoadRun {
        var plan = plan
        plan.pace = pace
        plan.seed = seed
        try plan.validate()
        var prompts = LoadPrompts(plan)
        prompts.scale = self.prompts.scale
        return LoadRun(plan: plan, model: model, prompts: prompts, group: group)
    }

    private init(plan: LoadPlan, model: String, prompts: LoadPrompts, group: any EventLoopGroup) {
        self.plan = plan
        self.model = model
        self.prompts = prompts
        self.group = group
    }

    /// Sends all requests and waits for all answers.
    ///
    /// - Parameter progress: called after each answer, from any thread.
    package func report(progress: @escaping @Sendable (Progress) -> Void = { _ in }) async throws -> LoadReport {
        let tally = Tally(limit: plan.requests, seconds: plan.seconds)
        switch plan.pace {
        case .clients(let count):
            await withTaskGroup(of: Void.self) { tasks in
                for _ in 0..<count {
                    tasks.addTask {
                        while !Task.isCancelled, let index = tally.take() {
                            let timeline = await answer(index)
                            progress(tally.add(timeline))
                            // A server that refuses is not asked again at once.
                            if timeline.failure != nil { try? await Task.sleep(for: .milliseconds(100)) }
                        }
                    }
                }
            }
        case .rate(let rate, let burstiness):
            var arrivals = Arrivals(rate: rate, burstiness: burstiness, seed: plan.seed)
            await withDiscardingTaskGroup { tasks in
                while !Task.isCancelled {
                    let wait = arrivals.next() - tally.elapsed
                    if wait > 0 { try? await Task.sleep(for: .seconds(wait)) }
                    guard let index = tally.take() else { break }
                    tasks.addTask { progress(tally.add(await answer(index))) }
                }
            }
        }
        try Task.checkCancellation()
        return LoadReport(plan, model: model, seconds: tally.elapsed, tally.timelines)
    }

    private func answer(_ index: Int) async -> RequestTimeline {
        let draw = prompts.draw(index)
        var body = Asking.body(plan, model: model, text: draw.text, tokens: draw.outputTokens)
        body["stream"] = true
        body["stream_options"] = ["include_usage": true]
        let exchange = await HTTPExchange.perform(
            plan.endpoint, path: plan.interface.path, body: .object(body), apiKey: plan.apiKey, timeout: plan.timeout,
            on: group)
        return RequestTimeline(exchange, asked: draw.outputTokens)
    }
}

/// What is sent and what came back.
private final class Tally: Sendable {
    private struct State {
        var progress = LoadRun.Progress()
        var timelines: [RequestTimeline] = []
    }

    private let limit: Int?
    private let seconds: Double?
    private let started = NIODeadline.now()
    private let state = Mutex(State())

    init(limit: Int?, seconds: Double?) {
        self.limit = limit
        self.seconds = seconds
    }

    var elapsed: Double { Double((NIODeadline.now() - started).nanoseconds) * 1e-9 }
    var timelines: [RequestTimeline] { state.withLock { $0.timelines } }

    /// The number of the next request, or nil when all were sent.
    func take() -> Int? {
        if let seconds, elapsed >= seconds { return nil }
        return state.withLock { state in
            if let limit, state.progress.sent >= limit { return nil }
            defer { state.progress.sent += 1 }
            return state.progress.sent
        }
    }

    func add(_ timeline: RequestTimeline) -> LoadRun.Progress {
        state.withLock { state in
            state.timelines.append(timeline)
            if timeline.failure == nil {
                state.progress.completed += 1
                state.progress.outputTokens += timeline.outputTokens
            } else {
                state.progress.failed += 1
            }
            state.progress.seconds = elapsed
            return state.progress
        }
    }
}

/// The few questions that come before a run.
private struct Asking {
    let plan: LoadPlan
    let group: any EventLoopGroup

    /// A request without its way of answering.
    static func body(_ plan: LoadPlan, model: String, text: String, tokens: Int) -> JSON.Object {
        var body: JSON.Object = ["model": .string(model)]
        switch plan.interface {
        case .chat: body["messages"] = [["role": "user", "content": .string(text)]]
        case .completions: body["prompt"] = .string(text)
        }
        body["max_tokens"] = .integer(tokens)
        body["temperature"] = .number(plan.temperature)
        // An extra that servers of open models know: answers have the length that was asked for.
        body["ignore_eos"] = true
        return body
    }

    func firstModel() async throws -> String {
        let answer = try await ask("/models", nil)
        guard let name = answer["data"]?.arrayValue?.first?["id"]?.stringValue else {
            throw InputError("the server lists no model", remedy: "name one with --model")
        }
        return name
    }

    func promptTokens(of text: String, model: String) async throws -> Int? {
        let body = Self.body(plan, model: model, text: text, tokens: 1)
        return try await ask(plan.interface.path, .object(body))["usage"]?["prompt_tokens"]?.intValue
    }

    private func ask(_ path: String, _ body: JSON?) async throws -> JSON {
        let exchange = await HTTPExchange.perform(
            plan.endpoint, path: path, body: body, apiKey: plan.apiKey, timeout: plan.timeout, on: group)
        let place = "http://\(plan.endpoint.authority)\(plan.endpoint.base)\(path)"
        switch (exchange.ending, exchange.status) {
        case (.timedOut, _): throw InputError("no answer within \(plan.timeout) s", at: place)
        case (.broken(let problem), _): throw InputError(problem, at: place, remedy: "is the server running?")
        case (.whole, .some(200)): break
        case (.whole, let status):
            let message = (try? JSON(parsing: exchange.body))?["error"]?["message"]?.stringValue
            throw InputError("the server answered with \(status ?? 0)\(message.map { ": \($0)" } ?? "")", at: place)
        }
        guard let answer = try? JSON(parsing: exchange.body) else {
            throw InputError("the answer is no JSON", at: place)
        }
        return answer
    }
}
