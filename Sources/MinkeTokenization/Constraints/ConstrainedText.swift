/// A text that grows under a grammar.
struct ConstrainedText: TokenConstraint {
    private let automaton: ConstraintAutomaton
    private let endTokens: Set<Int32>
    /// Where the text stands; nil behind its end, or behind a token that was not allowed.
    private var place: ConstraintAutomaton.Place?
    /// Whether a token came that was not allowed. Nothing but the end can follow it.
    private(set) var hasFailed = false

    init(_ automaton: ConstraintAutomaton, endTokens: Set<Int32>) {
        self.automaton = automaton
        self.endTokens = endTokens
        place = automaton.start()
    }

    mutating func mask(_ logits: inout [Float]) {
        let allowsEnd = isComplete
        let ends = endTokens.compactMap { id in
            logits.indices.contains(Int(id)) ? (place: Int(id), logit: logits[Int(id)]) : nil
        }
        if let place, place.canContinue {
            automaton.withMask(at: place) { Self.apply($0, to: &logits) }
        } else {
            for index in logits.indices { logits[index] = -.infinity }
        }
        for end in ends { logits[end.place] = allowsEnd ? end.logit : -.infinity }
    }

    private static func apply(_ mask: [UInt64], to logits: inout [Float]) {
        logits.withUnsafeMutableBufferPointer { logits in
            for (word, bits) in mask.enumerated() where bits != .max {
                let start = word * 64
                let end = min(start + 64, logits.count)
                if start >= end { break }
                for index in start..<end where bits >> UInt64(index - start) & 1 == 0 { logits[index] = -.infinity }
            }
            for index in min(mask.count * 64, logits.count)..<logits.count { logits[index] = -.infinity }
        }
    }

    mutating func advance(_ token: Int32) {
        let isEnd = isComplete && endTokens.contains(token)
        place = isEnd ? nil : place.flatMap { automaton.place(after: token, at: $0) }
        if place == nil, !isEnd { hasFailed = true }
    }

    var isComplete: Bool { place?.isAccepted ?? true }
    var mustStop: Bool { !(place?.canContinue ?? false) }
}
