/// Reads a byte buffer as a stream of bits, lowest bit of each byte first.
struct BitReader {
    private let start: UnsafeRawPointer?
    private let end: Int
    /// The byte after the last one taken into `bits`.
    private var position: Int
    /// The next bits of the stream, lowest first; zeros after `available` of them.
    private(set) var bits: UInt64 = 0
    private var available = 0

    init(_ bytes: UnsafeRawBufferPointer, startingAt position: Int) {
        start = bytes.baseAddress
        end = bytes.count
        self.position = position
    }

    /// The first byte of which no bit has been read.
    var bytePosition: Int { position - available / 8 }

    /// Makes at least 56 bits available, or all that are left.
    @inline(__always)
    mutating func refill() {
        if available >= 56 { return }
        guard let start, position &+ 8 <= end else { return refillSlowly() }
        let word = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        let taken = (63 &- available) &>> 3
        // Only whole bytes count as taken, so that no bit above `available` is set.
        let mask: UInt64 = taken == 8 ? .max : 1 &<< UInt64(taken &* 8) &- 1
        bits |= (word & mask) &<< UInt64(available)
        position &+= taken
        available &+= taken &* 8
    }

    private mutating func refillSlowly() {
        guard let start else { return }
        while available < 56, position < end {
            bits |= UInt64(start.load(fromByteOffset: position, as: UInt8.self)) << UInt64(available)
            position += 1
            available += 8
        }
    }

    /// Drops `count` bits; `false` when the stream has fewer. Needs a ``refill()`` within the last 56 bits.
    @inline(__always)
    mutating func skip(_ count: Int) -> Bool {
        if count > available { return false }
        bits &>>= UInt64(count)
        available &-= count
        return true
    }

    /// Reads `count` (at most 16) bits as a number; `nil` when the stream has fewer. Does not refill.
    @inline(__always)
    mutating func read(_ count: Int) -> Int? {
        let value = Int(truncatingIfNeeded: bits & (1 &<< UInt64(count) &- 1))
        return skip(count) ? value : nil
    }

    /// Drops the rest of a byte that has been begun.
    mutating func alignToByte() {
        _ = skip(available % 8)
    }

    /// Reads whole bytes after ``alignToByte()``; `nil` when the stream has fewer.
    mutating func readBytes(_ count: Int) -> UnsafeRawBufferPointer? {
        let first = bytePosition
        guard let start, count <= end - first else { return nil }
        position = first + count
        bits = 0
        available = 0
        return UnsafeRawBufferPointer(start: start + first, count: count)
    }
}
