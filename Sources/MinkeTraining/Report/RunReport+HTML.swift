extension RunReport {
    /// The report as one HTML page that needs nothing beside itself: no script, no font, no network.
    ///
    /// Every text of the report is escaped. The page follows the reader's light or dark setting and the screen's width.
    public func html() -> String {
        let page: Markup = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>\(title)</title>
            <style>\(ReportStyle.css)</style></head>
            <body><main>
            \(header)\(comparisonSection)\(curvesSection)\(expertsSection)\(costSection)\(samplesSection)\
            \(configurationSection)\(commandSection)\(notesSection)</main></body></html>

            """
        return page.source
    }

    private var header: Markup {
        let subtitle: Markup = subtitle.isEmpty ? "" : "<p class=\"subtitle\">\(self.subtitle)</p>\n"
        let figures = self.figures.isEmpty ? measuredFigures : self.figures
        let cards = figures.map { figure -> Markup in
            let note: Markup = figure.note.isEmpty ? "" : "<dd class=\"note\">\(figure.note)</dd>"
            return "<div><dt>\(figure.label)</dt><dd class=\"value\">\(figure.value)</dd>\(note)</div>\n"
        }
        let list: Markup = cards.isEmpty ? "" : "<dl class=\"figures\">\(cards)</dl>\n"
        return "<header><h1>\(title)</h1>\n\(subtitle)</header>\n\(list)"
    }

    /// What was saved, or else what the ends of the runs say, for a report that was given no figures.
    private var measuredFigures: [Figure] {
        if let comparison, !comparison.rows.isEmpty {
            return comparison.rows.map {
                Figure("\($0.metric): sparse needs", $0.saved, note: "\($0.dense) → \($0.sparse)")
            }
        }
        func figures(_ label: String, _ value: (RunCurve) -> String?) -> [Figure] {
            runs.compactMap { run in value(run).map { Figure(label, $0, note: runs.count > 1 ? run.name : "") } }
        }
        return figures("validation loss") { $0.last(\.validationLoss).map { HumanFormat.fixed($0, 3) } }
            + figures("training loss") { run in
                // Validation says more, where there is one.
                run.last(\.validationLoss) == nil ? run.last(\.trainLoss).map { HumanFormat.fixed($0, 3) } : nil
            }
            + figures("bits per byte") { $0.last(\.bitsPerByte).map { HumanFormat.fixed($0, 3) } }
            + figures("tokens") { $0.points.last.map { HumanFormat.count(Double($0.tokens)) } }
            + figures("CPU time") { $0.points.last.map { HumanFormat.duration($0.cpuSeconds) } }
    }

    private func section(_ title: String, _ content: Markup) -> Markup {
        "<section><h2>\(title)</h2>\n\(content)</section>\n"
    }

    private var curvesSection: Markup {
        section("Curves", "<div class=\"plots\">\(curves.map { $0.markup() })</div>\n")
    }

    private var comparisonSection: Markup {
        guard let comparison, !comparison.rows.isEmpty else { return "" }
        let rows = comparison.rows.map { row -> Markup in
            """
            <tr><th scope="row">\(row.metric)</th><td>\(row.dense)</td><td>\(row.sparse)</td>\
            <td class="strong">\(row.saved)</td></tr>

            """
        }
        let note: Markup = comparison.note.isEmpty ? "" : "<p class=\"muted\">\(comparison.note)</p>\n"
        return section(
            "Dense and sparse",
            """
            <div class="scroll"><table><thead><tr><th scope="col">to reach the same loss</th><th scope="col">dense</th>\
            <th scope="col">sparse</th><th scope="col">sparse needs</th></tr></thead>
            <tbody>\(rows)</tbody></table></div>
            \(note)
            """)
    }

    private var expertsSection: Markup {
        let maps = expertLoad.map { layer in
            HeatMap(
                id: "layer-\(layer.layer)", title: "Layer \(layer.layer)", steps: layer.steps, loads: layer.fractions)
        }
        let entropy = entropyPlot
        if maps.isEmpty, entropy == nil { return "" }
        var content: Markup = ""
        if !maps.isEmpty {
            content += """
                <p class="muted">Each row is one expert, each column a stretch of the run; \
                the colour is the expert's load relative to the mean of its layer.</p>
                \(HeatMap.legend())
                <div class="heats">\(maps.map { $0.markup() })</div>

                """
        }
        if let entropy { content += "<div class=\"plots\">\(entropy.markup())</div>\n" }
        return section("Experts", content)
    }

    private var costSection: Markup {
        guard let costs, !costs.names.isEmpty else { return "" }
        let names = costs.names.map { name -> Markup in "<th scope=\"col\">\(name)</th>" }
        let rows = costs.rows.map { row -> Markup in
            let note: Markup = row.note.isEmpty ? "" : "<span class=\"note\">\(row.note)</span>"
            let cells = row.values.map { value -> Markup in "<td>\(value)</td>" }
            return "<tr><th scope=\"row\">\(row.quantity)\(note)</th>\(cells)</tr>\n"
        }
        return section(
            "Cost",
            """
            <div class="scroll"><table><thead><tr><th scope="col">what it took</th>\(names)</tr></thead>
            <tbody>\(rows)</tbody></table></div>

            """)
    }

    private var samplesSection: Markup {
        guard let last = samples.last else { return "" }
        let earlier = samples.dropLast().reversed().map { sample -> Markup in
            "<h3>step \(HumanFormat.grouped(sample.step))</h3><pre>\(sample.text)</pre>\n"
        }
        let more: Markup =
            earlier.isEmpty
            ? "" : "<details><summary>Earlier samples (\(earlier.count))</summary>\n\(earlier)</details>\n"
        return section(
            "Samples", "<h3>step \(HumanFormat.grouped(last.step))</h3><pre>\(last.text)</pre>\n\(more)")
    }

    private var configurationSection: Markup {
        if configuration.isEmpty { return "" }
        let rows = configuration.map { entry -> Markup in
            "<div><dt>\(entry.key)</dt><dd>\(entry.value)</dd></div>\n"
        }
        return section("Configuration", "<dl class=\"settings\">\(rows)</dl>\n")
    }

    private var commandSection: Markup {
        command.isEmpty ? "" : section("Run it again", "<pre>\(command)</pre>\n")
    }

    private var notesSection: Markup {
        if notes.isEmpty { return "" }
        let paragraphs = notes.map { note -> Markup in "<p>\(note)</p>\n" }
        return section("Notes", "\(paragraphs)")
    }
}
