import MinkeTensors

/// The texts and lengths of a run's requests: the same for the same seed.
struct LoadPrompts: Sendable {
    /// One request to come.
    struct Draw: Equatable, Sendable {
        let text: String
        let outputTokens: Int
    }

    /// What a server's tokenizer makes of the words: `tokens ≈ overhead + words × perWord`.
    struct Scale: Equatable, Sendable {
        /// Tokens of the chat template around a text.
        var overhead = 0.0
        var perWord = 1.3

        func words(for tokens: Int) -> Int { max(1, Int(((Double(tokens) - overhead) / perWord).rounded())) }
    }

    private static let words = [
        "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state",
        "family", "student", "group", "country", "problem", "hand", "part", "place", "case", "week", "company",
        "system", "program", "question", "work", "number", "night", "point", "home", "water", "room", "mother",
        "area", "money", "story", "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business",
        "issue", "side", "kind", "head", "house", "service", "friend", "father", "power", "hour", "game", "line",
        "end", "member", "law", "car",
    ]

    let plan: LoadPlan
    var scale = Scale()

    init(_ plan: LoadPlan) { self.plan = plan }

    /// The request of a number.
    func draw(_ index: Int) -> Draw {
        var random = numbers("load", index)
        let tokens = Self.draw(plan.promptTokens, &random)
        let output = Self.draw(plan.outputTokens, &random)
        let count = scale.words(for: tokens)
        let shared = Int((Double(count) * plan.sharedPrefix).rounded())
        let text = words(shared, numbers("load-prefix", 0)) + words(count - shared, numbers("load-words", index))
        return Draw(text: text.joined(separator: " "), outputTokens: output)
    }

    /// A text of so many words, to learn what the tokenizer makes of it.
    func probe(words count: Int) -> String { words(count, numbers("load-probe", count)).joined(separator: " ") }

    private func numbers(_ purpose: String, _ index: Int) -> CounterRandom {
        CounterRandom(seed: UInt64(bitPattern: Int64(plan.seed)), purpose: purpose, sample: index)
    }

    private func words(_ count: Int, _ random: CounterRandom) -> [String] {
        var random = random
        return (0..<count).map { _ in Self.words[random.integer(below: Self.words.count)] }
    }

    private static func draw(_ range: ClosedRange<Int>, _ random: inout CounterRandom) -> Int {
        range.lowerBound + random.integer(below: range.count)
    }
}
