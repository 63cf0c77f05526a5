#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Lines over two axes, as SVG whose colours are the page's.
public struct PlanPlot: Sendable {
    public struct Series: Sendable {
        public var name: String
        public var points: [(x: Double, y: Double)]

        public init(_ name: String, points: [(x: Double, y: Double)]) {
            self.name = name
            self.points = points
        }
    }

    public var title: String
    public var xLabel: String
    public var yLabel: String
    public var series: [Series]
    /// Decades are evenly wide; only values above zero are shown.
    public var isLogarithmicX: Bool
    public var isLogarithmicY: Bool

    public init(
        _ title: String, x: String, y: String, series: [Series], isLogarithmicX: Bool = true,
        isLogarithmicY: Bool = true
    ) {
        self.title = title
        xLabel = x
        yLabel = y
        self.series = series
        self.isLogarithmicX = isLogarithmicX
        self.isLogarithmicY = isLogarithmicY
    }

    private static let left = 62.0, right = 464.0, top = 14.0, bottom = 230.0

    /// The plot as an SVG element with its legend.
    public func svg() -> String {
        let shown = series.map { line in
            line.points.filter { point in
                point.x.isFinite && point.y.isFinite && (!isLogarithmicX || point.x > 0)
                    && (!isLogarithmicY || point.y > 0)
            }
        }
        guard let x = Axis(shown.joined().map(\.x), isLogarithmicX),
            let y = Axis(shown.joined().map(\.y), isLogarithmicY)
        else { return "<p>nothing to show</p>" }
        func place(_ point: (x: Double, y: Double)) -> String {
            let h = Self.left + x.position(point.x) * (Self.right - Self.left)
            let v = Self.bottom - y.position(point.y) * (Self.bottom - Self.top)
            return "\(Quantity.trimmed(coordinate(h))) \(Quantity.trimmed(coordinate(v)))"
        }
        var parts: [String] = []
        for tick in y.ticks {
            let v = coordinate(Self.bottom - y.position(tick) * (Self.bottom - Self.top))
            parts.append("<path class=\"grid\" d=\"M\(Self.left) \(v)H\(Self.right)\"/>")
            parts.append(
                "<text class=\"end\" x=\"\(Self.left - 6)\" y=\"\(v)\" dy=\"4\">\(Quantity.count(tick, digits: 3))</text>"
            )
        }
        for tick in x.ticks {
            let h = coordinate(Self.left + x.position(tick) * (Self.right - Self.left))
            parts.append("<path class=\"grid\" d=\"M\(h) \(Self.top)V\(Self.bottom)\"/>")
            parts.append(
                "<text class=\"middle\" x=\"\(h)\" y=\"\(Self.bottom + 16)\">\(Quantity.count(tick, digits: 3))</text>")
        }
        for (index, points) in shown.enumerated() where !points.isEmpty {
            // A line of no length is drawn as a dot by its round cap.
            let path = "M" + points.map(place).joined(separator: "L") + (points.count == 1 ? "h.01" : "")
            let kind = points.count == 1 ? "dot" : ""
            parts.append("<path class=\"line \(kind) colour\(index % 5)\" d=\"\(path)\"/>")
            let v = Self.bottom + 54 + Double(index) * 18
            parts.append("<path class=\"line colour\(index % 5)\" d=\"M\(Self.left) \(v - 4)h22\"/>")
            parts.append("<text x=\"\(Self.left + 30)\" y=\"\(v)\">\(PlanMarkup.escaped(series[index].name))</text>")
        }
        let height = Self.bottom + 44 + Double(series.count) * 18
        return """
            <svg viewBox="0 0 480 \(height)" role="img" aria-label="\(PlanMarkup.escaped(title))">
            \(parts.joined(separator: "\n"))
            <text class="end" x="\(Self.right)" y="\(Self.bottom + 34)">\(PlanMarkup.escaped(xLabel))</text>
            <text x="\(Self.left)" y="\(Self.bottom + 34)">\(PlanMarkup.escaped(yLabel)) ↑</text>
            </svg>
            """
    }

    private func coordinate(_ value: Double) -> String { Quantity.fixed(value, 1) }

    /// Where values lie between 0 and 1, and which of them are marked.
    private struct Axis {
        let isLogarithmic: Bool
        let lower: Double
        let upper: Double

        init?(_ values: some Sequence<Double>, _ isLogarithmic: Bool) {
            let mapped = values.map { isLogarithmic ? log10($0) : $0 }
            guard var low = mapped.min(), var high = mapped.max() else { return nil }
            if !isLogarithmic { low = min(low, 0) }
            if high - low < 1e-9 * max(1, high.magnitude) {
                high += isLogarithmic ? 0.5 : max(1, high.magnitude * 0.1)
                low -= isLogarithmic ? 0.5 : 0
            }
            self.isLogarithmic = isLogarithmic
            lower = low
            upper = high
        }

        func position(_ value: Double) -> Double {
            ((isLogarithmic ? log10(value) : value) - lower) / (upper - lower)
        }

        /// Steps of 1, 2 or 5 times a power of ten; decades where the axis spans at least two.
        var ticks: [Double] {
            if isLogarithmic, upper - lower >= 2 {
                let step = max(1, ((upper - lower) / 6).rounded(.up))
                return stride(from: lower.rounded(.up), through: upper + 1e-9, by: step).map { pow(10, $0) }
            }
            let low = isLogarithmic ? pow(10, lower) : lower
            let high = isLogarithmic ? pow(10, upper) : upper
            let raw = (high - low) / 5
            let power = pow(10, log10(raw).rounded(.down))
            let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= raw * 0.999 } ?? raw
            return (0..<12).map { ((low / step).rounded(.up) + Double($0)) * step }.filter { $0 <= high * (1 + 1e-9) }
        }
    }
}
