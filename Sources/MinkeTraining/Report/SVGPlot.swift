/// A line plot as inline SVG, with its legend in HTML beside it.
///
/// Colours and type sizes come from the page's style sheet (``ReportStyle``), so that one source serves light, dark,
/// wide and narrow.
struct SVGPlot {
    struct Point: Equatable, Sendable {
        var x: Double
        var y: Double
    }

    struct Series {
        enum Weight: String {
            /// Many noisy points, in the background.
            case faint
            case bold
        }

        /// Empty for a series that another one stands for, which keeps it out of the legend.
        var name: String
        /// What the legend says behind the name, such as the last value.
        var note = ""
        var points: [Point]
        /// Which colour of the palette; series of one run share theirs.
        var colour: Int
        var weight = Weight.bold
    }

    /// Unique on the page.
    var id: String
    var title: String
    var xLabel: String
    var xUnit = PlotAxis.Unit.plain
    var xScale = PlotAxis.Scale.linear
    var yLabel: String
    var yUnit = PlotAxis.Unit.plain
    var yIncludesZero = false
    /// Whether a steep start may leave the plot at the top, so that the rest of the curves can be told apart.
    var cropsStart = false
    var series: [Series]

    /// How many colours the style sheet knows; further series begin again, dashed.
    static let colours = 6
    static let width = 560.0
    static let height = 308.0
    private static let left = 58.0
    private static let right = 14.0
    private static let top = 38.0
    private static let bottom = 50.0
    /// More points than this have no room of their own.
    private static let pointLimit = 600
    private static let markerLimit = 40

    /// The plot as a figure.
    func markup() -> Markup {
        guard let drawing else {
            return """
                <figure class="plot"><figcaption>\(title)</figcaption><p class="empty">Nothing was recorded.</p></figure>
                """
        }
        return """
            <figure class="plot"><figcaption>\(title)</figcaption>
            <ul class="legend">\(drawing.series.map(legend))</ul>
            <svg viewBox="0 0 \(Self.width) \(Self.height)" role="img" aria-labelledby="\(id)-title \(id)-desc">
            <title id="\(id)-title">\(title)</title><desc id="\(id)-desc">\(drawing.description)</desc>
            \(drawing.content)
            </svg></figure>

            """
    }

    /// Axes and lines in a box of ``width`` × ``height``, and what they say.
    struct Drawing {
        let series: [Series]
        let description: String
        let content: Markup
    }

    /// Nil where there is nothing to draw.
    var drawing: Drawing? {
        let series = series.map { series in
            var series = series
            series.points = Self.thinned(
                series.points.filter { PlotAxis.canShow($0.x, xScale) && PlotAxis.canShow($0.y, .linear) })
            return series
        }.filter { !$0.points.isEmpty }
        guard
            let x = PlotAxis(
                series.lazy.flatMap(\.points).map(\.x), label: xLabel, unit: xUnit, scale: xScale,
                // Amounts count from nothing.
                includesZero: xUnit != .plain),
            let y = yAxis(series, x)
        else { return nil }
        // Thin lines first, so that the bold ones lie on top of them.
        let ordered = series.filter { $0.weight == .faint } + series.filter { $0.weight == .bold }
        return Drawing(
            series: series, description: description(series, x, y),
            content: """
                <clipPath id="\(id)-clip"><rect x="0" y="\(Self.top - 2)" width="\(Self.width)" height="\(Self.height)"/></clipPath>
                \(frame(x, y))
                \(ordered.map { line($0, x, y) })
                """)
    }

    /// The vertical axis over all points, or over those after the start where the start alone would fill the plot.
    private func yAxis(_ series: [Series], _ x: PlotAxis) -> PlotAxis? {
        func axis(_ values: [Double], _ label: String) -> PlotAxis? {
            PlotAxis(values, label: label, unit: yUnit, isRounded: true, includesZero: yIncludesZero)
        }
        let points = series.flatMap(\.points)
        guard let whole = axis(points.map(\.y), yLabel) else { return nil }
        let start = x.lower + 0.05 * (x.upper - x.lower)
        let later = points.filter { $0.x >= start }.map(\.y)
        guard cropsStart, later.count > 3, let tail = axis(later, yLabel + " (the start lies above)"),
            tail.upper - tail.lower < 0.6 * (whole.upper - tail.lower)
        else { return whole }
        return tail
    }

    private func place(_ point: Point, _ x: PlotAxis, _ y: PlotAxis) -> Point {
        Point(
            x: Self.left + x.position(point.x) * (Self.width - Self.left - Self.right),
            y: Self.height - Self.bottom - y.position(point.y) * (Self.height - Self.top - Self.bottom))
    }

    private func frame(_ x: PlotAxis, _ y: PlotAxis) -> Markup {
        let floor = Self.height - Self.bottom
        var frame: Markup = ""
        for tick in y.ticks {
            let at = place(Point(x: x.lower, y: tick.value), x, y).y
            frame += """
                <path class="grid" d="M\(Self.left) \(at)H\(Self.width - Self.right)"/>\
                <text class="tick end" x="\(Self.left - 8)" y="\(at + 4)">\(tick.text)</text>

                """
        }
        for tick in x.ticks {
            let at = place(Point(x: tick.value, y: y.lower), x, y).x
            frame += """
                <path class="axis" d="M\(at) \(floor)v5"/>\
                <text class="tick middle" x="\(at)" y="\(floor + 20)">\(tick.text)</text>

                """
        }
        frame += """
            <path class="axis" d="M\(Self.left) \(floor)H\(Self.width - Self.right)"/>
            <text class="label" x="2" y="15">\(y.label)</text>
            <text class="label end" x="\(Self.width - Self.right)" y="\(Self.height - 8)">\(x.label)</text>
            """
        return frame
    }

    func style(_ series: Series) -> String {
        let dashed = series.colour >= Self.colours ? " dashed" : ""
        return "colour\(series.colour % Self.colours) \(series.weight.rawValue)\(dashed)"
    }

    private func line(_ series: Series, _ x: PlotAxis, _ y: PlotAxis) -> Markup {
        let places = series.points.map { place($0, x, y) }
        var data = ""
        for (index, point) in places.enumerated() {
            data += (index == 0 ? "M" : "L") + Markup.coordinate(point.x) + " " + Markup.coordinate(point.y)
        }
        var line: Markup =
            "<g class=\"\(style(series))\"><path class=\"line\" clip-path=\"url(#\(id)-clip)\" d=\"\(data)\"/>"
        if series.weight == .bold ? places.count <= Self.markerLimit : places.count == 1 {
            for (point, place) in zip(series.points, places) where place.y >= Self.top - 1 {
                line += """
                    <circle class="dot" cx="\(place.x)" cy="\(place.y)" r="3">\
                    <title>\(series.name): \(HumanFormat.significant(point.y, 4)) at \(said(point.x))</title></circle>
                    """
            }
        }
        return line + "</g>"
    }

    private func legend(_ series: Series) -> Markup {
        if series.name.isEmpty { return "" }
        let note: Markup = series.note.isEmpty ? "" : " <span class=\"muted\">\(series.note)</span>"
        return """
            <li class="\(style(series))"><svg class="swatch" viewBox="0 0 24 8" aria-hidden="true">\
            <path class="line" d="M1 4H23"/></svg>\(series.name)\(note)</li>
            """
    }

    private func said(_ x: Double) -> String {
        switch xUnit {
        case .plain: HumanFormat.significant(x, 4)
        case .count: "\(HumanFormat.count(x)) \(xLabel)"
        case .flops: HumanFormat.flops(x)
        case .seconds: HumanFormat.duration(x)
        }
    }

    private func description(_ series: [Series], _ x: PlotAxis, _ y: PlotAxis) -> String {
        let lines = series.compactMap { series -> String? in
            guard !series.name.isEmpty, let first = series.points.first, let last = series.points.last else {
                return nil
            }
            return "\(series.name) goes from \(HumanFormat.significant(first.y, 4)) at \(said(first.x)) "
                + "to \(HumanFormat.significant(last.y, 4)) at \(said(last.x))."
        }
        return "\(y.label) against \(x.label). " + lines.joined(separator: " ")
    }

    /// Each point's mean with its neighbours, a twenty-fifth of the points together.
    static func smoothed(_ points: [Point]) -> [Point] {
        let reach = points.count / 50
        var sums = [0.0]
        for point in points { sums.append(sums[sums.count - 1] + point.y) }
        return points.indices.map { index in
            // The window shrinks at the ends, evenly on both sides, so that it never leans.
            let reach = min(reach, index, points.count - 1 - index)
            let sum = sums[index + reach + 1] - sums[index - reach]
            return Point(x: points[index].x, y: sum / Double(2 * reach + 1))
        }
    }

    /// At most about ``pointLimit`` points: of each stretch its lowest and its highest, so that spikes stay visible,
    /// and the first and the last.
    static func thinned(_ points: [Point], limit: Int = pointLimit) -> [Point] {
        guard points.count > limit, limit >= 4, let first = points.first, let last = points.last else { return points }
        let stretches = limit / 2 - 1
        var kept = [first]
        for stretch in 0..<stretches {
            let range = points.count * stretch / stretches..<points.count * (stretch + 1) / stretches
            guard let low = range.min(by: { points[$0].y < points[$1].y }),
                let high = range.max(by: { points[$0].y < points[$1].y })
            else { continue }
            kept.append(points[min(low, high)])
            if low != high { kept.append(points[max(low, high)]) }
        }
        return kept + [last]
    }
}
