#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Random numbers that depend only on what they are for: a seed, a purpose, a step and a sample.
///
/// There is no state to save: a resumed run, or another worker, builds the same generator from the same key and draws
/// the same numbers. The key is mixed into one 64-bit state; the numbers are the SplitMix64 sequence from there
/// (Steele, Lea and Flood, 2014). Integers and uniform numbers are the same on every machine; normal numbers are as
/// far as the platform's `log` and `cos` agree.
public struct CounterRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The generator of one key.
    ///
    /// - Parameters:
    ///   - seed: the seed of the run.
    ///   - purpose: what the numbers are for, such as `"weights"`; different purposes give unrelated numbers.
    ///   - step: the step, epoch or layer, where the numbers differ by one.
    ///   - sample: the sample or element, where the numbers differ by one.
    public init(seed: UInt64, purpose: String, step: Int = 0, sample: Int = 0) {
        var key = Self.mixed(seed &+ Self.increment)
        for part in [Self.hash(purpose.utf8), UInt64(bitPattern: Int64(step)), UInt64(bitPattern: Int64(sample))] {
            key = Self.mixed((key ^ part) &+ Self.increment)
        }
        state = key
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        state &+= Self.increment
        return Self.mixed(state)
    }

    /// A number in 0 ..< 1, a multiple of 2⁻²⁴.
    public mutating func uniform() -> Float {
        Float(next() >> 40) * 0x1p-24
    }

    /// An integer in 0 ..< `bound`, every one equally likely.
    ///
    /// Not `Int.random(in:using:)`, whose way from bits to integer may change with the standard library.
    public mutating func integer(below bound: Int) -> Int {
        precondition(bound > 0, "an integer below \(bound) does not exist")
        let bound = UInt64(bound)
        let rejected = (0 &- bound) % bound
        while true {
            let product = bound.multipliedFullWidth(by: next())
            if product.low >= rejected { return Int(product.high) }
        }
    }

    /// A number from the normal distribution with mean 0 and standard deviation 1 (Box and Muller, 1958).
    public mutating func normal() -> Float {
        // 1 - u is in (0, 1], where the logarithm is finite.
        let radius = (-2 * log(1 - Double(next() >> 11) * 0x1p-53)).squareRoot()
        return Float(radius * cos(2 * Double.pi * Double(next() >> 11) * 0x1p-53))
    }

    private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// The finaliser of SplitMix64: a bijection in which every input bit reaches every output bit.
    package static func mixed(_ value: UInt64) -> UInt64 {
        var bits = value
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// The 64-bit FNV-1a hash of some bytes; mix it before use where all bits must be good.
    package static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
