import MinkeFiles

extension Comparison {
    /// The comparison in words and figures.
    ///
    /// - Throws: ``InputError`` where a figure cannot be.
    public func report() throws -> PlanReport {
        try dense.validate()
        try sparse.validate()
        guard anchor.low <= anchor.middle, anchor.middle <= anchor.high, anchor.low >= 0, anchor.high <= 3 else {
            throw InputError("--leverage must be three rising exponents from 0 to 3", remedy: "write 0.5,0.65,0.8")
        }
        let outcomes = outcomes
        var headline = "loss \(Quantity.fixed(targetLoss, 4)): \(sparse.shape.name) "
        if let middle = outcomes[1].hoursRatio {
            let range = [outcomes[2], outcomes[0]].map { $0.hoursRatio.map { Quantity.significant($0, 2) } ?? "never" }
            headline +=
                "takes \(Quantity.significant(middle, 2)) × the hours of \(dense.shape.name) "
                + "(\(range.joined(separator: " to ")))"
        } else {
            headline += "does not reach it on any number of tokens at the stated anchor"
        }
        var tables = [runsTable(outcomes)]
        if let scenario { tables.append(yearTable(scenario, outcomes)) }
        var report = PlanReport(
            title: "\(sparse.shape.name) against \(dense.shape.name) at equal loss", headline: headline, tables: tables,
            assumptions: assumptions, warnings: warnings(outcomes), figures: figures(outcomes))
        report.plots = [plot]
        return report
    }

    private static let strengths = ["weak", "stated", "strong"]

    private func runsTable(_ outcomes: [Outcome]) -> PlanReport.Table {
        func row(_ name: String, _ equivalent: Double, _ plan: TrainingPlan?, _ ratio: Double?) -> [String] {
            guard let plan else { return [name, Quantity.count(equivalent), "none", "–", "–", "–", "–", "–"] }
            return [
                name, Quantity.count(equivalent), Quantity.count(plan.tokens), Quantity.scientific(plan.operations, 3),
                Quantity.count(plan.hours), plan.dollars.map(Quantity.dollars) ?? "–",
                plan.kilowattHours.map { Quantity.count($0 / 1000) } ?? "–",
                ratio.map { Quantity.significant($0, 3) } ?? "–",
            ]
        }
        return PlanReport.Table(
            "cost of loss \(Quantity.fixed(targetLoss, 4))",
            columns: ["run", "as dense", "tokens", "FLOP", "hours", "dollars", "MWh", "hours ratio"],
            rows: [
                row(
                    dense.shape.name, anchor.denseEquivalent(dense.shape, exponent: anchor.middle), dense, 1)
            ]
                + zip(Self.strengths, outcomes).map { strength, outcome in
                    row(
                        "\(sparse.shape.name), \(strength) anchor", outcome.denseEquivalent, outcome.plan,
                        outcome.hoursRatio)
                })
    }

    private func yearTable(_ scenario: Scenario, _ outcomes: [Outcome]) -> PlanReport.Table {
        func row(_ name: String, _ plan: TrainingPlan) -> [String] {
            let year = scenario.year(of: plan)
            return [
                name, Quantity.count(year.hours), year.dollars.map(Quantity.dollars) ?? "–",
                year.kilowattHours.map { Quantity.count($0 / 1000) } ?? "–",
                year.tonnesCO2.map { Quantity.count($0) } ?? "–", Quantity.count(year.devices.rounded(.up)),
            ]
        }
        return PlanReport.Table(
            "a year of \(scenario.name)", columns: ["run", "hours", "dollars", "MWh", "t CO2", "devices all year"],
            rows: [row(dense.shape.name, dense)]
                + zip(Self.strengths, outcomes).compactMap { strength, outcome in
                    outcome.plan.map { row("\(sparse.shape.name), \(strength) anchor", $0) }
                })
    }

    private var assumptions: [Assumption] {
        var list = [
            Assumption(
                "scaling law",
                "\(law.irreducible) + \(law.sizeFactor)/N^\(law.sizeExponent) + \(law.dataFactor)/D^\(law.dataExponent)",
                source: "\(law.source) [\(law.confidence.rawValue)]", option: "--law"),
            Assumption(
                "leverage of sparseness",
                "(all/active)^e, e \([anchor.low, anchor.middle, anchor.high].map { Quantity.significant($0) }.joined(separator: ", "))",
                source:
                    "stated: \(SparseAnchor.ling.source); weak: \(SparseAnchor.deepSeekMoE.source); strong: as far up "
                    + "[D: interpolated between pairs]",
                option: "--leverage"),
        ]
        for plan in [dense, sparse] {
            list += [
                Assumption(
                    "\(plan.shape.name): MFU",
                    "\(Quantity.significant(plan.utilization)) of \(plan.precision.rawValue)",
                    source: plan.utilizationSource, option: "\"mfu\""),
                Assumption(
                    "\(plan.shape.name): chip", plan.chip.name,
                    source: "\(plan.chip.source) [\(plan.chip.confidence.rawValue)]", option: "\"chip\""),
            ]
            if let price = plan.price {
                list.append(
                    Assumption(
                        "\(plan.shape.name): price", "\(Quantity.dollars(price)) an hour", source: plan.priceSource,
                        option: "\"price\""))
            }
        }
        if let scenario {
            for (name, key, value, source) in [
                (
                    "models a year", "models_per_year", Quantity.significant(scenario.modelsPerYear),
                    "one, if none is said"
                ),
                ("organisations", "organisations", Quantity.count(scenario.organisations), "one, if none is said"),
                (
                    "all hours over final runs", "development", Quantity.significant(scenario.development),
                    "OLMo 3: 82.2 % of the compute outside final runs (arXiv 2605.01158)"
                ),
                ("devices at work", "occupancy", Quantity.percent(scenario.occupancy), "a round figure"),
                (
                    "grid", "grid_kg_per_kwh", "\(Quantity.significant(scenario.gridKilograms)) kg CO2/kWh",
                    "a round figure near the world's mean [D]"
                ),
            ] {
                list.append(
                    Assumption(
                        name, value, source: scenario.given.contains(key) ? "the file of \(scenario.name)" : source,
                        option: "\"\(key)\" of --scenario"))
            }
        }
        return list
    }

    private func warnings(_ outcomes: [Outcome]) -> [String] {
        var warnings = Array(Set(dense.chip.cautions + sparse.chip.cautions)).sorted()
        for shape in [dense.shape, sparse.shape] {
            if let caution = shape.confidence.caution { warnings.append("\(shape.name): \(caution)") }
        }
        if let caution = law.confidence.caution { warnings.append("scaling law \(law.name): \(caution)") }
        if sparse.shape.experts != nil {
            warnings.append("no published law of sparse models was established: the range is two published pairs wide")
        }
        if outcomes.contains(where: { $0.plan == nil }) {
            warnings.append("where it says none, the sparse model is too small for the loss whatever it reads")
        }
        return warnings
    }

    private func figures(_ outcomes: [Outcome]) -> JSON.Object {
        func optional(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
        func run(_ plan: TrainingPlan) -> JSON.Object {
            [
                "name": .string(plan.shape.name), "tokens": .number(plan.tokens), "flops": .number(plan.operations),
                "device_hours": .number(plan.hours), "dollars": optional(plan.dollars),
                "energy_kwh": optional(plan.kilowattHours),
            ]
        }
        func year(_ plan: TrainingPlan) -> JSON {
            guard let scenario else { return .null }
            let year = scenario.year(of: plan)
            return [
                "device_hours": .number(year.hours), "dollars": optional(year.dollars),
                "energy_kwh": optional(year.kilowattHours), "tonnes_co2": optional(year.tonnesCO2),
                "devices": .number(year.devices),
            ]
        }
        var denseRun = run(dense)
        denseRun["year"] = year(dense)
        return [
            "loss": .number(targetLoss), "law": .string(law.name), "dense": .object(denseRun),
            "sparse": .array(
                zip(Self.strengths, outcomes).map { strength, outcome in
                    var json: JSON.Object = [
                        "anchor": .string(strength), "exponent": .number(outcome.exponent),
                        "dense_equivalent": .number(outcome.denseEquivalent),
                        "loss_on_same_tokens": .number(outcome.lossOnSameTokens),
                        "hours_ratio": optional(outcome.hoursRatio), "dollars_ratio": optional(outcome.dollarsRatio),
                    ]
                    json["run"] = outcome.plan.map { .object(run($0)) } ?? .null
                    json["year"] = outcome.plan.map(year) ?? .null
                    return .object(json)
                }),
            "scenario": scenario.map { .string($0.name) } ?? .null,
        ]
    }

    /// Loss against hours, as both models read more and more.
    private var plot: PlanPlot {
        func line(_ name: String, _ plan: TrainingPlan, _ exponent: Double) -> PlanPlot.Series {
            let size = anchor.denseEquivalent(plan.shape, exponent: exponent)
            return .init(
                name,
                points: stride(from: -6.0, through: 4, by: 0.25).map { power in
                    var longer = plan
                    longer.tokens =
                        dense.tokens
                        * (0..<Int(power.magnitude * 4)).reduce(1) { value, _ in
                            value * (power < 0 ? 0.840896415 : 1.189207115)
                        }
                    return (longer.hours, law.loss(parameters: size, tokens: longer.tokens))
                })
        }
        return PlanPlot(
            "Loss by device hours", x: "hours", y: "loss",
            series: [line(dense.shape.name, dense, anchor.middle)]
                + zip(Self.strengths, [anchor.low, anchor.middle, anchor.high]).map {
                    line("\(sparse.shape.name), \($0) anchor", sparse, $1)
                })
    }
}
