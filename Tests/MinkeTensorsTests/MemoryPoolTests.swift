import Testing

@testable import MinkeTensors

/// Memory for tensors, on both sides of the size from which blocks are mappings of their own.
@Suite struct MemoryPoolTests {
    private static let sizes = [1, 1000, 200_000, 262_143, 262_144, 300_001, 4 << 20, (5 << 20) + 3, 33 << 20]

    @Test(arguments: sizes) func blocksAreAlignedAndWholeAndUsedAgain(_ bytes: Int) {
        let pool = MemoryPool()
        let (first, capacity) = pool.take(bytes)
        #expect(capacity >= bytes && capacity <= max(256, bytes + bytes / 8 + 64))
        #expect(Int(bitPattern: first) % (capacity >= 4 << 20 ? 2 << 20 : 64) == 0)
        // Kernels may read 64 bytes past the end.
        first.initializeMemory(as: UInt8.self, repeating: 7, count: capacity + 64)
        pool.giveBack(first, capacity: capacity)
        let (second, _) = pool.take(bytes)
        #expect(second == first)
        #expect(pool.reservedBytes == capacity)
        pool.giveBack(second, capacity: capacity)
        pool.releaseUnused()
        #expect(pool.reservedBytes == 0)
    }

    @Test(arguments: [40_000, 294_912 + 256])
    func exactSizesAreTheirOwn(_ bytes: Int) {
        let pool = MemoryPool()
        let (rounded, capacity) = pool.take(bytes)
        #expect(capacity > bytes)
        pool.giveBack(rounded, capacity: capacity)
        let (exact, exactCapacity) = pool.take(bytes, isExact: true)
        #expect(exact != rounded && exactCapacity == bytes)
        pool.giveBack(exact, capacity: exactCapacity)
        #expect(pool.take(bytes, isExact: true).0 == exact)
        pool.giveBack(exact, capacity: exactCapacity)
        pool.releaseUnused()
        #expect(pool.reservedBytes == 0)
    }

    @Test func whatIsInUseIsNotReleased() {
        let pool = MemoryPool()
        let blocks = Self.sizes.map { pool.take($0) }
        for (index, block) in blocks.enumerated() {
            block.0.initializeMemory(as: UInt8.self, repeating: UInt8(index), count: block.capacity)
            if index % 2 == 1 { pool.giveBack(block.0, capacity: block.capacity) }
        }
        pool.releaseUnused()
        for (index, block) in blocks.enumerated() where index % 2 == 0 {
            let bytes = UnsafeRawBufferPointer(start: block.0, count: block.capacity)
            #expect(bytes.first == UInt8(index) && bytes.last == UInt8(index))
            pool.giveBack(block.0, capacity: block.capacity)
        }
        pool.releaseUnused()
        #expect(pool.reservedBytes == 0)
    }
}
