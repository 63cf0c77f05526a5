import MinkeFiles

/// A published figure beside what the planner makes of the published inputs.
public struct PublishedCheck: Sendable {
    public let name: String
    public let published: Double
    public let computed: Double
    public let source: String

    public var deviation: Double { computed / published - 1 }

    /// Every check.
    ///
    /// - Throws: ``InputError`` where a fact that a check needs is not there.
    public static func all() throws -> [PublishedCheck] {
        func run(_ id: String) throws -> TrainingRun {
            guard let run = TrainingRun.published.first(where: { $0.id == id }) else { throw missing(id) }
            return run
        }
        func shape(_ name: String) throws -> ModelShape {
            guard let shape = ModelShape.named(name) else { throw missing(name) }
            return shape
        }
        let h800 = try ChipCatalog().chip(named: "h800-sxm")
        let h100 = try ChipCatalog().chip(named: "h100-sxm")
        let (v2, dense, v3, all, r1, llama) = try (
            run("deepseek-v2"), run("deepseek-67b"), run("deepseek-v3-pre"), run("deepseek-v3-all"), run("deepseek-r1"),
            run("llama31-405")
        )
        var plan = try TrainingPlan(shape("deepseek-v3"), tokens: 14.8e12, chip: h800)
        plan.utilization = 0.391
        let rent = h800.rent?.typical ?? .nan
        let hours = { (run: TrainingRun) in (run.hoursM ?? .nan) * 1e6 }
        let rest = hours(all) - hours(v3)
        let fleet = FleetDay.deepSeek
        guard let price = TokenPrice.published.first(where: { $0.model.contains("(R1)") && $0.kind == .list }) else {
            throw missing("R1's price")
        }
        let perTrillion = { (run: TrainingRun) in hours(run) / (run.tokensT ?? .nan) }
        let cache = try (shape("deepseek-v2").cachedValues * 6) / (shape("deepseek-67b").cachedValues * 16)
        let optimum = ScalingLaw.epoch.optimum(operations: 5.76e23)
        return [
            PublishedCheck(
                name: "V3 pre-training, H800 hours at MFU 0.391", published: hours(v3), computed: plan.hours,
                source: v3.source),
            PublishedCheck(
                name: "V3 all stages, dollars", published: (all.reportedDollarsM ?? .nan) * 1e6,
                computed: (plan.hours + rest) * rent, source: all.source),
            PublishedCheck(
                name: "V2 against 67B, share of hours saved", published: 0.425,
                computed: 1 - perTrillion(v2) / perTrillion(dense), source: v2.source),
            PublishedCheck(
                name: "V2's cache (6 bits) against 67B's, share saved", published: 0.933, computed: 1 - cache,
                source: "DeepSeek-V2 paper"),
            PublishedCheck(
                name: "R1's reinforcement learning, dollars", published: (r1.reportedDollarsM ?? .nan) * 1e6,
                computed: hours(r1) * rent, source: r1.source),
            PublishedCheck(
                name: "DeepSeek's fleet, dollars a day", published: 87_072, computed: fleet.cost,
                source: "open-infra-index, day 6"),
            PublishedCheck(
                name: "its revenue at R1's prices", published: 562_027, computed: fleet.revenue(price),
                source: "open-infra-index, day 6"),
            PublishedCheck(
                name: "Llama 3.1 405B, 6 N D", published: 3.79e25, computed: llama.operations ?? .nan,
                source: llama.source),
            PublishedCheck(
                name: "its implied MFU", published: 0.345, computed: llama.impliedUtilization(on: h100) ?? .nan,
                source: "30.84 M H100 hours"),
            PublishedCheck(
                name: "Chinchilla's budget, best size (Epoch's fit)", published: 7.225e10, computed: optimum.parameters,
                source: ScalingLaw.epoch.source),
        ]
    }

    private static func missing(_ name: String) -> InputError { InputError("no fact is called \(name)") }

    /// The checks as a table.
    ///
    /// - Throws: ``InputError`` where a fact that a check needs is not there.
    public static func report() throws -> PlanReport {
        let checks = try all()
        let worst = checks.map(\.deviation.magnitude).max() ?? 0
        return PlanReport(
            title: "Published figures, computed from their published inputs",
            headline: "\(checks.count) figures, the farthest \(Quantity.percent(worst)) off",
            tables: [
                PlanReport.Table(
                    "checks", columns: ["figure", "published", "computed", "off by"],
                    rows: checks.map {
                        [
                            $0.name, Quantity.count($0.published), Quantity.count($0.computed),
                            Quantity.fixed($0.deviation * 100, 2) + " %",
                        ]
                    })
            ], assumptions: [], warnings: [],
            figures: [
                "checks": .array(
                    checks.map {
                        [
                            "name": .string($0.name), "published": .number($0.published),
                            "computed": .number($0.computed),
                            "deviation": .number($0.deviation), "source": .string($0.source),
                        ]
                    })
            ])
    }
}
