import MinkeTraining
import Testing

@Suite struct RunReportTests {
    @Test func everySectionIsThereAndEveryTagClosed() throws {
        let page = SampleReport.make().html()
        try TagChecker.check(page)
        for title in [
            "Dense and sparse", "Curves", "Experts", "Cost", "Samples", "Configuration", "Run it again", "Notes",
        ] {
            #expect(page.contains("<h2>\(title)</h2>"))
        }
        for id in ["loss", "bits", "cpu", "flops", "speed", "entropy", "layer-1", "layer-3"] {
            #expect(page.contains("<title id=\"\(id)-title\">") && page.contains("<desc id=\"\(id)-desc\">"))
        }
        #expect(page.contains("assuming $0.04 per core-hour (default)"))
    }

    @Test func needsNothingBesideItself() {
        let page = SampleReport.make().html()
        for reference in ["http", "src=", "href=", "@import", "<script", "<link", "url(//"] {
            #expect(!page.contains(reference))
        }
        #expect(page.contains("name=\"viewport\""))
        #expect(page.contains("prefers-color-scheme:dark"))
    }

    @Test func qualityForCostIsAPictureOfItsOwn() throws {
        let picture = SampleReport.make().costToQuality()
        try TagChecker.check(picture)
        #expect(picture.hasPrefix("<svg xmlns=\"http://www.w3.org/2000/svg\""))
        for text in ["dense", "sparse", "bits per byte", "CPU time", "model FLOPs", "prefers-color-scheme:dark"] {
            #expect(picture.contains(text), "\(text)")
        }
        for reference in ["src=", "href=", "@import", "<script", "url(//"] { #expect(!picture.contains(reference)) }
        try TagChecker.check(RunReport(title: "Empty").costToQuality())
    }

    @Test func textStaysText() throws {
        let attack = "</title></style><script>alert('\"&')</script>\u{1}"
        var report = SampleReport.make(steps: 30, layers: 1, experts: 2)
        report.title = attack
        report.subtitle = attack
        report.figures = [.init(attack, attack, note: attack)]
        for index in report.runs.indices { report.runs[index].name = attack }
        report.comparison = .init(
            rows: [.init(metric: attack, dense: attack, sparse: attack, saved: attack)], note: attack)
        report.costs = CostTable([(attack, Cost(joulesSource: attack))], price: .standard)
        report.configuration = [(attack, attack)]
        report.samples = [(1, attack), (2, attack)]
        report.command = attack
        report.notes = [attack]
        let page = report.html()
        try TagChecker.check(page)
        #expect(!page.contains("<script"))
        #expect(!page.contains("\u{1}"))
        #expect(page.contains("&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;\u{FFFD}"))
    }

    @Test func nothingRecordedIsSaidSo() throws {
        let page = RunReport(title: "Empty").html()
        try TagChecker.check(page)
        #expect(page.contains("Nothing was recorded."))
        #expect(!page.contains("<h2>Experts"))
        let hollow = RunReport(
            title: "Hollow", runs: [RunCurve(name: "a", points: [])], comparison: .init(rows: []),
            expertLoad: [.init(layer: 0, steps: [], fractions: []), .init(layer: 1, steps: [1], fractions: [[]])],
            routingEntropy: [.init(layer: 0, steps: [], values: [])], costs: CostTable([], price: .standard))
        try TagChecker.check(hollow.html())
    }

    @Test(arguments: [false, true]) func strangeNumbersAreNotDrawn(logarithmic: Bool) throws {
        let strange = [
            .nan, .infinity, -.infinity, 0, -1, 1, 2, .leastNonzeroMagnitude, 1e308, -1e308, .greatestFiniteMagnitude,
        ].enumerated().map { step, value in
            RunCurve.Point(
                step: step, tokens: step == 5 ? .max : step, cpuSeconds: value, flops: value, trainLoss: value,
                validationLoss: value, bitsPerByte: value, tokensPerSecond: value)
        }
        let page = RunReport(
            title: "Strange", runs: [RunCurve(name: "a", points: strange), RunCurve(name: "b", points: strange)],
            expertLoad: [
                .init(layer: 0, steps: [1, 2], fractions: [[.nan, 1, -1], [.infinity]]),
                .init(layer: 1, steps: [], fractions: [[0, 0], [0, 0]]),
            ],
            routingEntropy: [.init(layer: 0, steps: [1, 2, 3], values: [.nan, 0.5])],
            hasLogarithmicTokens: logarithmic
        ).html()
        try TagChecker.check(page)
        #expect(!page.contains("nan") && !page.contains("inf\"") && !page.contains("inf "))
    }

    @Test func onePointIsADot() throws {
        let run = RunCurve(name: "a", points: [.init(step: 1, tokens: 8, cpuSeconds: 0, flops: 0, trainLoss: 2)])
        let page = RunReport(title: "One", runs: [run], hasLogarithmicTokens: true).html()
        try TagChecker.check(page)
        #expect(page.contains("<circle"))
    }

    @Test func longRunsStaySmallPages() throws {
        let page = SampleReport.make(steps: 3_000, layers: 8, experts: 32).html()
        try TagChecker.check(page)
        #expect(page.utf8.count < 400_000)
        #expect(page.contains("mean of 8 layers"))
    }
}
