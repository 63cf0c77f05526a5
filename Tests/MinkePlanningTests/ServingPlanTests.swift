import MinkePlanning
import Testing

@Suite struct ServingPlanTests {
    func plan(_ name: String, _ chip: String, count: Double = 1) throws -> ServingPlan {
        try ServingPlan(
            #require(ModelShape.named(name)), chip: ChipCatalog().chip(named: chip), count: count)
    }

    @Test func fleetDay() throws {
        let price = try #require(TokenPrice.published.first { $0.model.contains("(R1)") && $0.kind == .list })
        let day = FleetDay.deepSeek
        #expect((day.cost - 87_072).magnitude < 1)
        #expect((day.revenue(price) / 562_027 - 1).magnitude < 0.001)
        #expect((day.dollarsPerMillion(tokensPerSecondAndNode: 14_800) / 0.300 - 1).magnitude < 0.01)
        #expect((day.dollarsPerMillion(tokensPerSecondAndNode: 73_700) / 0.060 - 1).magnitude < 0.01)
    }

    @Test func cachesOfTheReleasedModels() throws {
        for (name, bytes) in [("deepseek-v2-lite", 31_104.0), ("deepseek-v2", 69_120), ("deepseek-v3", 70_272)] {
            #expect(try plan(name, "h200", count: 16).cacheBytesPerToken == bytes)
        }
        let v3 = try #require(ModelShape.named("deepseek-v3"))
        #expect(v3.cachedValues(groups: nil) == 61 * 128 * 320)
        #expect(v3.cachedValues(groups: 8) == 61 * 8 * 320)
    }

    /// The default shares were taken from this fleet; with them its throughput has to come out.
    ///
    /// A unit of 18 nodes, each user getting 20 to 22 tokens a second, does about 14.8 K tokens a second and node.
    @Test func decodingOfTheFleet() throws {
        var plan = try plan("deepseek-v3", "h800", count: 144)
        plan.batch = 14_800 / 21.0 * 18
        let step = plan.step(batch: plan.usedBatch)
        #expect((step.tokensPerSecond / 18 / 14_800 - 1).magnitude < 0.1, "\(step.tokensPerSecond / 18)")
        #expect(
            (plan.promptRate / (1 - plan.cachedShare) / 18 / 73_700 - 1).magnitude < 0.15, "\(plan.promptRate / 18)")
    }

    @Test func coverageGrowsFromOneTokensExpertsToAll() throws {
        let plan = try plan("deepseek-v3", "h200", count: 8)
        #expect((plan.coverage(1) - 8.0 / 256).magnitude < 1e-12)
        #expect(plan.coverage(64) > 0.85 && plan.coverage(64) < 0.88)
        #expect(plan.coverage(10_000) == 1)
        // Two tokens choose among all experts: 1 − (31/32)².
        #expect((plan.coverage(2) - (1 - 31.0 * 31 / 1024)).magnitude < 1e-12)
    }

    @Test func theRoofIsTheBandwidthForOneUserOfADenseModel() throws {
        var plan = try plan("llama-3.1-8b", "h100")
        plan.bandwidthShare = 1
        plan.context = 1
        let shape = plan.shape
        let bytes = shape.multipliedParameters + plan.cacheBytesPerToken
        let step = plan.step(batch: 1)
        #expect((step.tokensPerSecond * bytes / 3.35e12 - 1).magnitude < 1e-9)
        #expect(step.limit == "bandwidth")
        #expect(plan.step(batch: 1e6).limit == "arithmetic")
    }

    @Test func moreUsersCostLessEach() throws {
        let plan = try plan("deepseek-v3", "h200", count: 16)
        let few = try #require(plan.dollarsPerMillion(plan.step(batch: 1).tokensPerSecond))
        let many = try #require(plan.dollarsPerMillion(plan.step(batch: 64).tokensPerSecond))
        #expect(many < few / 5)
    }

    @Test func breakEvenIsWhereBothCostTheSame() throws {
        var plan = try plan("deepseek-v3", "h800", count: 144)
        plan.rival = TokenPrice.published.first { $0.model.contains("(R1)") }
        let load = try #require(plan.breakEvenLoad)
        plan.load = load
        let own = try #require(plan.ownPrice)
        let rival = try #require(plan.rival)
        #expect((plan.dollarsPerRequest(own) / plan.dollarsPerRequest(rival) - 1).magnitude < 1e-9)
    }

    @Test func whatDoesNotFitIsRefused() throws {
        #expect(throws: (any Error).self) { try plan("deepseek-v3", "h100").validate() }
        var small = try plan("llama-3.1-8b", "h100")
        try small.validate()
        small.context = 1e8
        #expect(throws: (any Error).self) { try small.validate() }
        small.context = .nan
        #expect(throws: (any Error).self) { try small.validate() }
    }

    /// `minke bench` of V2-Lite in Q4_K_M (10.36 GB) on two cores, with the limits that the same run measured on a
    /// busy machine.
    @Test(arguments: [
        (bandwidth: 40.7, peak: 1.036, depth: 4.0, batch: 1.0, measured: 10.7),
        (bandwidth: 40.7, peak: 1.036, depth: 4.0, batch: 8.0, measured: 25.5),
        (bandwidth: 40.7, peak: 1.036, depth: 4096.0, batch: 1.0, measured: 10.8),
    ])
    func decodingOnAProcessor(bandwidth: Double, peak: Double, depth: Double, batch: Double, measured: Double) throws {
        let chip = Chip(
            id: "this", name: "this", memoryGB: 25, bandwidthGBs: bandwidth, bfloat16: 0.5, int8: peak, source: "bench")
        var plan = try ServingPlan(#require(ModelShape.named("deepseek-v2-lite")), chip: chip, precision: .int8)
        plan.weightBits = 10.364e9 * 8 / plan.shape.totalParameters
        plan.bandwidthShare = 0.75
        plan.computeShare = 0.37
        plan.weightRate = 0.019 * peak * 1e12
        plan.context = depth
        let step = plan.step(batch: batch)
        #expect((step.tokensPerSecond / measured - 1).magnitude < 0.25)
        #expect(step.limit == "opening weights")
    }
}
