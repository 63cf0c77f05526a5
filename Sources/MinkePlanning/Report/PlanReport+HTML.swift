extension PlanReport {
    /// The report as one page that needs nothing beside itself: no script, no font, no network. It follows the reader's
    /// light or dark setting.
    public func html() -> String {
        let title = PlanMarkup.escaped(title)
        let tables = tables.map(Self.html).joined()
        let figures = plots.map {
            "<figure><figcaption>\(PlanMarkup.escaped($0.title))</figcaption>\($0.svg())</figure>"
        }
        let assumed = assumptions.map {
            "<tr><th>\(PlanMarkup.escaped($0.name))</th><td class=\"text\">\(PlanMarkup.escaped($0.value))</td>"
                + "<td class=\"text\"><code>\(PlanMarkup.escaped($0.option))</code></td>"
                + "<td class=\"text\">\(PlanMarkup.escaped($0.source))</td></tr>"
        }
        let cautions = warnings.map { "<li>\(PlanMarkup.escaped($0))</li>" }.joined()
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>\(title)</title><style>\(Self.style)</style></head><body><main>
            <h1>\(title)</h1>\(headline.isEmpty ? "" : "<p class=\"headline\">\(PlanMarkup.escaped(headline))</p>")
            \(cautions.isEmpty ? "" : "<ul class=\"warnings\">\(cautions)</ul>")
            <div class="plots">\(figures.joined())</div>
            \(drawings.map { "<figure class=\"scroll\">\($0)</figure>" }.joined())
            \(tables)
            \(notes.map { "<p class=\"headline\">\(PlanMarkup.escaped($0))</p>" }.joined())
            \(assumed.isEmpty ? "" : "<section><h2>Assumed</h2><div class=\"scroll\"><table>\(assumed.joined())</table></div></section>")
            </main></body></html>

            """
    }

    private static func html(_ table: Table) -> String {
        func cells(_ row: [String], _ tag: String) -> String {
            row.enumerated().map { column, cell in
                let tag = column == 0 ? "th" : tag
                return "<\(tag)>\(PlanMarkup.escaped(cell))</\(tag)>"
            }.joined()
        }
        let head = table.columns.isEmpty ? "" : "<thead><tr>\(cells(table.columns, "th"))</tr></thead>"
        let body = table.rows.map { "<tr>\(cells($0, "td"))</tr>" }.joined()
        return "<section><h2>\(PlanMarkup.escaped(table.title))</h2><div class=\"scroll\"><table>\(head)<tbody>\(body)"
            + "</tbody></table></div></section>\n"
    }

    private static let style = """
        :root{color-scheme:light dark;--page:#fbfbfa;--card:#fff;--text:#1c2024;--muted:#5d666f;--rule:#e4e6e8;
        --c0:#0067a5;--c1:#cf5500;--c2:#008060;--c3:#a8478a;--c4:#9a6b00}
        @media (prefers-color-scheme:dark){:root{--page:#15181b;--card:#1c2024;--text:#e6e8ea;--muted:#9aa4ad;
        --rule:#30363c;--c0:#5db4ec;--c1:#f5944a;--c2:#3cc49a;--c3:#de94c4;--c4:#e3b341}}
        *{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);line-height:1.5;
        font-family:system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
        main{max-width:1100px;margin:0 auto;padding:40px 20px 64px}h1{font-size:1.7rem;margin:0;line-height:1.25}
        h2{font-size:1.1rem;margin:0 0 10px}h2::first-letter{text-transform:uppercase}section{margin-top:36px}.headline{font-size:1.05rem;color:var(--muted)}
        .warnings{border-left:4px solid var(--c1);margin:16px 0;padding:6px 0 6px 28px}
        .plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr));gap:16px}
        figure{margin:16px 0 0;padding:16px;background:var(--card);border:1px solid var(--rule);border-radius:10px}
        figcaption{font-weight:600;font-size:.95rem}svg{display:block;width:100%;height:auto}
        svg text{font-size:12px;fill:var(--muted)}svg .end{text-anchor:end}svg .middle{text-anchor:middle}
        .grid{stroke:var(--rule);fill:none}.line{fill:none;stroke-width:2.2;stroke-linejoin:round}
        .colour0{stroke:var(--c0)}.colour1{stroke:var(--c1)}.colour2{stroke:var(--c2)}.colour3{stroke:var(--c3)}
        .colour4{stroke:var(--c4)}.dot{stroke-width:6;stroke-linecap:round}
        .scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:10px}
        table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
        th,td{text-align:right;padding:7px 14px;border-top:1px solid var(--rule);vertical-align:top}
        th{font-weight:500}thead th{color:var(--muted);border-top:0}tr:first-child>*{border-top:0}
        th:first-child,.text{text-align:left}code{white-space:nowrap}

        """
}

/// Text inside HTML and SVG.
enum PlanMarkup {
    /// `text` as content or attribute value. Control characters, which HTML forbids, become U+FFFD.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            case "\n", "\t": escaped.unicodeScalars.append(scalar)
            case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}": escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
