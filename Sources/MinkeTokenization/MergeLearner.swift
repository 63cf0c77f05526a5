/// The state of BPE training: all different words as token sequences, and where each pair of tokens occurs.
struct MergeLearner {
    /// The bytes of each token by id; empty for special tokens.
    private(set) var tokens: [[UInt8]]
    private(set) var rules: [(left: Int32, right: Int32, result: Int32)] = []

    private let specialTokens: Set<String>
    private var idsOfBytes: [[UInt8]: Int32] = [:]

    /// All words one after the other, a slot for each byte and a separator after each word. A token's id stands in its
    /// first slot. A token of n > 1 bytes has -n in its last slot, so that the one after it finds its start, and
    /// other negative numbers between.
    private var slots: [Int32]
    private static let separator = Int32.min
    /// For each slot, how often its word occurs.
    private var frequencies: [Int]

    /// Number of each pair met so far.
    private let pairNumbers = PairTable(capacity: 1 << 12)
    private var pairs: [Pair] = []
    private var queue = Heap<Candidate>()

    private struct Pair {
        let key: UInt64
        var count = 0
        /// Slots where the pair was seen to start. It need not be there any more.
        var places: [Int32] = []
        /// The merge in which the pair was last queued.
        var queuedBy = -1
    }

    /// Orders by falling count, then by rising ids.
    private struct Candidate: Comparable {
        let count: Int
        let key: UInt64
        let pair: Int32

        static func < (left: Candidate, right: Candidate) -> Bool {
            left.count != right.count ? left.count > right.count : left.key < right.key
        }
    }

    init(words: ByteStringTable, counts: [Int], specialTokens: [String]) {
        self.specialTokens = Set(specialTokens)
        tokens = specialTokens.map { _ in [] } + ByteAlphabet.bytesInCodePointOrder.map { [$0] }
        var byteTokens = [Int32](repeating: 0, count: 256)
        for (index, byte) in ByteAlphabet.bytesInCodePointOrder.enumerated() {
            byteTokens[Int(byte)] = Int32(specialTokens.count + index)
        }
        slots = []
        frequencies = []
        slots.reserveCapacity(words.byteCount + words.count)
        frequencies.reserveCapacity(words.byteCount + words.count)
        for word in 0..<words.count {
            for byte in words[word] {
                slots.append(byteTokens[Int(byte)])
                frequencies.append(counts[word])
            }
            slots.append(Self.separator)
            frequencies.append(0)
        }
        for place in 0..<max(0, slots.count - 1) where slots[place] >= 0 && slots[place + 1] >= 0 {
            change(slots[place], slots[place + 1], by: frequencies[place], at: place)
        }
    }

    /// Merges the most frequent pair until there are `vocabularySize` tokens or no pair occurs `minimumFrequency` times.
    mutating func learn(
        vocabularySize: Int, minimumFrequency: Int, progress: ((_ tokens: Int) -> Void)?
    ) throws {
        for (number, pair) in pairs.enumerated() {
            queue.insert(Candidate(count: pair.count, key: pair.key, pair: Int32(number)))
        }
        while tokens.count < vocabularySize, let candidate = queue.popSmallest() {
            let pair = Int(candidate.pair)
            let count = pairs[pair].count
            if count < minimumFrequency { continue }
            if count != candidate.count {
                // Counts in the queue are out of date once other merges took occurrences away.
                if count < candidate.count {
                    queue.insert(Candidate(count: count, key: candidate.key, pair: candidate.pair))
                }
                continue
            }
            let left = Int32(truncatingIfNeeded: candidate.key >> 32)
            let right = Int32(truncatingIfNeeded: candidate.key)
            let bytes = tokens[Int(left)] + tokens[Int(right)]
            // Text that spells a special token must not become a token of the same name.
            if specialTokens.contains(ByteAlphabet.spelling(of: bytes)) { continue }
            // Two pairs can make the same bytes; they share the token.
            let result = idsOfBytes[bytes] ?? Int32(tokens.count)
            if result == tokens.count {
                idsOfBytes[bytes] = result
                tokens.append(bytes)
            }
            rules.append((left, right, result))
            merge(pair, left, right, into: result)
            if rules.count % 100 == 0 { progress?(tokens.count) }
        }
    }

    private mutating func merge(_ pair: Int, _ left: Int32, _ right: Int32, into result: Int32) {
        var places = pairs[pair].places
        pairs[pair].places = []
        // Overlapping occurrences (`aaa`) are taken from the left.
        places.sort()
        let leftLength = tokens[Int(left)].count
        let rightLength = tokens[Int(right)].count
        var grown: [Int] = []
        for place in places {
            let place = Int(place)
            let middle = place + leftLength
            guard slots[place] == left, slots[middle] == right else { continue }
            let frequency = frequencies[place]
            let end = middle + rightLength
            if place > 0, slots[place - 1] != Self.separator {
                let before = slots[place - 1] >= 0 ? place - 1 : place + Int(slots[place - 1])
                change(slots[before], left, by: -frequency)
                grown.append(change(slots[before], result, by: frequency, at: before))
            }
            if slots[end] != Self.separator {
                change(right, slots[end], by: -frequency)
                grown.append(change(result, slots[end], by: frequency, at: place))
            }
            pairs[pair].count -= frequency
            slots[place] = result
            slots[middle] = -1
            slots[end - 1] = Int32(place - end)
        }
        for number in grown where pairs[number].queuedBy != rules.count {
            pairs[number].queuedBy = rules.count
            queue.insert(Candidate(count: pairs[number].count, key: pairs[number].key, pair: Int32(number)))
        }
    }

    /// Changes the count of a pair, and notes the place of a new occurrence. Returns the pair's number.
    @discardableResult
    private mutating func change(_ left: Int32, _ right: Int32, by frequency: Int, at place: Int? = nil) -> Int {
        let key = PairTable.key(left, right)
        let number: Int
        if let known = pairNumbers[key] {
            number = Int(known)
        } else {
            number = pairs.count
            pairNumbers[key] = UInt64(number)
            pairs.append(Pair(key: key))
        }
        pairs[number].count += frequency
        if let place { pairs[number].places.append(Int32(place)) }
        return number
    }
}
