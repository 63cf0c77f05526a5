import MinkeFiles

/// Figures of a number of values; ``percentile(_:)`` interpolates between neighbours as numpy does.
package struct Distribution: Equatable, Sendable {
    private let sorted: [Double]
    package let mean: Double?

    package init(_ values: [Double]) {
        sorted = values.sorted()
        mean = values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    package var count: Int { sorted.count }
    package var maximum: Double? { sorted.last }

    /// The value below which `percent` of the values are; nil without values.
    package func percentile(_ percent: Double) -> Double? {
        guard let last = sorted.indices.last else { return nil }
        let place = min(max(percent, 0), 100) / 100 * Double(last)
        let low = Int(place)
        let high = min(low + 1, last)
        return sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
    }

    var json: JSON {
        func value(_ number: Double?) -> JSON { number.map { .number($0) } ?? .null }
        return [
            "count": .integer(count), "mean": value(mean), "p50": value(percentile(50)), "p90": value(percentile(90)),
            "p99": value(percentile(99)), "max": value(maximum),
        ]
    }
}

/// What a run came to. Times are seconds.
package struct LoadReport: Sendable {
    package let plan: LoadPlan
    package let model: String
    /// From the first request to the last answer.
    package let seconds: Double
    package let completed: Int
    /// How many requests failed of each reason, most frequent first.
    package let failures: [(reason: String, count: Int)]
    package let promptTokens: Int
    package let cachedTokens: Int?
    package let outputTokens: Int
    /// From sending a request to the first token.
    package let timeToFirstToken: Distribution
    /// Between pieces of text that follow each other, over all answers.
    package let interTokenLatency: Distribution
    /// An answer's time after its first token, by its tokens but the first.
    package let timePerOutputToken: Distribution
    /// From sending a request to the end of its answer.
    package let endToEnd: Distribution
    /// Answers that kept the objective.
    package let good: Int

    package init(_ plan: LoadPlan, model: String, seconds: Double, _ timelines: [RequestTimeline]) {
        let whole = timelines.filter { $0.failure == nil }
        self.plan = plan
        self.model = model
        self.seconds = seconds
        completed = whole.count
        failures = Dictionary(grouping: timelines.compactMap(\.failure), by: \.description)
            .map { (reason: $0.key, count: $0.value.count) }
            .sorted { ($1.count, $0.reason) < ($0.count, $1.reason) }
        promptTokens = whole.reduce(0) { $0 + ($1.promptTokens ?? 0) }
        let cached = whole.compactMap(\.cachedTokens)
        cachedTokens = cached.isEmpty ? nil : cached.reduce(0, +)
        outputTokens = whole.reduce(0) { $0 + $1.outputTokens }
        timeToFirstToken = Distribution(whole.compactMap(\.timeToFirstToken))
        interTokenLatency = Distribution(whole.flatMap(\.gaps))
        timePerOutputToken = Distribution(whole.compactMap(\.timePerOutputToken))
        endToEnd = Distribution(whole.map(\.total))
        good = whole.count { $0.meets(plan.objective) }
    }

    package var failed: Int { failures.reduce(0) { $0 + $1.count } }
    /// The share of all requests whose answers kept the objective.
    package var goodShare: Double { completed + failed > 0 ? Double(good) / Double(completed + failed) : 0 }
    package var outputTokensPerSecond: Double { seconds > 0 ? Double(outputTokens) / seconds : 0 }
    package var requestsPerSecond: Double { seconds > 0 ? Double(completed) / seconds : 0 }
    /// Answers a second that kept the objective.
    package var goodput: Double { seconds > 0 ? Double(good) / seconds : 0 }
    /// The share of the prompts' tokens that the server had in its cache; nil where it does not say.
    package var cachedShare: Double? {
        guard let cachedTokens, promptTokens > 0 else { return nil }
        return Double(cachedTokens) / Double(promptTokens)
    }
    /// How much longer the longest of a hundred gaps between tokens is than the middle one.
    package var tailRatio: Double? {
        guard let middle = interTokenLatency.percentile(50), middle > 0 else { return nil }
        return interTokenLatency.percentile(99).map { $0 / middle }
    }

    package var json: JSON {
        var failed = JSON.Object()
        for failure in failures { failed[failure.reason] = .integer(failure.count) }
        var pace: JSON.Object
        switch plan.pace {
        case .clients(let count): pace = ["clients": .integer(count)]
        case .rate(let rate, let burstiness): pace = ["rate": .number(rate), "burstiness": .number(burstiness)]
        }
        pace["interface"] = .string(plan.interface.rawValue)
        pace["seed"] = .integer(plan.seed)
        return [
            "model": .string(model), "load": .object(pace), "seconds": .number(seconds),
            "completed": .integer(completed), "failed": .integer(self.failed), "failures": .object(failed),
            "requests_per_second": .number(requestsPerSecond),
            "output_tokens": .integer(outputTokens), "output_tokens_per_second": .number(outputTokensPerSecond),
            "prompt_tokens": .integer(promptTokens), "cached_tokens": cachedTokens.map { .integer($0) } ?? .null,
            "cached_share": cachedShare.map { .number($0) } ?? .null,
            "ttft": timeToFirstToken.json, "itl": interTokenLatency.json, "tpot": timePerOutputToken.json,
            "e2e": endToEnd.json, "itl_p99_over_p50": tailRatio.map { .number($0) } ?? .null,
            "objective": [
                "ttft": .number(plan.objective.timeToFirstToken),
                "tokens_per_second": .number(plan.objective.tokensPerSecond),
            ],
            "goodput": .number(goodput), "good_share": .number(goodShare),
        ]
    }
}
