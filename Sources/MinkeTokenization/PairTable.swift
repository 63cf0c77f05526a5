/// A hash table from pairs of token ids to numbers below 2^64: ranks and results of merges, or the trainer's pair numbers.
final class PairTable {
    private(set) var count = 0
    private var keys: UnsafeMutablePointer<UInt64>
    private var values: UnsafeMutablePointer<UInt64>
    private var capacity: Int
    /// No pair of ids, which are not negative, looks like this.
    private static let free = UInt64.max

    init(capacity: Int = 16) {
        self.capacity = 32
        while self.capacity < capacity * 2 { self.capacity *= 2 }
        keys = .allocate(capacity: self.capacity)
        keys.initialize(repeating: Self.free, count: self.capacity)
        values = .allocate(capacity: self.capacity)
        values.initialize(repeating: 0, count: self.capacity)
    }

    deinit {
        keys.deallocate()
        values.deallocate()
    }

    /// Two ids as one key; keys order like (left, right).
    static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    subscript(key: UInt64) -> UInt64? {
        get {
            let slot = slot(of: key)
            return keys[slot] == key ? values[slot] : nil
        }
        set {
            guard let newValue else { return }
            var slot = slot(of: key)
            if keys[slot] != key {
                if count == capacity / 2 {
                    grow()
                    slot = self.slot(of: key)
                }
                keys[slot] = key
                count += 1
            }
            values[slot] = newValue
        }
    }

    /// The slot of `key`, or the free slot where it would go.
    private func slot(of key: UInt64) -> Int {
        let product = key.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        var slot = Int(truncatingIfNeeded: product.high ^ product.low) & (capacity - 1)
        while keys[slot] != key, keys[slot] != Self.free { slot = (slot + 1) & (capacity - 1) }
        return slot
    }

    private func grow() {
        let old = (keys: keys, values: values, capacity: capacity)
        capacity *= 2
        keys = .allocate(capacity: capacity)
        keys.initialize(repeating: Self.free, count: capacity)
        values = .allocate(capacity: capacity)
        values.initialize(repeating: 0, count: capacity)
        for index in 0..<old.capacity where old.keys[index] != Self.free {
            let slot = slot(of: old.keys[index])
            keys[slot] = old.keys[index]
            values[slot] = old.values[index]
        }
        old.keys.deallocate()
        old.values.deallocate()
    }
}
