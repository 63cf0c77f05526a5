/// Counts of values below bounds, as Prometheus collects them.
struct Histogram: Sendable {
    /// The upper bounds, ascending; one more bucket takes the rest.
    let bounds: [Double]
    /// How many values fell into each bucket.
    private(set) var counts: [Int]
    private(set) var sum = 0.0

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    mutating func add(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    mutating func add(_ duration: Duration) { add(duration / .seconds(1)) }

    /// From five milliseconds to ten minutes.
    static var ofRequests: Histogram {
        Histogram(bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300, 600])
    }

    /// From one millisecond to ten seconds.
    static var ofTokens: Histogram {
        Histogram(bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10])
    }
}
