import MinkePlanning
import Testing

/// Published figures, from published inputs and the planner's formulas.
@Suite struct PublishedRunTests {
    func run(_ id: String) throws -> TrainingRun { try #require(TrainingRun.published.first { $0.id == id }) }
    func shape(_ name: String) throws -> ModelShape { try #require(ModelShape.named(name)) }
    func within(_ share: Double, _ value: Double, of expected: Double) -> Bool {
        (value / expected - 1).magnitude <= share
    }

    func v3() throws -> TrainingPlan {
        var plan = try TrainingPlan(
            shape("deepseek-v3"), tokens: 14.8e12, chip: ChipCatalog().chip(named: "h800"))
        plan.utilization = 0.391
        plan.count = 2048
        return plan
    }

    @Test func v3Counts() throws {
        let shape = try shape("deepseek-v3")
        #expect(Quantity.count(shape.totalParameters, digits: 5) == "671.03B")
        #expect(Quantity.count(shape.multipliedParameters) == "36.62B")
        #expect(Quantity.count(shape.predictionParameters.total) == "11.61B")
        let plan = try v3()
        #expect(within(0.001, plan.operationsPerToken, of: 250.5e9))
        var full = plan
        full.counting = .full
        #expect(within(0.001, full.operationsPerToken, of: 281.1e9))
        var predicting = plan
        predicting.predicts = true
        #expect(within(0.001, predicting.operationsPerToken, of: 260.7e9))
    }

    @Test func v3Hours() throws {
        let plan = try v3()
        let published = try #require(run("deepseek-v3-pre").hoursM) * 1e6
        #expect(within(0.005, plan.hours, of: published))
        #expect(within(0.005, try #require(plan.dollars), of: 5.328e6))
        // All stages: context extension and post-training, as published, on top.
        let all = try run("deepseek-v3-all")
        let rest = try #require(all.hoursM) * 1e6 - published
        let price = try #require(plan.price)
        #expect(within(0.005, (plan.hours + rest) * price, of: 5.576e6))
        #expect(Quantity.fixed(plan.hours(perTokens: 1e12) / 2048 / 24, 1) == "3.7")
        #expect(within(0.01, plan.tokens / plan.days, of: 272.8e9))
        var fp8 = plan
        fp8.precision = .fp8
        fp8.utilization = 0.391 / 2
        #expect(within(0.001, fp8.hours, of: plan.hours))
    }

    @Test func v2AgainstDense67B() throws {
        let sparse = try run("deepseek-v2")
        let dense = try run("deepseek-67b")
        func perTrillion(_ run: TrainingRun) throws -> Double { try #require(run.hoursM) / #require(run.tokensT) }
        #expect(within(0.002, try 1 - perTrillion(sparse) / perTrillion(dense), of: 0.425))
        let h800 = try ChipCatalog().chip(named: "h800")
        #expect(within(0.01, try #require(sparse.impliedUtilization(on: h800)), of: 0.205))
        #expect(within(0.01, try #require(dense.impliedUtilization(on: h800)), of: 0.375))
    }

    @Test func v2CacheReduction() throws {
        // The deployed cache of V2 has 6 bits a value, that of the dense model 16.
        let sparse = try shape("deepseek-v2").cachedValues * 6
        let dense = try shape("deepseek-67b").cachedValues * 16
        #expect(within(0.001, 1 - sparse / dense, of: 0.933))
    }

    @Test func r1() throws {
        let hours = try #require(run("deepseek-r1").hoursM) * 1e6
        let rent = try #require(ChipCatalog().chip(named: "h800").rent?.typical)
        #expect(within(0.001, hours * rent, of: 294e3))
    }

    @Test func llama405B() throws {
        let run = try run("llama31-405")
        let h100 = try ChipCatalog().chip(named: "h100")
        #expect(within(0.01, try #require(run.operations), of: 3.79e25))
        #expect(within(0.01, try #require(run.impliedUtilization(on: h100)), of: 0.345))
        // The other way round: hours from the formula without attention.
        var plan = try TrainingPlan(shape("llama-3.1-405b"), tokens: 15.6e12, chip: h100)
        plan.counting = .none
        plan.utilization = 0.345
        #expect(within(0.01, plan.hours, of: 30.84e6))
    }

    @Test func impliedUtilizationsOfTheTable() throws {
        for (id, chip, expected) in [
            ("deepseek-v3-pre", "h800", 0.346), ("llama31-70", "h100", 0.253), ("bloom", "a100-80-sxm", 0.318),
            ("olmo3-32", "h100", 0.282),
        ] {
            let implied = try run(id).impliedUtilization(on: ChipCatalog().chip(named: chip))
            #expect(within(0.01, try #require(implied), of: expected), "\(id)")
        }
    }

    @Test func shapesAddUp() throws {
        for (name, total, share) in [
            ("deepseek-v2", 235.741e9, 1e-5), ("deepseek-v2-lite", 15.706e9, 1e-4), ("kimi-k2", 1026.4e9, 1e-4),
            ("moonlight", 15.96e9, 1e-4), ("glm-4.7-flash", 29.94e9, 1e-3), ("deepseek-67b", 67e9, 0.01),
            ("llama-3.1-405b", 405e9, 0.005), ("llama-3.1-70b", 70.6e9, 0.005), ("deepseek-moe-16b", 16.4e9, 0.005),
        ] {
            let counted = try shape(name).totalParameters
            #expect(within(share, counted, of: total), "\(name): \(counted)")
        }
    }

    @Test func energyOfOLMo() throws {
        let tdp = try #require(ChipCatalog().chip(named: "h100").tdpWatts)
        let run = try run("olmo3-32")
        let energy = EnergyModel().kilowattHours(hours: try #require(run.hoursM) * 1e6, tdpWatts: tdp)
        #expect(within(0.01, energy / 1000, of: try #require(run.energyMWh)))
    }

    @Test func bloomCheckpoints() {
        var model = ReliabilityModel()
        model.checkpointBytesPerParameter = 2.3e12 / 176e9
        let outcome = model.outcome(checkpointBytes: 2.3e12, devices: 384)
        #expect(within(1e-9, outcome.saveSeconds, of: 40))
        #expect(within(0.01, ReliabilityModel().deviceHoursBetweenFailures / 16_384, of: 3.1))
        #expect(within(1e-9, outcome.interval * outcome.interval, of: 2 * 40 * outcome.secondsBetweenFailures))
    }

    @Test func impossibleFiguresAreRefused() throws {
        var plan = try v3()
        plan.utilization = 0.81
        #expect(throws: (any Error).self) { try plan.validate() }
        plan.utilization = 0.8
        try plan.validate()
        plan.goodput = 1.1
        #expect(throws: (any Error).self) { try plan.validate() }
    }
}
