import MinkeFiles
import MinkeTensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How the next token is drawn from the model's distribution.
///
/// In this order: repetition penalty, temperature, top-k, top-p, min-p; then a draw from what is left, renormalised.
public struct SamplingOptions: Equatable, Sendable {
    /// Logits are divided by it; 0 takes the most likely token, and of equal ones that with the lower id.
    public var temperature: Double
    /// Only the k most likely tokens; of equal ones those with the lower ids. 0: all.
    public var topK: Int
    /// Only the most likely tokens that together reach this probability; at least one. 1: all.
    public var topP: Double
    /// Only tokens at least this fraction as likely as the most likely one. 0: all.
    public var minP: Double
    /// Logits of tokens that occurred are divided by it where positive and multiplied where negative. 1: none.
    public var repetitionPenalty: Double
    /// Equal seeds draw equal tokens from equal texts.
    public var seed: UInt64

    public init(
        temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0, repetitionPenalty: Double = 1,
        seed: UInt64 = 0
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.seed = seed
    }

    /// - Throws: ``InputError`` naming the option that has no meaning.
    public func validate() throws {
        guard temperature >= 0, temperature.isFinite else {
            throw InputError("a temperature of \(temperature)", remedy: "give 0 or more")
        }
        guard topK >= 0 else { throw InputError("a top-k of \(topK)", remedy: "give 0 for all tokens, or more") }
        guard topP > 0, topP <= 1 else { throw InputError("a top-p of \(topP)", remedy: "give more than 0, at most 1") }
        guard minP >= 0, minP <= 1 else { throw InputError("a min-p of \(minP)", remedy: "give 0 to 1") }
        guard repetitionPenalty > 0, repetitionPenalty.isFinite else {
            throw InputError("a repetition penalty of \(repetitionPenalty)", remedy: "give more than 0; 1 is none")
        }
    }
}

/// Draws tokens from logits.
public struct Sampler: Sendable {
    public let options: SamplingOptions

    /// - Throws: ``InputError`` when an option has no meaning.
    public init(_ options: SamplingOptions) throws {
        try options.validate()
        self.options = options
    }

    /// The next token.
    ///
    /// - Parameters:
    ///   - logits: one value a word of the vocabulary.
    ///   - history: the tokens so far, for the repetition penalty.
    ///   - position: the place of the next token in its text; with the seed it determines the draw.
    /// - Throws: ``InputError`` when a logit is not finite.
    public func next(_ logits: [Float], history: some Sequence<Int32> = [Int32](), position: Int) throws -> Int32 {
        guard !logits.isEmpty, logits.withUnsafeBufferPointer({ $0.allSatisfy(\.isFinite) }) else {
            throw InputError(
                "the model produced values that are not finite", remedy: "its weights are damaged or did not converge")
        }
        return try next(amongAllowed: logits, history: history, position: position)
    }

    /// The same where some tokens may not come: their logits are −∞.
    ///
    /// - Throws: ``InputError`` when no token may come, or a logit is no number.
    public func next(
        amongAllowed logits: [Float], history: some Sequence<Int32> = [Int32](), position: Int
    ) throws -> Int32 {
        let (areNumbers, oneMayCome) = logits.withUnsafeBufferPointer {
            ($0.allSatisfy { $0 < .infinity }, $0.contains { $0 > -.infinity })
        }
        guard areNumbers, oneMayCome else { throw InputError("no token may come next") }
        var logits = logits
        if options.repetitionPenalty != 1 { penalise(&logits, history) }
        if options.temperature == 0 { return Int32(Self.mostLikely(logits)) }
        var candidates = weighted(logits)
        if options.topP < 1 { candidates = nucleus(candidates) }
        if options.minP > 0 {
            let bar = options.minP * (candidates.lazy.map(\.weight).max() ?? 0)
            candidates.removeAll { $0.weight < bar }
        }
        return Int32(draw(candidates, position: position))
    }

    /// A token and its probability times a factor common to all.
    private typealias Candidate = (id: Int, weight: Double)

    private func penalise(_ logits: inout [Float], _ history: some Sequence<Int32>) {
        let penalty = Float(options.repetitionPenalty)
        for id in Set(history) where logits.indices.contains(Int(id)) {
            logits[Int(id)] *= logits[Int(id)] > 0 ? 1 / penalty : penalty
        }
    }

    private static func mostLikely(_ logits: [Float]) -> Int {
        logits.withUnsafeBufferPointer { logits in
            var best = 0
            for id in 1..<max(1, logits.count) where logits[id] > logits[best] { best = id }
            return best
        }
    }

    /// The top-k tokens, in the order of their ids, with exp((logit − largest) / temperature).
    private func weighted(_ logits: [Float]) -> [Candidate] {
        let largest = Double(logits[Self.mostLikely(logits)])
        func candidate(_ id: Int) -> Candidate { (id, exp((Double(logits[id]) - largest) / options.temperature)) }
        guard options.topK > 0, options.topK < logits.count else { return logits.indices.map(candidate) }
        let bar = Self.largest(options.topK, of: logits)
        var ties = options.topK - logits.reduce(0) { $0 + ($1 > bar ? 1 : 0) }
        var candidates: [Candidate] = []
        for id in logits.indices where logits[id] >= bar {
            if logits[id] == bar {
                if ties == 0 { continue }
                ties -= 1
            }
            candidates.append(candidate(id))
        }
        return candidates
    }

    /// The `rank`-th largest value, counted from 1 (Hoare's selection, middle pivot).
    private static func largest(_ rank: Int, of values: [Float]) -> Float {
        var values = values
        return values.withUnsafeMutableBufferPointer { values in
            var (low, high) = (0, values.count - 1)
            while low < high {
                let pivot = values[low + (high - low) / 2]
                var (i, j) = (low, high)
                while i <= j {
                    while values[i] > pivot { i += 1 }
                    while values[j] < pivot { j -= 1 }
                    if i <= j {
                        values.swapAt(i, j)
                        i += 1
                        j -= 1
                    }
                }
                if rank - 1 <= j {
                    high = j
                } else if rank - 1 >= i {
                    low = i
                } else {
                    break
                }
            }
            return values[rank - 1]
        }
    }

    /// The most likely candidates that together reach top-p, most likely first.
    private func nucleus(_ candidates: [Candidate]) -> [Candidate] {
        let total = candidates.reduce(0) { $0 + $1.weight }
        // Tokens below this are together less than 1 − top-p: they are never reached, and need not be sorted.
        let negligible = (1 - options.topP) * total / Double(candidates.count)
        let sorted = candidates.filter { $0.weight >= negligible }.sorted { ($1.weight, $0.id) < ($0.weight, $1.id) }
        var sum = 0.0
        let end = sorted.firstIndex {
            sum += $0.weight
            return sum >= options.topP * total
        }
        return Array(sorted[...(end ?? sorted.count - 1)])
    }

    private func draw(_ candidates: [Candidate], position: Int) -> Int {
        var random = CounterRandom(seed: options.seed, purpose: "sampling", step: position)
        let total = candidates.reduce(0) { $0 + $1.weight }
        var rest = Double(random.next() >> 11) * 0x1p-53 * total
        for candidate in candidates {
            rest -= candidate.weight
            if rest < 0 { return candidate.id }
        }
        // Rounding can leave a remainder: it belongs to the last token that can occur at all.
        return candidates.last { $0.weight > 0 }?.id ?? candidates[0].id
    }
}
