/// Plots side by side as one SVG file with its legend and its style inside, for pages that show pictures.
struct CostPicture {
    let title: String
    let plots: [SVGPlot]

    private static let gap = 24.0
    private static let lineHeight = 24.0

    /// The file; without plots that have something to show, a picture that says so.
    func svg() -> Markup {
        let drawings = plots.compactMap(\.drawing)
        let entries = drawings.first?.series.filter { !$0.name.isEmpty } ?? []
        let width = max(1, Double(drawings.count)) * (SVGPlot.width + Self.gap) + Self.gap
        let columns = max(1, Int(width / 290))
        let top = 44 + Self.lineHeight * Double((entries.count + columns - 1) / columns)
        let height = top + SVGPlot.height + Self.gap
        let legend = entries.enumerated().map { index, series -> Markup in
            let (x, y) = (Self.gap + 290 * Double(index % columns), 58 + Self.lineHeight * Double(index / columns))
            return """
                <g class="\(style(series))"><path class="line" d="M\(x) \(y - 4)h24"/>\
                <text class="said" x="\(x + 32)" y="\(y)">\(series.name) \(series.note)</text></g>

                """
        }
        let boxes = drawings.enumerated().map { index, drawing -> Markup in
            """
            <svg x="\(Self.gap + Double(index) * (SVGPlot.width + Self.gap))" y="\(top)" width="\(SVGPlot.width)" \
            height="\(SVGPlot.height)" viewBox="0 0 \(SVGPlot.width) \(SVGPlot.height)">\(drawing.content)</svg>

            """
        }
        let description =
            drawings.isEmpty ? "Nothing was recorded." : drawings.map(\.description).joined(separator: " ")
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" \
            role="img" aria-labelledby="title description">
            <title id="title">\(title)</title><desc id="description">\(description)</desc>
            <style>\(ReportStyle.palette)\(ReportStyle.drawing)
            text{font-family:system-ui,sans-serif}svg text{font-size:14px}.heading{font-weight:600}
            svg .heading,svg .said{fill:var(--text)}</style>
            <rect width="100%" height="100%" fill="var(--card)"/>
            <text class="heading" x="\(Self.gap)" y="28">\(title)</text>
            \(legend)\(boxes)</svg>

            """
    }

    private func style(_ series: SVGPlot.Series) -> String {
        plots.first?.style(series) ?? ""
    }
}

extension RunReport {
    /// The curves of quality against cost as one SVG file that needs nothing beside it.
    public func costToQuality() -> String {
        CostPicture(title: "Quality for cost: \(title.lowercased())", plots: costPlots).svg().source
    }

    /// Quality against CPU time and against arithmetic: in bits per byte, which compares across tokenizers, where every
    /// run has them.
    var costPlots: [SVGPlot] {
        let hasBits = runs.allSatisfy { $0.last(\.bitsPerByte) != nil }
        func plot(
            _ id: String, _ title: String, _ xLabel: String, _ xUnit: PlotAxis.Unit, _ x: (RunCurve.Point) -> Double
        ) -> SVGPlot {
            SVGPlot(
                id: id, title: title, xLabel: xLabel, xUnit: xUnit, xScale: .logarithmic,
                yLabel: hasBits ? "validation, bits per byte of text" : "validation loss, nats per token",
                series: runs.enumerated().compactMap { index, run in
                    series(run, index, x: x, y: hasBits ? \.bitsPerByte : \.validationLoss)
                })
        }
        return [
            plot("cpu", "Quality for CPU time", "CPU time of training", .seconds) { $0.cpuSeconds },
            plot("flops", "Quality for computation", "model FLOPs", .flops) { $0.flops },
        ]
    }
}
