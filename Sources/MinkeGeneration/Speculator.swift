import MinkeModel
import MinkeTensors

/// Whether a prediction module proposes tokens that the model then verifies.
public enum Speculation: String, CaseIterable, Sendable {
    case on, off
    /// Tried on the first tokens, and kept where it is faster.
    case auto
}

/// Speculative decoding with the checkpoint's own prediction module (DeepSeek-V3 report, 2.2 and 5.4.3).
///
/// The module proposes the next token; the model runs the newest token and the proposal in one pass, and so has the
/// logits for both places. The sampler draws from the first as it would anyway. If it draws the proposal, the logits of
/// the second place are there already; if not, the proposal leaves the cache. What is drawn never depends on proposals.
final class Speculator {
    /// Rows of position i were made from the model's state of i and the embedding of token i + 1.
    let cache: ModelCache
    let mode: Speculation
    /// States of the positions that the module has not seen, in order.
    private var pending: [Tensor] = []
    /// The proposal in the model's cache that the sampler has not confirmed, and the logits of the place after it.
    private var unconfirmed: (draft: Int32, logits: [Float])?
    private var trial: SpeculationTrial?

    /// - Parameter mode: `auto` decides by the clock.
    init(cache: ModelCache, mode: Speculation) {
        self.cache = cache
        self.mode = mode
        if mode == .auto { trial = SpeculationTrial() }
    }

    /// Whether a trial found that proposals cost more than they bring.
    var isGivenUp: Bool { trial?.isWorthwhile == false }

    /// Whether the next pass should verify a proposal.
    var isDrafting: Bool { trial?.isDrafting ?? true }

    /// Begins a sequence that shares its first `common` tokens with the last one. Returns how many of them the model may
    /// keep in its cache: the module needs the states of the others.
    func begin(common: Int) -> Int {
        pending = []
        unconfirmed = nil
        cache.truncate(to: min(cache.count, max(0, common - 1)))
        return cache.count
    }

    /// Takes the model's states of the next positions.
    func receive(_ states: Tensor) { pending.append(states) }

    /// Runs the module on the received positions whose next token is known, and returns its state of the last one.
    @discardableResult
    func catchUp(_ ids: [Int32], _ model: LanguageModel) -> Tensor? {
        var last: Tensor?
        while let states = pending.first {
            let known = min(states.rows, ids.count - 1 - cache.count)
            guard known > 0 else { break }
            let next = Array(ids[cache.count + 1...cache.count + known])
            last = model.draft(after: states.rows(0..<known), next: next, cache: cache)
            if known < states.rows {
                pending[0] = states.rows(known..<states.rows)
                break
            }
            pending.removeFirst()
        }
        return last
    }

    /// Remembers what a verifying pass found for the place after the proposal.
    func verify(_ draft: Int32, logits: [Float]) {
        unconfirmed = (draft, logits)
    }

    /// What became of the proposal once the newest token is known.
    enum Outcome {
        /// There was none.
        case unknown
        /// The logits of the next place.
        case accepted([Float])
        /// The model's cache holds one token too many.
        case rejected
    }

    /// Compares the proposal, if there is one, with the token that was drawn.
    func settle(_ token: Int32?) -> Outcome {
        guard let (draft, logits) = unconfirmed else { return .unknown }
        unconfirmed = nil
        if draft == token {
            trial?.accept()
            return .accepted(logits)
        }
        // The verifying pass left two states: the proposal's own is void.
        if let states = pending.popLast() { pending.append(states.rows(0..<states.rows - 1)) }
        return .rejected
    }

    /// Tells how long a pass took.
    func record(seconds: Double) { trial?.record(seconds: seconds) }
}

/// A few passes with proposals and then a few without, by the clock.
struct SpeculationTrial {
    /// Passes of each kind; the first of them warms up and does not count.
    private static let passes = 9
    private var seconds = [0.0, 0.0]
    private var tokens = [0, 0]
    private var pass = 0
    /// Known once both kinds were timed.
    private(set) var isWorthwhile: Bool?

    /// Whether the next pass verifies a proposal.
    var isDrafting: Bool { isWorthwhile ?? (pass < Self.passes) }

    mutating func record(seconds: Double) {
        guard isWorthwhile == nil else { return }
        let (kind, place) = pass.quotientAndRemainder(dividingBy: Self.passes)
        pass += 1
        if place > 0 {
            self.seconds[kind] += seconds
            tokens[kind] += 1
        }
        if pass == 2 * Self.passes {
            // Without a single hit it cannot pay, whatever the clock says.
            isWorthwhile =
                tokens[0] > tokens[1] && Double(tokens[0]) * self.seconds[1] > Double(tokens[1]) * self.seconds[0]
        }
    }

    /// The last pass gave a second token.
    mutating func accept() {
        // Passes are numbered from 0: the first, which does not count, is done when `pass` is 1.
        if isWorthwhile == nil, (2...Self.passes).contains(pass) { tokens[0] += 1 }
    }
}
