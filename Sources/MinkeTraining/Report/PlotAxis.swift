#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One axis of a plot: which values it spans, where they lie, and which of them are marked.
struct PlotAxis {
    enum Scale: Sendable {
        case linear
        /// Decades are evenly wide; shows positive values only.
        case logarithmic
    }

    /// How values are written.
    enum Unit: Sendable {
        case plain
        /// `200k`, `1.5M`, `2B`.
        case count
        /// `200M`, `1.5G`, `2P`.
        case flops
        /// Seconds, written in the unit that fits the span: s, min, h or days.
        case seconds
    }

    struct Tick: Equatable {
        var value: Double
        var text: String
    }

    let scale: Scale
    let lower: Double
    let upper: Double
    private(set) var ticks: [Tick] = []
    /// What the axis shows, with its unit.
    let label: String

    /// An axis over `values`, or `nil` when none of them can be shown on it.
    ///
    /// - Parameters:
    ///   - isRounded: whether the axis ends on ticks instead of on its data.
    ///   - includesZero: whether a linear axis starts at zero.
    init?(
        _ values: some Sequence<Double>, label: String, unit: Unit, scale: Scale = .linear, isRounded: Bool = false,
        includesZero: Bool = false
    ) {
        var low = Double.infinity
        var high = -Double.infinity
        for value in values where Self.canShow(value, scale) {
            low = min(low, value)
            high = max(high, value)
        }
        guard low <= high else { return nil }
        let (divisor, unitName) = unit == .seconds ? Self.timeUnit(high) : (1, "")
        self.label = unitName.isEmpty ? label : "\(label) (\(unitName))"
        self.scale = scale
        if scale == .linear, includesZero { low = min(low, 0) }
        if low == high {
            // A single value gets some room on both sides.
            high += high == 0 ? 1 : high.magnitude * 0.1
            low -= scale == .linear ? (high - low) : low * 0.1
        }
        let step = Self.niceStep((high - low) / divisor / (isRounded ? 5 : 7)) * divisor
        if scale == .linear, isRounded {
            low = (low / step + 1e-9).rounded(.down) * step
            high = (high / step - 1e-9).rounded(.up) * step
        }
        lower = low
        upper = high
        var marks =
            scale == .logarithmic ? Self.logarithmicTicks(low / divisor, high / divisor).map { $0 * divisor } : []
        if marks.count < 2 {
            let first = (low / step - 1e-9).rounded(.up)
            marks = (0..<12).map { (first + Double($0)) * step }.filter { $0 <= high + step * 1e-6 }
        }
        let largest = max(low.magnitude, high.magnitude)
        ticks = marks.map { value in
            Tick(
                value: value, text: Self.text(value, unit, divisor, scale == .linear ? largest : value.magnitude, step))
        }
    }

    static func canShow(_ value: Double, _ scale: Scale) -> Bool {
        // Beyond 1e300 the arithmetic of an axis would overflow.
        value.isFinite && value.magnitude < 1e300 && (scale == .linear || value > 1e-300)
    }

    /// Where `value` lies: 0 at the start of the axis, 1 at its end.
    func position(_ value: Double) -> Double {
        switch scale {
        case .linear: (value - lower) / (upper - lower)
        case .logarithmic: log10(value / lower) / log10(upper / lower)
        }
    }

    /// The smallest of 1, 2 and 5 times a power of ten that is not below `step`.
    static func niceStep(_ step: Double) -> Double {
        guard step.isFinite, step > 0 else { return 1 }
        let power = pow(10, log10(step).rounded(.down))
        return [1.0, 2, 5].map { $0 * power }.first { $0 >= step * (1 - 1e-9) } ?? 10 * power
    }

    /// Powers of ten between the bounds, with their doubles and fives where there are few of them.
    private static func logarithmicTicks(_ low: Double, _ high: Double) -> [Double] {
        let decades = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
        let span = log10(high / low)
        let multiples: [Double] = span < 2.5 ? [1, 2, 5] : [1]
        let every = max(1, Int((span / 6).rounded(.up)))
        var ticks: [Double] = []
        for decade in decades where decade.isMultiple(of: every) {
            for multiple in multiples {
                let tick = multiple * pow(10, Double(decade))
                if tick >= low * (1 - 1e-9), tick <= high * (1 + 1e-9) { ticks.append(tick) }
            }
        }
        return ticks
    }

    private static func timeUnit(_ seconds: Double) -> (divisor: Double, name: String) {
        switch seconds {
        case ..<180: (1, "s")
        case ..<10_800: (60, "min")
        case ..<345_600: (3_600, "h")
        default: (86_400, "days")
        }
    }

    private static func text(
        _ value: Double, _ unit: Unit, _ divisor: Double, _ largest: Double, _ step: Double
    ) -> String {
        var divisor = divisor
        var suffix = ""
        let suffixes: [String]
        switch unit {
        case .count: suffixes = ["k", "M", "B", "T"]
        case .flops: suffixes = ["k", "M", "G", "T", "P", "E", "Z"]
        case .plain, .seconds: suffixes = []
        }
        for next in suffixes where largest / divisor >= 1000 {
            divisor *= 1000
            suffix = next
        }
        let scaled = value / divisor
        if scaled.magnitude < step / divisor * 1e-6 { return "0" }
        guard scaled.magnitude < 1e15 else { return "\(scaled)" + suffix }
        // Enough decimals to tell one tick from the next; on a logarithmic axis, to write the tick itself.
        let unitStep = min(step / divisor, scaled.magnitude)
        let decimals = min(9, max(0, Int(-log10(unitStep).rounded(.down))))
        let digits = HumanFormat.fixed(scaled, decimals)
        return (unit == .plain ? digits : HumanFormat.trimmed(digits)) + suffix
    }
}
