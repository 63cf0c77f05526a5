import MinkeTensors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// When requests of a rate arrive: the sums of gaps from a gamma distribution of mean 1 / rate.
struct Arrivals: Sendable {
    private let rate: Double
    private let shape: Double
    private var random: CounterRandom
    /// Seconds from the start to the latest arrival.
    private(set) var time = 0.0

    init(rate: Double, burstiness: Double, seed: Int) {
        self.rate = rate
        shape = burstiness
        random = CounterRandom(seed: UInt64(bitPattern: Int64(seed)), purpose: "load-arrivals")
    }

    /// Seconds from the start to the next arrival.
    mutating func next() -> Double {
        time += gamma() / (shape * rate)
        return time
    }

    /// Marsaglia and Tsang, 2000; below shape 1 by way of shape + 1.
    private mutating func gamma() -> Double {
        let boost = shape < 1 ? pow(uniform(), 1 / shape) : 1
        let d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = Double(random.normal())
            let root = 1 + c * x
            guard root > 0 else { continue }
            let v = root * root * root
            if log(uniform()) < 0.5 * x * x + d - d * v + d * log(v) { return boost * d * v }
        }
    }

    /// A number above 0 and below 1.
    private mutating func uniform() -> Double { (Double(random.next() >> 12) + 0.5) * 0x1p-52 }
}
