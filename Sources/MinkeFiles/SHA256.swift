import CMinkeHash

/// The SHA-256 hash of a stream of bytes (FIPS 180-4): by the processor's instructions where it has them.
public struct SHA256: Sendable {
    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    private var pending: [UInt8] = []
    private var length: UInt64 = 0

    public init() {
        pending.reserveCapacity(SHA256.blockSize)
    }

    private static let blockSize = 64

    /// Adds bytes to the stream.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        length &+= UInt64(bytes.count)
        var rest = bytes[...]
        if !pending.isEmpty {
            let missing = rest.prefix(SHA256.blockSize - pending.count)
            pending.append(contentsOf: missing)
            rest = rest.dropFirst(missing.count)
            if pending.count < SHA256.blockSize { return }
            pending.withUnsafeBytes { SHA256.compress($0, into: &state) }
            pending.removeAll(keepingCapacity: true)
        }
        let whole = rest.prefix(rest.count & ~(SHA256.blockSize - 1))
        if !whole.isEmpty { SHA256.compress(UnsafeRawBufferPointer(rebasing: whole), into: &state) }
        pending.append(contentsOf: rest.dropFirst(whole.count))
    }

    /// Ends the stream and returns its 32-byte hash. The hasher must not be used after it.
    public mutating func finalize() -> [UInt8] {
        var tail = pending
        tail.append(0x80)
        while tail.count % SHA256.blockSize != 56 { tail.append(0) }
        withUnsafeBytes(of: (length &* 8).bigEndian) { tail.append(contentsOf: $0) }
        tail.withUnsafeBytes { SHA256.compress($0, into: &state) }
        return state.flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } }
    }

    /// The hash of `bytes` in hexadecimal.
    public static func hexadecimal(of bytes: UnsafeRawBufferPointer) -> String {
        var hasher = SHA256()
        hasher.update(bytes)
        return hexadecimal(hasher.finalize())
    }

    /// The hash of a file in hexadecimal.
    public static func hexadecimal(ofFile path: String) throws -> String {
        let file = try MappedFile(path: path)
        file.advise(.sequential)
        return file.withBytes { hexadecimal(of: $0) }
    }

    /// A hash as text: two lower-case hexadecimal digits a byte.
    public static func hexadecimal(_ hash: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: hash.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

extension SHA256 {
    /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
    private static let constants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]

    private static func compress(_ blocks: UnsafeRawBufferPointer, into state: inout [UInt32]) {
        if !compressByInstructions(blocks, into: &state) { compressPlainly(blocks, into: &state) }
    }

    /// - Returns: false, with nothing changed, where the processor has no instructions for it.
    static func compressByInstructions(_ blocks: UnsafeRawBufferPointer, into state: inout [UInt32]) -> Bool {
        let count = Int64(blocks.count / blockSize)
        return state.withUnsafeMutableBufferPointer {
            minkeCompressSHA256($0.baseAddress, blocks.baseAddress, count, constants) != 0
        }
    }

    /// The same without the processor's instructions for it.
    static func compressPlainly(_ blocks: UnsafeRawBufferPointer, into state: inout [UInt32]) {
        guard let start = blocks.baseAddress else { return }
        state.withUnsafeMutableBufferPointer { state in
            constants.withUnsafeBufferPointer { constants in
                withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { schedule in
                    guard let state = state.baseAddress, let constants = constants.baseAddress,
                        let schedule = schedule.baseAddress
                    else { return }
                    for offset in stride(from: 0, to: blocks.count, by: blockSize) {
                        expand(start + offset, constants, into: schedule)
                        rounds(schedule, state)
                    }
                }
            }
        }
    }

    /// Fills the message schedule, with the round constants already added.
    @inline(__always)
    private static func expand(
        _ block: UnsafeRawPointer, _ constants: UnsafePointer<UInt32>, into schedule: UnsafeMutablePointer<UInt32>
    ) {
        for index in 0..<16 {
            schedule[index] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self))
        }
        for index in 16..<64 {
            let early = schedule[index &- 15]
            let late = schedule[index &- 2]
            let sigma0 = rotate(early, 7) ^ rotate(early, 18) ^ (early &>> 3)
            let sigma1 = rotate(late, 17) ^ rotate(late, 19) ^ (late &>> 10)
            schedule[index] = sigma1 &+ schedule[index &- 7] &+ sigma0 &+ schedule[index &- 16]
        }
        for index in 0..<64 { schedule[index] = schedule[index] &+ constants[index] }
    }

    @inline(__always)
    private static func rounds(_ words: UnsafeMutablePointer<UInt32>, _ state: UnsafeMutablePointer<UInt32>) {
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        // Eight rounds a turn, so that the variables change roles in place of moving.
        for index in stride(from: 0, to: 64, by: 8) {
            round(a, b, c, &d, e, f, g, &h, words[index])
            round(h, a, b, &c, d, e, f, &g, words[index &+ 1])
            round(g, h, a, &b, c, d, e, &f, words[index &+ 2])
            round(f, g, h, &a, b, c, d, &e, words[index &+ 3])
            round(e, f, g, &h, a, b, c, &d, words[index &+ 4])
            round(d, e, f, &g, h, a, b, &c, words[index &+ 5])
            round(c, d, e, &f, g, h, a, &b, words[index &+ 6])
            round(b, c, d, &e, f, g, h, &a, words[index &+ 7])
        }
        state[0] = state[0] &+ a
        state[1] = state[1] &+ b
        state[2] = state[2] &+ c
        state[3] = state[3] &+ d
        state[4] = state[4] &+ e
        state[5] = state[5] &+ f
        state[6] = state[6] &+ g
        state[7] = state[7] &+ h
    }

    @inline(__always)
    private static func round(
        _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32,
        _ e: UInt32, _ f: UInt32, _ g: UInt32, _ h: inout UInt32, _ word: UInt32
    ) {
        let sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
        let sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
        let choice = g ^ (e & (f ^ g))
        let majority = (a & b) | (c & (a | b))
        let first = h &+ sum1 &+ choice &+ word
        d = d &+ first
        h = first &+ sum0 &+ majority
    }

    @inline(__always)
    private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 {
        value &>> count | value &<< (32 &- count)
    }
}
