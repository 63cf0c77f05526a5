import MinkeFiles
import MinkePlanning
import Testing

@Suite struct PlanReportTests {
    func reports() throws -> [PlanReport] {
        let shape = try #require(ModelShape.named("deepseek-v3"))
        let chips = ChipCatalog()
        var training = try TrainingPlan(shape, tokens: 14.8e12, chip: chips.chip(named: "h800"))
        training.count = 2048
        let dense = try TrainingPlan(
            #require(ModelShape.named("deepseek-67b")), tokens: 2e12, chip: chips.chip(named: "h800"))
        var comparison = Comparison(dense: dense, sparse: training)
        comparison.scenario = Scenario()
        let serving = try ServingPlan(shape, chip: chips.chip(named: "h200"), count: 16)
        return try [training.report(), comparison.report(), serving.report(), PublishedCheck.report()]
    }

    @Test func everyPlanIsTextAnObjectAndAPage() throws {
        for report in try reports() {
            #expect(report.text.contains(report.headline) && !report.text.contains("nan"))
            let json = try JSON(parsing: report.json.text())
            #expect(json["assumptions"]?.arrayValue?.count == report.assumptions.count)
            #expect(json["warnings"]?.arrayValue != nil)
            let page = report.html()
            #expect(page.hasPrefix("<!DOCTYPE html>") && page.contains("prefers-color-scheme:dark"))
            for outside in ["http:", "https:", "<script", "<link", "src="] {
                #expect(!page.contains(outside), "\(outside)")
            }
            #expect(!page.contains("nan") && page.components(of: "<svg") == report.plots.count)
        }
    }

    @Test func everyAssumptionCanBeChanged() throws {
        for report in try reports().dropLast() {
            #expect(report.assumptions.count > 8)
            #expect(report.assumptions.allSatisfy { !$0.option.isEmpty && !$0.source.isEmpty })
        }
    }

    @Test func whatTheUserSetIsSaidToBeTheUsers() throws {
        let report = try reports()[0].choosing(["--pue", "--save"])
        let pue = try #require(report.assumptions.first { $0.option == "--pue" })
        #expect(pue.source.hasPrefix("the user; otherwise: "))
        let others = report.assumptions.filter { $0.option != "--pue" }
        #expect(!others.isEmpty && others.allSatisfy { !$0.source.hasPrefix("the user") })
    }

    @Test func namesOfStrangersStayText() throws {
        var shape = try #require(ModelShape.named("llama-3.1-8b"))
        shape.name = "<b onload=\"x\">&"
        let plan = try TrainingPlan(shape, tokens: 1e12, chip: ChipCatalog().chip(named: "h100"))
        let page = try plan.report().html()
        #expect(!page.contains("<b onload") && page.contains("&lt;b onload=&quot;x&quot;&gt;&amp;"))
    }

    @Test func memoryShrinksWithEveryDivision() throws {
        let shape = try #require(ModelShape.named("deepseek-v3"))
        let memory = TrainingMemory()
        let layouts = TrainingMemory.layouts(shape, devices: 2048)
        let bytes = layouts.map { memory.states(shape, $0, devices: 2048) }
        #expect(bytes.count == 4 && zip(bytes, bytes.dropFirst()).allSatisfy(>))
        #expect(bytes[0] == shape.totalParameters * 18)
        // Nothing is lost: over all devices, the last layout holds each optimiser state once.
        let optimizer = TrainingMemory.Layout(pipeline: 16, expert: 64, isOptimizerSharded: true)
        var onlyOptimizer = TrainingMemory()
        onlyOptimizer.weight = 0
        onlyOptimizer.gradient = 0
        let all = onlyOptimizer.states(shape, optimizer, devices: 2048) * 2048
        #expect((all / (12 * shape.totalParameters) - 1).magnitude < 1e-9)
    }
}

extension String {
    /// How often `part` occurs.
    fileprivate func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let start = rest.firstIndex(of: "<") {
            rest = rest[start...]
            if rest.hasPrefix(part) { count += 1 }
            rest = rest.dropFirst()
        }
        return count
    }
}
