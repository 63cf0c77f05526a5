/// The merge rules of a byte-level BPE: for a pair of adjacent tokens, its rank and the token it becomes.
final class MergeRules {
    private let table: PairTable
    /// All rules, by rank: left, right and resulting id.
    let rules: [(left: Int32, right: Int32, result: Int32)]

    /// - Parameter ranks: one for each rule, ascending; without them no two rules have the same.
    init(_ rules: [(left: Int32, right: Int32, result: Int32)], ranks: [UInt64]? = nil) {
        table = PairTable(capacity: rules.count)
        func rank(_ index: Int) -> UInt64 { ranks?[index] ?? UInt64(index) }
        for (index, rule) in rules.enumerated() {
            table[PairTable.key(rule.left, rule.right)] = rank(index) << 32 | UInt64(UInt32(bitPattern: rule.result))
        }
        if table.count == rules.count {
            self.rules = rules
        } else {
            // The last of several rules for one pair is the one that counts.
            let table = table
            self.rules = rules.enumerated()
                .filter { index, rule in table[PairTable.key(rule.left, rule.right)].map { $0 >> 32 } == rank(index) }
                .map(\.element)
        }
    }

    @inline(__always)
    subscript(left: Int32, right: Int32) -> (rank: UInt64, result: Int32)? {
        guard let entry = table[PairTable.key(left, right)] else { return nil }
        return (entry >> 32, Int32(truncatingIfNeeded: entry))
    }
}

/// Merges the bytes of one piece after the other: always the pair of lowest rank, the leftmost among equals.
///
/// A heap over a linked list keeps a piece of n bytes at O(n log n), however long it is.
struct BytePairMerger {
    private let rules: MergeRules
    private let byteTokens: [Int32]
    private var tokens: [Int32] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []
    /// Rank in the upper half, place of the left token in the lower.
    private var candidates = Heap<UInt64>()

    /// A token that has become part of the one before it.
    private static let merged: Int32 = -1

    /// - Parameter byteTokens: the id of each byte.
    init(_ rules: MergeRules, byteTokens: [Int32]) {
        self.rules = rules
        self.byteTokens = byteTokens
    }

    /// Appends the tokens of `piece`, which has less than 2^31 bytes, to `ids`.
    mutating func merge(_ piece: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        tokens.removeAll(keepingCapacity: true)
        next.removeAll(keepingCapacity: true)
        previous.removeAll(keepingCapacity: true)
        candidates.removeAll()
        for index in 0..<piece.count {
            tokens.append(byteTokens[Int(piece[index])])
            next.append(Int32(index + 1))
            previous.append(Int32(index - 1))
        }
        for left in 0..<max(0, piece.count - 1) { consider(left) }
        while let candidate = candidates.popSmallest() {
            let left = Int(candidate & 0xFFFF_FFFF)
            guard tokens[left] != Self.merged, let right = successor(of: left),
                let rule = rules[tokens[left], tokens[right]], rule.rank == candidate >> 32
            else { continue }
            tokens[left] = rule.result
            tokens[right] = Self.merged
            next[left] = next[right]
            if let after = successor(of: left) {
                previous[after] = Int32(left)
                consider(left)
            }
            if previous[left] >= 0 { consider(Int(previous[left])) }
        }
        var place = 0
        while place < tokens.count {
            ids.append(tokens[place])
            place = Int(next[place])
        }
    }

    private func successor(of place: Int) -> Int? {
        let successor = Int(next[place])
        return successor < tokens.count ? successor : nil
    }

    private mutating func consider(_ left: Int) {
        guard let right = successor(of: left), let rule = rules[tokens[left], tokens[right]] else { return }
        candidates.insert(rule.rank << 32 | UInt64(left))
    }
}
