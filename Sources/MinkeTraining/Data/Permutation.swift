import MinkeTensors

/// A keyed order of 0 ..< `count` that needs no table: the place of any element is computed on its own.
///
/// A Feistel network permutes the smallest 4ᵏ that holds `count` values; values that fall outside 0 ..< `count` are
/// sent through again until they fall inside (cycle walking; Black and Rogaway, "Ciphers with Arbitrary Finite
/// Domains", 2002), on average fewer than four times.
struct Permutation: Sendable {
    let count: Int
    private let halfBits: UInt64
    private let keys: [UInt64]

    /// - Precondition: `count` is positive.
    init(count: Int, random: CounterRandom) {
        precondition(count > 0, "a permutation of \(count) elements does not exist")
        var random = random
        self.count = count
        let bits = UInt64(UInt64.bitWidth - UInt64(count - 1).leadingZeroBitCount)
        halfBits = max(1, (bits + 1) / 2)
        keys = (0..<6).map { _ in random.next() }
    }

    /// The element at place `index`.
    ///
    /// - Precondition: `index` is in 0 ..< `count`.
    subscript(index: Int) -> Int {
        precondition((0..<count).contains(index), "place \(index) in a permutation of \(count) elements")
        var value = UInt64(index)
        repeat { value = encrypted(value) } while value >= UInt64(count)
        return Int(value)
    }

    private func encrypted(_ value: UInt64) -> UInt64 {
        let mask = (1 << halfBits) - 1 as UInt64
        var left = value >> halfBits
        var right = value & mask
        for key in keys {
            (left, right) = (right, left ^ (CounterRandom.mixed(right ^ key) & mask))
        }
        return left << halfBits | right
    }
}
