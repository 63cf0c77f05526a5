#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How the load of a layer's experts moved over a run, as inline SVG: experts downwards, time to the right, colour for
/// the load relative to the mean of all experts.
struct HeatMap {
    /// Unique on the page.
    var id: String
    var title: String
    /// The step of each row of ``loads``.
    var steps: [Int]
    /// Steps × experts: each expert's share of the tokens, in any unit.
    var loads: [[Double]]

    /// Bounds between the colours, as powers of two of the relative load: nine colours, the middle one within 15 %.
    private static let bounds = [-2.0, -1, -0.5, -0.2, 0.2, 0.5, 1, 2]
    private static let middle = 4
    private static let left = 32.0
    private static let top = 6.0
    private static let cellsWidth = 260.0
    private static let columnLimit = 52

    /// The map as a figure.
    func markup() -> Markup {
        let experts = loads.map(\.count).max() ?? 0
        let columns = Self.columns(loads)
        guard experts > 0, !columns.isEmpty else {
            return """
                <figure class="heat"><figcaption>\(title)</figcaption><p class="empty">Nothing was recorded.</p></figure>
                """
        }
        let cellHeight = min(max(150 / Double(experts), 1.5), 14)
        let height = cellHeight * Double(experts)
        let floor = Self.top + height
        let right = Self.left + Self.cellsWidth
        let lastColumn = columns.last ?? []
        let summary = Self.summary(lastColumn)
        return """
            <figure class="heat"><figcaption>\(title) <span class="muted">\(summary)</span></figcaption>
            <svg viewBox="0 0 \(right + 8) \(floor + 22)" role="img" aria-labelledby="\(id)-title \(id)-desc">
            <title id="\(id)-title">\(title)</title>
            <desc id="\(id)-desc">Load of \(experts) experts over the run, relative to their mean. At the end: \(summary).</desc>
            <rect class="heat\(Self.middle)" x="\(Self.left)" y="\(Self.top)" width="\(Self.cellsWidth)" height="\(height)"/>
            \(cells(columns, experts: experts, cellHeight: cellHeight))
            <text class="tick end" x="\(Self.left - 6)" y="\(Self.top + 9)">0</text>
            <text class="tick end" x="\(Self.left - 6)" y="\(floor)">\(experts > 1 && height > 24 ? String(experts - 1) : "")</text>
            <text class="tick" x="\(Self.left)" y="\(floor + 16)">step \(HumanFormat.grouped(steps.first ?? 0))</text>
            <text class="tick end" x="\(right)" y="\(floor + 16)">\(HumanFormat.grouped(steps.last ?? 0))</text>
            </svg></figure>

            """
    }

    /// Which colours mean which load.
    static func legend() -> Markup {
        let swatches = (0...bounds.count).map { index -> Markup in "<i class=\"heat\(index)\"></i>" }
        return """
            <p class="scale"><span>¼× or less</span><span class="swatches">\(swatches)</span>\
            <span>4× or more</span></p>
            """
    }

    /// One path a colour; neighbours in time that share a colour are one rectangle.
    private func cells(_ columns: [[Double]], experts: Int, cellHeight: Double) -> Markup {
        var paths = [String](repeating: "", count: Self.bounds.count + 1)
        let cellWidth = Self.cellsWidth / Double(columns.count)
        for expert in 0..<experts {
            var start = 0
            while start < columns.count {
                let colour = Self.colour(columns[start], expert)
                var end = start + 1
                while end < columns.count, Self.colour(columns[end], expert) == colour { end += 1 }
                if colour != Self.middle {
                    let x = Markup.coordinate(Self.left + Double(start) * cellWidth)
                    let y = Markup.coordinate(Self.top + Double(expert) * cellHeight)
                    let width = Markup.coordinate(Double(end - start) * cellWidth)
                    paths[colour] += "M\(x) \(y)h\(width)v\(Markup.coordinate(cellHeight))h-\(width)z"
                }
                start = end
            }
        }
        let list = paths.enumerated().filter { !$0.element.isEmpty }.map { colour, data -> Markup in
            "<path class=\"heat\(colour)\" d=\"\(data)\"/>"
        }
        return "\(list)"
    }

    private static func colour(_ column: [Double], _ expert: Int) -> Int {
        guard expert < column.count, column[expert].isFinite else { return middle }
        let power = log2(max(column[expert], 1e-9))
        return bounds.firstIndex { power < $0 } ?? bounds.count
    }

    /// At most ``columnLimit`` columns of loads relative to their mean, each averaged over its stretch of steps.
    static func columns(_ loads: [[Double]], limit: Int = columnLimit) -> [[Double]] {
        let count = min(loads.count, limit)
        let experts = loads.map(\.count).max() ?? 0
        return (0..<count).map { column in
            let stretch = loads[loads.count * column / count..<loads.count * (column + 1) / count]
            var sums = [Double](repeating: 0, count: experts)
            for row in stretch {
                for (expert, load) in row.enumerated() where load.isFinite && load > 0 { sums[expert] += load }
            }
            let mean = sums.reduce(0, +) / Double(max(experts, 1))
            return sums.map { mean > 0 ? $0 / mean : .nan }
        }
    }

    /// `0.4× to 1.9×, 2 idle`.
    private static func summary(_ column: [Double]) -> String {
        let loads = column.filter(\.isFinite)
        guard let low = loads.min(), let high = loads.max() else { return "no load" }
        let idle = loads.count { $0 < 0.01 }
        return "\(HumanFormat.fixed(low, 2))× to \(HumanFormat.fixed(high, 2))×" + (idle > 0 ? ", \(idle) idle" : "")
    }
}
