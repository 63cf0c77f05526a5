import MinkeFiles
import MinkeGeneration
import MinkeTokenization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Chooses the tokens of one sequence.
///
/// In this order: log-probabilities are read from the model's own distribution; then bias and penalties are added, the
/// constraint takes out what may not come, and the sampler draws.
struct TokenChooser {
    /// A token, and what the model thought of it.
    struct Choice {
        let id: Int32
        var logprob: Float?
        var top: [EngineToken.Alternative] = []
    }

    private let sampler: Sampler
    private let bias: [Int32: Float]
    private let presencePenalty: Float
    private let frequencyPenalty: Float
    /// Alternatives to tell; nil: no log-probabilities either.
    private let alternatives: Int?
    private var constraint: (any TokenConstraint)?
    /// How often each token was generated, where a penalty asks for it.
    private var counts: [Int32: Int] = [:]

    /// - Throws: ``InputError`` naming the setting that has no meaning.
    init(_ request: EngineRequest, vocabulary: Int) throws {
        sampler = try Sampler(request.sampling)
        bias = request.logitBias
        presencePenalty = Float(request.presencePenalty)
        frequencyPenalty = Float(request.frequencyPenalty)
        alternatives = request.logprobs
        constraint = request.constraint
        guard presencePenalty.isFinite, frequencyPenalty.isFinite else {
            throw InputError("a penalty that is not a number", remedy: "give -2 to 2")
        }
        for (id, value) in bias {
            guard id >= 0, Int(id) < vocabulary else {
                throw InputError("a bias for token \(id), but the vocabulary is 0 to \(vocabulary - 1)")
            }
            guard value.isFinite else { throw InputError("a bias that is not a number", remedy: "give -100 to 100") }
        }
        if let alternatives, alternatives < 0 || alternatives > vocabulary {
            throw InputError("\(alternatives) alternatives of a token", remedy: "give 0 to \(vocabulary)")
        }
    }

    /// Whether nothing but the end can follow.
    var mustStop: Bool { constraint?.mustStop ?? false }

    /// The next token.
    ///
    /// - Parameters:
    ///   - ids: all tokens before it.
    ///   - isEnd: whether a token ends the sequence.
    /// - Throws: ``InputError`` when a logit is not finite, or no token may come.
    mutating func choose(_ logits: [Float], after ids: [Int32], isEnd: (Int32) -> Bool) throws -> Choice {
        let id: Int32
        if bias.isEmpty, presencePenalty == 0, frequencyPenalty == 0, constraint == nil {
            id = try sampler.next(logits, history: ids, position: ids.count)
        } else {
            guard logits.allSatisfy(\.isFinite) else {
                throw InputError("the model produced values that are not finite")
            }
            var changed = logits
            for (id, value) in bias { changed[Int(id)] += value }
            for (id, count) in counts {
                changed[Int(id)] -= presencePenalty + frequencyPenalty * Float(count)
            }
            constraint?.mask(&changed)
            id = try sampler.next(amongAllowed: changed, history: ids, position: ids.count)
            counts[id, default: 0] += 1
            if !isEnd(id) { constraint?.advance(id) }
        }
        guard let alternatives else { return Choice(id: id) }
        return Self.logprobs(of: id, logits, alternatives: alternatives)
    }

    /// A token's log-probability and the most likely tokens in its place.
    static func logprobs(of id: Int32, _ logits: [Float], alternatives: Int) -> Choice {
        let highest = logits.max() ?? 0
        let total = logits.withUnsafeBufferPointer { $0.reduce(0.0) { $0 + exp(Double($1 - highest)) } }
        let logTotal = Double(highest) + log(total)
        func logprob(_ id: Int) -> Float { Float(Double(logits[id]) - logTotal) }
        // Kept in order, most likely first; a later token of equal logit comes after the earlier.
        var best: [Int] = []
        if alternatives > 0 {
            best.reserveCapacity(alternatives + 1)
            for candidate in logits.indices {
                if best.count == alternatives, logits[candidate] <= logits[best[alternatives - 1]] { continue }
                var place = best.count
                while place > 0, logits[best[place - 1]] < logits[candidate] { place -= 1 }
                best.insert(candidate, at: place)
                if best.count > alternatives { best.removeLast() }
            }
        }
        return Choice(
            id: id, logprob: logprob(Int(id)), top: best.map { .init(id: Int32($0), logprob: logprob($0)) })
    }
}
