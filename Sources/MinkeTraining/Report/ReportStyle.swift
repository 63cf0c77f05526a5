/// The look of a report: one style sheet for light and dark, wide and narrow.
enum ReportStyle {
    /// Line colours are Okabe and Ito's, which stay apart for colour-blind readers, darkened or lightened until they
    /// stand out from their page; loads go from blue (idle) to orange (crowded).
    static let css: Markup = """

        \(palette)
        *{box-sizing:border-box}
        html{-webkit-text-size-adjust:100%}
        body{margin:0;background:var(--page);color:var(--text);line-height:1.55;
        font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
        main{max-width:1180px;margin:0 auto;padding:48px 24px 64px}
        h1{font-size:1.9rem;line-height:1.2;letter-spacing:-.015em;margin:0;overflow-wrap:anywhere}
        h2{font-size:1.2rem;margin:0 0 16px}
        h3{font-size:.85rem;font-weight:600;color:var(--muted);margin:16px 0 6px}
        section{margin-top:48px}
        p{margin:0 0 12px;max-width:75ch;overflow-wrap:anywhere}
        .subtitle{color:var(--muted);font-size:1.05rem;margin:8px 0 0}
        .muted{color:var(--muted);font-weight:400}
        .empty{color:var(--muted);margin:24px 0}
        .figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:32px 0 0}
        .figures div,.plot,.heat{background:var(--card);border:1px solid var(--rule);border-radius:10px}
        .figures div{padding:14px 16px}
        dt{color:var(--muted);font-size:.85rem}
        dd{margin:0}
        .value{font-size:1.55rem;font-weight:600;letter-spacing:-.01em;font-variant-numeric:tabular-nums;line-height:1.35}
        .note{display:block;color:var(--muted);font-size:.8rem;font-weight:400}
        .plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr));gap:16px}
        .heats{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,260px),1fr));gap:16px;margin:0 0 16px}
        figure{margin:0;padding:16px;min-width:0}
        figcaption{font-weight:600;font-size:.95rem}
        .heat figcaption{font-size:.85rem;margin-bottom:6px}
        svg{display:block;width:100%;height:auto}
        .legend{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;margin:4px 0 10px;padding:0;font-size:.82rem}
        .legend li{display:flex;align-items:center;gap:7px;font-variant-numeric:tabular-nums}
        .swatch{width:24px;height:8px;flex:none}
        \(drawing)
        .heat path,.heat rect{shape-rendering:crispEdges}
        .heat0{fill:var(--h0);background:var(--h0)}.heat1{fill:var(--h1);background:var(--h1)}
        .heat2{fill:var(--h2);background:var(--h2)}.heat3{fill:var(--h3);background:var(--h3)}
        .heat4{fill:var(--h4);background:var(--h4)}.heat5{fill:var(--h5);background:var(--h5)}
        .heat6{fill:var(--h6);background:var(--h6)}.heat7{fill:var(--h7);background:var(--h7)}
        .heat8{fill:var(--h8);background:var(--h8)}
        .scale{display:flex;flex-wrap:wrap;align-items:center;gap:4px 10px;font-size:.82rem;color:var(--muted)}
        .swatches{display:inline-flex;border-radius:3px;overflow:hidden}
        .swatches i{width:22px;height:12px}
        .scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:10px;margin-bottom:12px}
        table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
        th,td{text-align:right;padding:9px 16px;border-top:1px solid var(--rule);vertical-align:top}
        td{white-space:nowrap}
        thead th{border-top:0;color:var(--muted);font-weight:500;font-size:.85rem}
        th:first-child{text-align:left}
        tbody th{font-weight:500}
        .strong{font-weight:600}
        .settings{columns:320px;column-gap:32px;margin:0;font-size:.88rem}
        .settings div{display:flex;justify-content:space-between;gap:16px;padding:5px 0;border-bottom:1px solid var(--rule);
        break-inside:avoid}
        .settings dt{font-size:inherit;overflow-wrap:anywhere}
        .settings dd{text-align:right;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
        pre{margin:0 0 12px;padding:14px 16px;background:var(--card);border:1px solid var(--rule);border-radius:10px;
        font:.85rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
        white-space:pre-wrap;overflow-wrap:anywhere}
        summary{cursor:pointer;color:var(--muted);font-size:.9rem}
        @media (max-width:620px){main{padding:28px 16px 40px}h1{font-size:1.5rem}section{margin-top:36px}
        figure{padding:14px 12px}.plot svg text{font-size:18px}.figures{grid-template-columns:1fr 1fr}
        .value{font-size:1.3rem}th,td{padding:8px 8px}table{font-size:.82rem}}
        @media print{main{max-width:none;padding:0}figure,tr{break-inside:avoid}}

        """

    /// The colours by which everything else is said.
    static let palette: Markup = """
        :root{color-scheme:light dark;--page:#fbfbfa;--card:#fff;--text:#1c2024;--muted:#5d666f;--rule:#e4e6e8;
        --grid:#eceef0;--c0:#0067a5;--c1:#cf5500;--c2:#008060;--c3:#a8478a;--c4:#9a6b00;--c5:#3d8fc4;
        --h0:#1f6196;--h1:#4f93c6;--h2:#98c5e3;--h3:#d3e6f2;--h4:#f1f1ef;--h5:#fde3c0;--h6:#f9bc74;--h7:#e08a2b;--h8:#a95708}
        @media (prefers-color-scheme:dark){:root{--page:#15181b;--card:#1c2024;--text:#e6e8ea;--muted:#9aa4ad;--rule:#30363c;
        --grid:#292e33;--c0:#5db4ec;--c1:#f5944a;--c2:#3cc49a;--c3:#de94c4;--c4:#e3b341;--c5:#9ad4f5;
        --h0:#8accff;--h1:#4a9bd8;--h2:#31699a;--h3:#2a4459;--h4:#2a2f34;--h5:#54412c;--h6:#8c5d24;--h7:#cc8530;--h8:#ffc06e}}
        """

    /// What a plot looks like.
    static let drawing: Markup = """
        svg text{font-size:12px;fill:var(--muted);font-variant-numeric:tabular-nums}
        svg .end{text-anchor:end}
        svg .middle{text-anchor:middle}
        .grid{stroke:var(--grid);fill:none}
        .axis{stroke:var(--muted);stroke-opacity:.6;fill:none}
        .colour0{--line:var(--c0)}.colour1{--line:var(--c1)}.colour2{--line:var(--c2)}
        .colour3{--line:var(--c3)}.colour4{--line:var(--c4)}.colour5{--line:var(--c5)}
        .line{fill:none;stroke:var(--line);stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
        .faint .line{stroke-width:1.2;stroke-opacity:.45}.legend .faint .line{stroke-width:1.8;stroke-opacity:.6}
        .dashed .line{stroke-dasharray:6 4}
        .dot{fill:var(--card);stroke:var(--line);stroke-width:1.8}
        """
}
