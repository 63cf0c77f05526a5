/// Distinct byte strings numbered in the order of their arrival: a hash table that keeps the bytes of all keys in one arena.
///
/// It serves as vocabulary, as cache of encoded words and as word count of the trainer. Raw memory rather than
/// arrays keeps lookups fast in debug builds too.
final class ByteStringTable {
    /// How many strings the table holds.
    private(set) var count = 0
    /// How many bytes all strings have together.
    private(set) var byteCount = 0

    private var arena: UnsafeMutablePointer<UInt8>
    private var arenaCapacity: Int
    /// `ends[i]` is where string `i` ends in the arena, and string `i + 1` starts.
    private var ends: UnsafeMutablePointer<Int>
    private var hashes: UnsafeMutablePointer<UInt64>
    /// Index plus one of the string in each slot; zero where the slot is free.
    private var slots: UnsafeMutablePointer<UInt32>
    private var slotCount: Int

    /// - Parameter capacity: for how many strings to reserve room; the table grows beyond it as needed.
    init(capacity: Int = 16) {
        slotCount = 32
        while slotCount < capacity * 2 { slotCount *= 2 }
        arenaCapacity = slotCount * 4
        arena = .allocate(capacity: arenaCapacity)
        ends = .allocate(capacity: slotCount / 2)
        hashes = .allocate(capacity: slotCount / 2)
        slots = .allocate(capacity: slotCount)
        slots.initialize(repeating: 0, count: slotCount)
    }

    deinit {
        arena.deallocate()
        ends.deallocate()
        hashes.deallocate()
        slots.deallocate()
    }

    /// The bytes of string `index`; valid until the table changes.
    subscript(index: Int) -> UnsafeBufferPointer<UInt8> {
        let start = index == 0 ? 0 : ends[index - 1]
        return UnsafeBufferPointer(start: arena + start, count: ends[index] - start)
    }

    /// The number of `bytes`, or `nil` when the table does not hold them.
    func index(of bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        let slot = slot(of: bytes, hash: hash(bytes))
        return slots[slot] == 0 ? nil : Int(slots[slot]) - 1
    }

    /// The number of `bytes`, or `nil` when the table does not hold them.
    func index(of bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBufferPointer { index(of: $0) }
    }

    /// The number of `bytes`, which are added when they are new.
    func insert(_ bytes: UnsafeBufferPointer<UInt8>) -> (index: Int, isNew: Bool) {
        let hash = hash(bytes)
        var slot = slot(of: bytes, hash: hash)
        if slots[slot] != 0 { return (Int(slots[slot]) - 1, false) }
        if count == slotCount / 2 {
            grow()
            slot = self.slot(of: bytes, hash: hash)
        }
        reserve(byteCount + bytes.count)
        if let source = bytes.baseAddress { (arena + byteCount).update(from: source, count: bytes.count) }
        byteCount += bytes.count
        ends[count] = byteCount
        hashes[count] = hash
        count += 1
        slots[slot] = UInt32(count)
        return (count - 1, true)
    }

    /// The number of `bytes`, which are added when they are new.
    func insert(_ bytes: [UInt8]) -> (index: Int, isNew: Bool) {
        bytes.withUnsafeBufferPointer { insert($0) }
    }

    /// Forgets all strings and keeps the memory.
    func removeAll() {
        count = 0
        byteCount = 0
        slots.update(repeating: 0, count: slotCount)
    }

    private func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
        let raw = UnsafeRawBufferPointer(bytes)
        var state = UInt64(truncatingIfNeeded: raw.count) &* 0x9E37_79B9_7F4A_7C15
        var position = 0
        while position + 8 <= raw.count {
            state = (state ^ raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)) &* 0xBF58_476D_1CE4_E5B9
            state ^= state >> 32
            position += 8
        }
        var rest: UInt64 = 0
        while position < raw.count {
            rest = rest << 8 | UInt64(raw[position])
            position += 1
        }
        state = (state ^ rest) &* 0x94D0_49BB_1331_11EB
        return state ^ state >> 31
    }

    /// The slot that holds `bytes`, or the free slot where they would go.
    private func slot(of bytes: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: hash) & (slotCount - 1)
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            if hashes[index] == hash, equal(self[index], bytes) { return slot }
            slot = (slot + 1) & (slotCount - 1)
        }
        return slot
    }

    private func equal(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where left[index] != right[index] { return false }
        return true
    }

    private func grow() {
        slots.deallocate()
        slotCount *= 2
        slots = .allocate(capacity: slotCount)
        slots.initialize(repeating: 0, count: slotCount)
        ends = moved(ends, count: count, to: slotCount / 2)
        hashes = moved(hashes, count: count, to: slotCount / 2)
        for index in 0..<count {
            var slot = Int(truncatingIfNeeded: hashes[index]) & (slotCount - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slotCount - 1) }
            slots[slot] = UInt32(index + 1)
        }
    }

    private func reserve(_ capacity: Int) {
        guard capacity > arenaCapacity else { return }
        arenaCapacity = max(capacity, arenaCapacity * 2)
        arena = moved(arena, count: byteCount, to: arenaCapacity)
    }

    private func moved<Value>(
        _ memory: UnsafeMutablePointer<Value>, count: Int, to capacity: Int
    ) -> UnsafeMutablePointer<Value> {
        let larger = UnsafeMutablePointer<Value>.allocate(capacity: capacity)
        larger.moveInitialize(from: memory, count: count)
        memory.deallocate()
        return larger
    }
}
