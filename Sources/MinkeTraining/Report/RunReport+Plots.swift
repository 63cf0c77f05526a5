extension RunReport {
    /// Loss, bits per byte and speed over the run; with several runs, quality against cost.
    var curves: [SVGPlot] {
        var plots = [lossPlot]
        if has(\.bitsPerByte) {
            var plot = tokensPlot("bits", "Bits per byte", yLabel: "validation, bits per byte of text")
            plot.series = perRun { $0.bitsPerByte }
            plots.append(plot)
        }
        if runs.count > 1, has(\.validationLoss) {
            plots += costPlots
        }
        if has(\.tokensPerSecond) {
            var plot = tokensPlot("speed", "Speed", yLabel: "tokens per second, and their moving mean")
            plot.cropsStart = false
            plot.yUnit = .count
            plot.yIncludesZero = true
            plot.series = perRun { $0.tokensPerSecond }.flatMap(withMean)
            plots.append(plot)
        }
        return plots
    }

    private var lossPlot: SVGPlot {
        var plot = tokensPlot("loss", "Loss", yLabel: "nats per token")
        func name(_ run: RunCurve, _ kind: String) -> String { runs.count > 1 ? "\(run.name), \(kind)" : kind }
        for (index, run) in runs.enumerated() {
            let isValidated = run.last(\.validationLoss) != nil
            if var training = series(run, index, x: { Double($0.tokens) }, y: \.trainLoss) {
                training.name = name(run, "training")
                // Without validation, the training loss is what there is to see.
                if isValidated { training.weight = .faint }
                plot.series += isValidated ? [training] : withMean(training)
            }
            if var validation = series(run, index, x: { Double($0.tokens) }, y: \.validationLoss) {
                validation.name = name(run, "validation")
                plot.series.append(validation)
            }
        }
        return plot
    }

    private func tokensPlot(_ id: String, _ title: String, yLabel: String) -> SVGPlot {
        SVGPlot(
            id: id, title: title, xLabel: "tokens", xUnit: .count,
            xScale: hasLogarithmicTokens ? .logarithmic : .linear, yLabel: yLabel, cropsStart: !hasLogarithmicTokens,
            series: [])
    }

    /// A noisy series as its moving mean, with the series itself faint behind it.
    private func withMean(_ series: SVGPlot.Series) -> [SVGPlot.Series] {
        var background = series
        background.name = ""
        background.weight = .faint
        var mean = series
        mean.points = SVGPlot.smoothed(series.points)
        return [background, mean]
    }

    private func perRun(_ y: (RunCurve.Point) -> Double?) -> [SVGPlot.Series] {
        runs.enumerated().compactMap { index, run in series(run, index, x: { Double($0.tokens) }, y: y) }
    }

    func series(
        _ run: RunCurve, _ index: Int, x: (RunCurve.Point) -> Double, y: (RunCurve.Point) -> Double?
    ) -> SVGPlot.Series? {
        let points = run.points.compactMap { point in
            y(point).flatMap { $0.isFinite ? SVGPlot.Point(x: x(point), y: $0) : nil }
        }
        guard let last = points.last else { return nil }
        let note = last.y.magnitude < 1000 ? HumanFormat.fixed(last.y, 3) : HumanFormat.count(last.y)
        return SVGPlot.Series(name: run.name, note: note, points: points, colour: index)
    }

    private func has(_ quantity: (RunCurve.Point) -> Double?) -> Bool {
        runs.contains { $0.last(quantity) != nil }
    }

    /// The routers' entropy: a line a layer, or the range over the layers when they are many.
    var entropyPlot: SVGPlot? {
        let layers = routingEntropy.map { layer in
            (layer.layer, zip(layer.steps, layer.values).map { SVGPlot.Point(x: Double($0), y: $1) })
        }.filter { layer in layer.1.contains { $0.y.isFinite } }
        if layers.isEmpty { return nil }
        var plot = SVGPlot(
            id: "entropy", title: "Routing entropy", xLabel: "step", xUnit: .count,
            yLabel: "share of the highest (1 = all experts used equally)", series: [])
        if layers.count <= SVGPlot.colours {
            plot.series = layers.enumerated().map { index, layer in
                SVGPlot.Series(name: "layer \(layer.0)", points: layer.1, colour: index)
            }
            return plot
        }
        var values: [Double: [Double]] = [:]
        for point in layers.flatMap(\.1) where point.y.isFinite { values[point.x, default: []].append(point.y) }
        let steps = values.sorted { $0.key < $1.key }
        func line(_ name: String, _ colour: Int, _ combine: ([Double]) -> Double) -> SVGPlot.Series {
            let points = steps.map { SVGPlot.Point(x: $0.key, y: combine($0.value)) }
            return SVGPlot.Series(name: name, points: points, colour: colour, weight: colour == 0 ? .bold : .faint)
        }
        plot.series = [
            line("mean of \(layers.count) layers", 0) { $0.reduce(0, +) / Double($0.count) },
            line("lowest layer", 1) { $0.min() ?? .nan },
            line("highest layer", 2) { $0.max() ?? .nan },
        ]
        return plot
    }
}
