import MinkeFiles

/// Timelines as SVG: a row a rank, time to the right, schedules below each other on one scale.
public struct PipelineDrawing {
    /// The most operations that are drawn; more would neither be read nor open quickly.
    public static let maximumOperations = 20_000

    private let plans: [PipelinePlan]

    private static let left = 68.0
    private static let plotWidth = 1300.0
    private static let rowHeight = 22.0
    private static let legendHeight = 46.0
    private static let titleHeight = 34.0
    private static let axisHeight = 34.0

    public init(_ plans: [PipelinePlan]) { self.plans = plans }

    /// The drawing: one file that needs nothing else, for light and dark pages.
    ///
    /// - Throws: ``InputError`` for timelines of more than ``maximumOperations``.
    public func svg() throws -> String {
        let operations = plans.reduce(0) { $0 + $1.timeline.ranks.joined().count }
        guard operations <= Self.maximumOperations else {
            throw InputError(
                "\(operations) operations are too many to draw",
                remedy: "at most \(Self.maximumOperations): draw fewer ranks, micro-batches or schedules")
        }
        let duration = plans.reduce(0) { max($0, $1.timeline.duration) }
        var height = Self.legendHeight
        var body = ""
        for plan in plans {
            body += section(plan, top: height, scale: duration > 0 ? Self.plotWidth / duration : 0)
            height += Self.titleHeight + Double(plan.ranks) * Self.rowHeight + Self.axisHeight
        }
        let width = Self.left + Self.plotWidth + 24
        let names = plans.map(\.schedule.title).joined(separator: ", ")
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(width)) \(number(height))" role="img" \
            aria-labelledby="title desc">
            <title id="title">Pipeline timelines: \(names)</title>
            <desc id="desc">\(plans.map(summary).joined(separator: " "))</desc>
            <style>\(Self.style)</style>
            <rect class="page" width="\(number(width))" height="\(number(height))"/>
            \(legend())\(body)</svg>

            """
    }

    private func section(_ plan: PipelinePlan, top: Double, scale: Double) -> String {
        let rowsTop = top + Self.titleHeight
        let floor = rowsTop + Double(plan.ranks) * Self.rowHeight
        let middle = (2 * rowsTop + Double(plan.ranks) * Self.rowHeight) / 2
        var text = """
            <g><text class="name" x="\(number(Self.left))" y="\(number(top + 22))">\(plan.schedule.title)\
            <tspan class="note" dx="12">\(summary(plan))</tspan></text>
            <rect class="idle" x="\(number(Self.left))" y="\(number(rowsTop))" \
            width="\(number(plan.timeline.duration * scale))" height="\(number(floor - rowsTop))"/>
            <text class="tick" transform="translate(16 \(number(middle))) rotate(-90)" text-anchor="middle">rank</text>

            """
        for (rank, events) in plan.timeline.ranks.enumerated() {
            let y = rowsTop + Double(rank) * Self.rowHeight
            text += "<text class=\"tick\" x=\"\(number(Self.left - 8))\" y=\"\(number(y + 15))\" "
            text += "text-anchor=\"end\">\(rank)</text>\n"
            for event in events { text += block(event, plan: plan, rank: rank, y: y, scale: scale) }
        }
        return text + axis(plan, floor: floor, scale: scale) + "</g>\n"
    }

    private func block(
        _ event: PipelineTimeline.Event, plan: PipelinePlan, rank: Int, y: Double, scale: Double
    ) -> String {
        let x = Self.left + event.start * scale
        let width = max((event.end - event.start) * scale, 0.2)
        let chunk = event.operation.chunk
        let parts = [chunk, event.operation.partner].compactMap(\.self)
        let height = (Self.rowHeight - 2) / Double(parts.count)
        let told = parts.map { Self.description($0, plan: plan) }.joined(separator: " overlapping ")
        var text = "<g><title>rank \(rank): \(told), \(short(event.start)) to \(short(event.end))</title>"
        for (index, part) in parts.enumerated() {
            let top = y + 1 + Double(index) * height
            let kind = (isSecondDirection(part, plan: plan) ? " second" : "") + (parts.count > 1 ? " half" : "")
            text += "<rect class=\"\(Self.colour(part.pass))\(kind)\" x=\"\(number(x))\" y=\"\(number(top))\" "
            text += "width=\"\(number(width))\" height=\"\(number(height))\"/>"
        }
        if parts.count > 1 {
            text += "<rect class=\"pair\" x=\"\(number(x))\" y=\"\(number(y + 1))\" "
            text += "width=\"\(number(width))\" height=\"\(number(Self.rowHeight - 2))\"/>"
        }
        let label = parts.map { String($0.microBatch) }.joined(separator: "·")
        if width >= Double(label.count) * 5.9 + 2.5 {
            text += "<text class=\"label\" x=\"\(number(x + width / 2))\" y=\"\(number(y + 15))\">\(label)</text>"
        }
        return text + "</g>\n"
    }

    private func axis(_ plan: PipelinePlan, floor: Double, scale: Double) -> String {
        let duration = plan.timeline.duration
        let step = Self.tickStep(duration)
        var text = ""
        for tick in 0...12 where Double(tick) * step <= duration {
            let x = number(Self.left + Double(tick) * step * scale)
            text += "<path class=\"axis\" d=\"M\(x) \(number(floor))v4\"/>"
            text += "<text class=\"tick\" x=\"\(x)\" y=\"\(number(floor + 16))\" text-anchor=\"middle\">"
            text += "\(short(Double(tick) * step))</text>\n"
        }
        return text
    }

    private func legend() -> String {
        var entries: [(colour: String, name: String)] = [
            ("forward", "forward F"), ("backward", "backward B"), ("input", "input gradient B−W"),
            ("weight", "weight gradient W"), ("idle", "idle"),
        ]
        if plans.contains(where: { $0.schedule == .dualPipe }) {
            entries.append(("forward second", "paler: the second direction"))
            entries.append(("overlap", "overlapped F&amp;B"))
        }
        var x = Self.left
        var text = "<g>"
        for entry in entries {
            if entry.colour == "overlap" {
                text += "<rect class=\"forward\" x=\"\(number(x))\" y=\"15\" width=\"22\" height=\"7\"/>"
                text += "<rect class=\"backward\" x=\"\(number(x))\" y=\"22\" width=\"22\" height=\"7\"/>"
                text += "<rect class=\"pair\" x=\"\(number(x))\" y=\"15\" width=\"22\" height=\"14\"/>"
            } else {
                text += "<rect class=\"\(entry.colour)\" x=\"\(number(x))\" y=\"15\" width=\"22\" height=\"14\"/>"
            }
            text += "<text class=\"key\" x=\"\(number(x + 29))\" y=\"26\">\(entry.name)</text>"
            x += 56 + 6.6 * Double(entry.name.count)
        }
        return text + "</g>\n"
    }

    /// `24 micro-batches, done after 90, idle 10 % of the time.`
    private func summary(_ plan: PipelinePlan) -> String {
        "\(plan.microBatches) micro-batches, done after \(short(plan.timeline.duration)), "
            + "idle \(short((plan.idleShare * 1000).rounded() / 10)) % of the time, bubble \(short(plan.bubble))."
    }

    private func isSecondDirection(_ chunk: PipelineProgram.Chunk, plan: PipelinePlan) -> Bool {
        plan.schedule == .dualPipe && chunk.microBatch >= plan.microBatches / 2
    }

    private static func description(_ chunk: PipelineProgram.Chunk, plan: PipelinePlan) -> String {
        let pass =
            switch chunk.pass {
            case .forward: "forward"
            case .backward: "backward"
            case .inputGradient: "input gradient"
            case .weightGradient: "weight gradient"
            }
        return "\(pass) of micro-batch \(chunk.microBatch) at stage \(chunk.stage)"
    }

    private static func colour(_ pass: PipelineProgram.Chunk.Pass) -> String {
        switch pass {
        case .forward: "forward"
        case .backward: "backward"
        case .inputGradient: "input"
        case .weightGradient: "weight"
        }
    }

    /// A round number that divides the time into at most twelve parts.
    private static func tickStep(_ duration: Double) -> Double {
        var step = 1e-9
        while true {
            for factor in [1.0, 2, 5] where duration <= 12 * step * factor { return step * factor }
            step *= 10
        }
    }

    /// A coordinate, to a hundredth of a unit.
    private func number(_ value: Double) -> String { Self.trimmed((value * 100).rounded() / 100) }

    /// A time, to four digits after the point.
    private func short(_ value: Double) -> String { Self.trimmed((value * 10_000).rounded() / 10_000) }

    private static func trimmed(_ value: Double) -> String {
        value == value.rounded() && value.magnitude < 1e15 ? String(Int(value)) : "\(value)"
    }

    /// Blues for forward, oranges and greens for backward: Okabe and Ito's, apart for colour-blind readers.
    private static let style = """

        :root{color-scheme:light dark;--page:#fff;--text:#1c2024;--muted:#5d666f;--idle:#eceef0;--f:#4f9fd6;--b:#e08a2b;
        --i:#e3b341;--w:#3aa782;--label:#11161b}
        @media (prefers-color-scheme:dark){:root{--page:#15181b;--text:#e6e8ea;--muted:#9aa4ad;--idle:#262b31;--f:#3f8fc9;
        --b:#d07c22;--i:#c99a2c;--w:#2f9a76;--label:#0c1013}}
        text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--text)}
        .page{fill:var(--page)}.idle{fill:var(--idle)}.name{font-size:15px;font-weight:600}
        .note{font-size:12px;font-weight:400;fill:var(--muted)}.tick{fill:var(--muted)}
        .label{font-size:10px;text-anchor:middle;fill:var(--label);pointer-events:none}
        .axis{stroke:var(--muted);fill:none}.forward{fill:var(--f)}.backward{fill:var(--b)}.input{fill:var(--i)}
        .weight{fill:var(--w)}.half{stroke:none}
        .forward.second{fill:#94c6e8}.backward.second{fill:#eebb80}.input.second{fill:#f0d894}.weight.second{fill:#89cbb3}
        .pair{fill:none;stroke:var(--text);stroke-width:1}
        g>rect{stroke:var(--page);stroke-width:.6}g>.pair{stroke:var(--text);stroke-width:.9}

        """
}
