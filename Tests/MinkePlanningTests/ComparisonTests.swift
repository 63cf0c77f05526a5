import MinkeFiles
import MinkePlanning
import Testing

@Suite struct ComparisonTests {
    static let sources = PlanSources(chips: ChipCatalog()) { name in
        guard let shape = ModelShape.named(name) else { throw InputError("no model \(name)") }
        return shape
    }

    func plan(_ text: String, _ defaults: JSON.Object = [:]) throws -> TrainingPlan {
        try TrainingPlan(json: JSON(parsing: text), at: "run.json", defaults: defaults, sources: Self.sources)
    }

    func comparison() throws -> Comparison {
        try Comparison(
            dense: plan(#"{"model": "llama-3.1-8b", "tokens": "2T", "chip": "h100", "mfu": 0.4}"#),
            sparse: plan(#"{"model": "moonlight", "tokens": "2T", "chip": "h100", "mfu": 0.4}"#))
    }

    @Test func theSparseRunReachesTheSameLoss() throws {
        let comparison = try comparison()
        for outcome in comparison.outcomes {
            let plan = try #require(outcome.plan)
            let loss = comparison.law.loss(parameters: outcome.denseEquivalent, tokens: plan.tokens)
            #expect((loss - comparison.targetLoss).magnitude < 1e-9)
        }
        let ratios = comparison.outcomes.compactMap(\.hoursRatio)
        #expect(ratios.count == 3 && ratios[0] > ratios[1] && ratios[1] > ratios[2])
    }

    @Test func aModelAgainstItselfCostsTheSame() throws {
        let dense = try comparison().dense
        let outcome = try #require(Comparison(dense: dense, sparse: dense).outcomes.last)
        #expect((try #require(outcome.hoursRatio) - 1).magnitude < 1e-6)
    }

    @Test func theAnchorsOwnPairComesOutAtItsLeverage() throws {
        var comparison = try Comparison(
            dense: plan(
                #"{"params": "6.1B", "layers": 32, "tokens": "1T", "chip": "h100", "attention": "none", "mfu": 0.4}"#),
            sparse: plan(
                #"{"params": "17.5B", "active": "0.85B", "layers": 20, "tokens": "1T", "chip": "h100", "attention": "none", "mfu": 0.4}"#
            ))
        comparison.law = .hoffmann
        let stated = comparison.outcomes[1]
        #expect((try #require(stated.plan).tokens / 1e12 - 1).magnitude < 1e-6, "equal on the same tokens")
        #expect((1 / (try #require(stated.hoursRatio)) - 6.1 / 0.85).magnitude < 0.01, "at more than 7 times less")
    }

    @Test func aModelTooSmallNeverGetsThere() throws {
        var comparison = try comparison()
        comparison.sparse = try plan(#"{"params": "20M", "layers": 4, "tokens": "1T", "chip": "h100"}"#)
        #expect(comparison.outcomes.allSatisfy { $0.plan == nil && $0.hoursRatio == nil })
        let report = try comparison.report()
        #expect(report.warnings.contains { $0.contains("too small") })
    }

    @Test func aScenarioScales() throws {
        let file = try TemporaryFile(
            #"{"name": "land", "models_per_year": 4, "organisations": 25, "development": 5, "occupancy": 0.5, "tokens": "3T"}"#
        )
        let scenario = try Scenario(path: file.path)
        #expect(scenario.run.keys == ["tokens"])
        let plan = try comparison().dense
        let year = scenario.year(of: plan)
        #expect((year.hours / plan.hours - 500).magnitude < 1e-9)
        #expect((year.devices * 8760 * 0.5 / year.hours - 1).magnitude < 1e-9)
        #expect((try #require(year.tonnesCO2) / (try #require(year.kilowattHours)) - 0.4e-3).magnitude < 1e-12)
    }

    @Test(arguments: [
        "[]", #"{"models": 3}"#, #"{"development": 0.5}"#, #"{"occupancy": 2}"#, #"{"models_per_year": 0}"#,
    ])
    func brokenScenariosAreRefused(text: String) throws {
        let file = try TemporaryFile(text)
        #expect(throws: InputError.self) { try Scenario(path: file.path) }
    }

    @Test(arguments: [
        "[]", "{}", #"{"model": "deepseek-v3"}"#, #"{"model": "deepseek-v3", "tokens": "1T"}"#,
        #"{"model": "deepseek-v3", "tokens": 0, "chip": "h100"}"#,
        #"{"model": "deepseek-v3", "tokens": "1T", "chip": "h100", "mfu": 0.9}"#,
        #"{"model": "deepseek-v3", "tokens": "1T", "chip": "h100", "tokns": 1}"#,
        #"{"model": 3, "tokens": "1T", "chip": "h100"}"#,
        #"{"params": "1B", "active": "2B", "layers": 3, "tokens": "1T", "chip": "h100"}"#,
    ])
    func brokenRunsAreRefused(text: String) {
        #expect(throws: InputError.self) { try plan(text) }
    }

    @Test func aConfigurationIsARunWithDefaults() throws {
        let plan = try plan(ModelShapeTests.v3, ["tokens": .number(1e12), "chip": "h800"])
        #expect(plan.tokens == 1e12 && plan.shape.experts?.routed == 256)
    }
}
