import MinkeFiles
import MinkeGeneration

/// How answers are drawn and where they end, whatever dialect asked.
struct GenerationSettings: Sendable {
    /// New tokens at most; nil: to the end of the context.
    var maximumTokens: Int?
    var sampling = SamplingOptions(temperature: 1)
    var presencePenalty = 0.0
    var frequencyPenalty = 0.0
    var logitBias: [Int32: Float] = [:]
    var stop: [String] = []
    /// Alternatives told with each token's log-probability; nil: none is told.
    var logprobs: Int?
    /// Goes on after end tokens.
    var ignoresEnd = false
    /// How many answers there shall be.
    var count = 1

    static let maximumCount = 16
    static let maximumAlternatives = 20
    static let maximumStops = 16
    static let maximumStopBytes = 256

    init() { sampling.seed = UInt64.random(in: .min ... .max) }

    /// Reads what all routes in OpenAI's form have in common.
    ///
    /// - Parameter vocabulary: how many tokens the model has.
    init(_ fields: Fields, vocabulary: Int) throws {
        self.init()
        try readSampling(fields)
        presencePenalty = try fields.number("presence_penalty", -2...2) ?? 0
        frequencyPenalty = try fields.number("frequency_penalty", -2...2) ?? 0
        logitBias = try Self.logitBias(fields, vocabulary: vocabulary)
        stop = try Self.stops(fields, "stop")
        ignoresEnd = try fields.bool("ignore_eos") ?? false
        count = try fields.integer("n", 1...Self.maximumCount) ?? 1
    }

    /// Reads the settings of the sampler, which have the same names everywhere.
    mutating func readSampling(_ fields: Fields) throws {
        if let temperature = try fields.number("temperature", 0...2) { sampling.temperature = temperature }
        if let topP = try fields.number("top_p", 0...1) { sampling.topP = Self.topP(topP) }
        // Some clients write -1 for all.
        if let topK = try fields.integer("top_k", -1...Int(Int32.max)) { sampling.topK = max(0, topK) }
        if let minP = try fields.number("min_p", 0...1) { sampling.minP = minP }
        if let penalty = try fields.number("repetition_penalty", 0.01...100) { sampling.repetitionPenalty = penalty }
        if let seed = try fields.integer("seed", 0...Int.max) { sampling.seed = UInt64(seed) }
    }

    /// Nothing of the distribution is its most likely token: the sampler keeps one at least.
    static func topP(_ value: Double) -> Double { max(value, .leastNormalMagnitude) }

    /// Texts that end an answer.
    static func stops(_ fields: Fields, _ key: String) throws -> [String] {
        let stops = try fields.strings(key) ?? []
        guard stops.count <= maximumStops, stops.allSatisfy({ 1...maximumStopBytes ~= $0.utf8.count }) else {
            throw fields.failure(key, "at most \(maximumStops) strings of 1 to \(maximumStopBytes) bytes each")
        }
        return stops
    }

    private static func logitBias(_ fields: Fields, vocabulary: Int) throws -> [Int32: Float] {
        guard let json = fields["logit_bias"] else { return [:] }
        guard let object = json.objectValue else { throw fields.failure("logit_bias", "an object of token ids") }
        var bias: [Int32: Float] = [:]
        for (key, value) in object {
            guard let id = Int32(key), id >= 0, id < vocabulary else {
                throw fields.failure("logit_bias", "an object whose keys are token ids from 0 to \(vocabulary - 1)")
            }
            guard let value = value.doubleValue, (-100...100).contains(value) else {
                throw fields.failure("logit_bias", "an object whose values are numbers from -100 to 100")
            }
            bias[id] = Float(value)
        }
        return bias
    }
}
