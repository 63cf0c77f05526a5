import MinkeTensors

/// Which row of a table an n-gram has.
///
/// The n-gram of order n at place i is the tokens t[i], t[i−1], …, t[i−n+1]; what lies before the sequence counts as −1.
/// With mix the finaliser of SplitMix64 and γ = 0x9E3779B97F4A7C15, in 64-bit arithmetic without overflow:
///
///     h ← mix(n·2³² + k + γ)                       k: number of the hash, from 0
///     h ← mix((h ⊕ (t[i−j] + 1)) + γ)              for j = 0, 1, …, n − 1
///     row = k·rows + ⌊h·rows / 2⁶⁴⌋
///
/// Order 1 is not hashed: the row is the token.
enum NgramHash {
    private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// The row of one n-gram by hash `hash`, newest token first.
    static func row(_ newestFirst: some Sequence<Int32>, order: Int, hash: Int, tableRows: Int) -> Int32 {
        var state = CounterRandom.mixed((UInt64(order) << 32 | UInt64(hash)) &+ increment)
        for token in newestFirst {
            state = CounterRandom.mixed((state ^ UInt64(bitPattern: Int64(token) &+ 1)) &+ increment)
        }
        return Int32(hash * tableRows + Int(UInt64(tableRows).multipliedFullWidth(by: state).high))
    }
}

/// The tokens of a pass with those that came before, and the rows that their n-grams have.
final class NgramContext {
    /// Each sequence's preceding tokens, oldest first, and then its tokens.
    private let tokens: [Int32]
    private let preceding: Int
    private let length: Int
    private var known: [Key: [Int32]] = [:]

    private struct Key: Hashable {
        let order: Int
        let hashes: Int
        let tableRows: Int
    }

    /// - Parameters:
    ///   - tokens: sequence after sequence.
    ///   - histories: for each sequence the tokens before it, oldest first.
    ///   - preceding: tokens before the newest that are looked at.
    init(_ tokens: [Int32], length: Int, histories: [ArraySlice<Int32>], preceding: Int) {
        self.preceding = preceding
        self.length = length
        var padded: [Int32] = []
        padded.reserveCapacity(tokens.count + histories.count * preceding)
        for (sequence, history) in histories.enumerated() {
            let last = history.suffix(preceding)
            padded += [Int32](repeating: -1, count: preceding - last.count)
            padded += last
            padded += tokens[sequence * length..<(sequence + 1) * length]
        }
        self.tokens = padded
    }

    /// Rows of the n-grams that end in each token, `hashes` for every token.
    func rows(order: Int, hashes: Int, tableRows: Int) -> [Int32] {
        let key = Key(order: order, hashes: hashes, tableRows: tableRows)
        if let rows = known[key] { return rows }
        var rows: [Int32] = []
        rows.reserveCapacity(tokens.count * hashes)
        for start in stride(from: 0, to: tokens.count, by: preceding + length) {
            for place in start + preceding..<start + preceding + length {
                if order == 1 {
                    rows.append(tokens[place])
                } else {
                    for hash in 0..<hashes {
                        let ngram = (0..<order).lazy.map { [tokens] in tokens[place - $0] }
                        rows.append(NgramHash.row(ngram, order: order, hash: hash, tableRows: tableRows))
                    }
                }
            }
        }
        known[key] = rows
        return rows
    }
}
