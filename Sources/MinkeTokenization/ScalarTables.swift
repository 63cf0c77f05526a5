/// Membership tests for several ``ScalarSet``s in constant time: two-stage bitmaps that share equal pages.
final class ScalarTables: @unchecked Sendable {
    /// One more page than Unicode needs, for ``ScalarSet/invalidByte``.
    private static let pagesPerSet = 0x1101

    /// For each set and each run of 256 scalars, the number of its page. Written by `init` only.
    private let pageNumbers: UnsafeMutablePointer<UInt32>
    /// Four words of 64 bits a page. Written by `init` only.
    private let words: UnsafeMutablePointer<UInt64>

    init(_ sets: [ScalarSet]) {
        var numbers: [SIMD4<UInt64>: UInt32] = [:]
        var pages: [SIMD4<UInt64>] = []
        pageNumbers = .allocate(capacity: max(1, sets.count * Self.pagesPerSet))
        let bitmap = UnsafeMutablePointer<SIMD4<UInt64>>.allocate(capacity: Self.pagesPerSet)
        defer { bitmap.deallocate() }
        for (index, set) in sets.enumerated() {
            bitmap.initialize(repeating: .zero, count: Self.pagesPerSet)
            bitmap.withMemoryRebound(to: UInt64.self, capacity: Self.pagesPerSet * 4) { fill($0, with: set) }
            for page in 0..<Self.pagesPerSet {
                // Most neighbours are equal, and comparing is cheaper than hashing.
                let place = index * Self.pagesPerSet + page
                if page > 0, bitmap[page] == bitmap[page - 1] {
                    pageNumbers[place] = pageNumbers[place - 1]
                } else {
                    let number = numbers[bitmap[page]] ?? UInt32(pages.count)
                    if number == pages.count {
                        pages.append(bitmap[page])
                        numbers[bitmap[page]] = number
                    }
                    pageNumbers[place] = number
                }
            }
        }
        words = .allocate(capacity: max(1, pages.count * 4))
        for (page, bits) in pages.enumerated() {
            for word in 0..<4 { words[page * 4 + word] = bits[word] }
        }
    }

    deinit {
        pageNumbers.deallocate()
        words.deallocate()
    }

    /// Whether set number `set` holds `scalar`.
    @inline(__always)
    func contains(_ set: Int32, _ scalar: UInt32) -> Bool {
        let page = Int(pageNumbers[Int(set) &* Self.pagesPerSet &+ Int(scalar &>> 8)])
        return words[page &* 4 &+ Int((scalar &>> 6) & 3)] &>> UInt64(scalar & 63) & 1 != 0
    }
}

/// Sets the bits of all members of `set`.
private func fill(_ words: UnsafeMutablePointer<UInt64>, with set: ScalarSet) {
    for range in set.ranges {
        let first = Int(range.lowerBound)
        let last = Int(range.upperBound)
        for word in first / 64...last / 64 {
            let low = max(first - word * 64, 0)
            let high = min(last - word * 64, 63)
            words[word] |= (UInt64.max << UInt64(low)) & (UInt64.max >> UInt64(63 - high))
        }
    }
}
