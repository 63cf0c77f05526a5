import MinkeFiles

extension TrainingPlan {
    /// The plan in words and figures.
    ///
    /// - Parameters:
    ///   - memory: bytes per parameter and tokens at once.
    ///   - layout: one that the user asked for, beside the usual ones.
    /// - Throws: ``InputError`` where a figure cannot be.
    public func report(memory: TrainingMemory = TrainingMemory(), layout: TrainingMemory.Layout? = nil) throws
        -> PlanReport
    {
        try validate()
        let layouts = TrainingMemory.layouts(shape, devices: count) + (layout.map { [$0] } ?? [])
        var headline =
            "\(Quantity.count(hours)) \(chip.name) hours, \(Quantity.duration(days * 86_400)) on \(Quantity.fixed(count, 0))"
        if let dollars { headline += ", \(Quantity.dollars(dollars))" }
        var report = PlanReport(
            title: "Training \(shape.name) on \(Quantity.count(tokens)) tokens", headline: headline,
            tables: [modelTable, costTable, memoryTable(memory, layouts), safetyTable],
            assumptions: assumptions(memory),
            warnings: warnings(memory, layouts), figures: figures(memory, layouts))
        report.plots = plots
        return report
    }

    private var modelTable: PlanReport.Table {
        let forward = shape.forwardOperations(length: sequence, counting: counting, predicting: predicts)
        let weights = shape.forwardOperations(length: sequence, counting: .none, predicting: predicts)
        return PlanReport.Table(
            "model",
            rows: [
                ["parameters", Quantity.count(shape.totalParameters)],
                ["multiplied per token", Quantity.count(shape.multipliedParameters)],
                ["FLOP per token", Quantity.count(operationsPerToken)],
                ["of that attention", Quantity.percent((forward - weights) / forward)],
                ["FLOP in all", Quantity.scientific(operations)],
            ])
    }

    private var costTable: PlanReport.Table {
        var rows = [
            ["achieved per device", Quantity.rate(achievedPerDevice, "FLOP/s")],
            ["device hours at the MFU", Quantity.fixed(productiveHours, 0)],
            ["device hours to pay", Quantity.fixed(hours, 0)],
            ["hours per trillion tokens", Quantity.fixed(hours(perTokens: 1e12), 0)],
            ["days on \(Quantity.fixed(count, 0))", Quantity.significant(days, 4)],
            ["tokens a day", Quantity.count(tokens / days)],
        ]
        rows.append(["dollars", dollars.map(Quantity.dollars) ?? "no price is known: give --price"])
        if let energy = kilowattHours {
            rows.append(["kWh", Quantity.fixed(energy, 0)])
            rows.append(["electricity alone", Quantity.dollars(energy * self.energy.tariff)])
        } else {
            rows.append(["kWh", "power is not known: give --tdp"])
        }
        return PlanReport.Table("cost", rows: rows)
    }

    private func memoryTable(_ memory: TrainingMemory, _ layouts: [TrainingMemory.Layout]) -> PlanReport.Table {
        PlanReport.Table(
            "memory per device",
            columns: ["layout", "states", "activations", "together", "activations recomputed", "together", "fits"],
            rows: layouts.map { layout in
                let states = memory.states(shape, layout, devices: count)
                let kept = memory.activations(shape, recomputing: false)
                let recomputed = memory.activations(shape, recomputing: true)
                let fits = chip.memoryGB.map { $0 * 1e9 }.map {
                    states + kept <= $0 ? "yes" : states + recomputed <= $0 ? "recomputing" : "no"
                }
                return [layout.name]
                    + [states, kept, states + kept, recomputed, states + recomputed].map(Quantity.bytes)
                    + [fits ?? "?"]
            })
    }

    private var safetyTable: PlanReport.Table {
        let safety = safety
        return PlanReport.Table(
            "checkpoints and failures",
            rows: [
                ["checkpoint", Quantity.bytes(checkpointBytes)],
                ["seconds to save", Quantity.significant(safety.saveSeconds)],
                ["time between failures", Quantity.duration(safety.secondsBetweenFailures)],
                ["save every (Young/Daly)", Quantity.duration(safety.interval)],
                ["goodput this leaves", Quantity.percent(safety.goodput)],
            ])
    }

    private func assumptions(_ memory: TrainingMemory) -> [Assumption] {
        var list = [
            Assumption(
                "MFU", "\(Quantity.significant(utilization)) of the \(peakText)", source: utilizationSource,
                option: "--mfu"),
            Assumption(
                "goodput", Quantity.significant(goodput),
                source:
                    "1: the MFU of paid hours has failures in it; for a steady-state MFU give 0.9 (OLMo 3: 0.77, 0.91)",
                option: "--goodput"),
            Assumption(
                "sequence", "\(Quantity.fixed(sequence, 0)), \(counting.rawValue) attention",
                source: "attention counted as 2 L s_eff H (d_qk + d_v)", option: "--sequence, --attention"),
            Assumption(
                "backward pass", recomputes ? "3 × forward (recomputed)" : "2 × forward",
                source: "no recomputation: 3 × forward in all",
                option: "--recompute"),
            Assumption(
                "chip", chip.name, source: "\(chip.source) [\(chip.confidence.rawValue)]", option: "--chip, --chips"),
            Assumption(
                "shape", shape.name, source: "\(shape.source) [\(shape.confidence.rawValue)]",
                option: "--model, --params"),
        ]
        if let price {
            list.append(
                Assumption("price", "\(Quantity.dollars(price)) an hour", source: priceSource, option: "--price"))
        }
        list += [
            Assumption("draw", "\(energy.drawOverTDP) × TDP", source: EnergyModel.source, option: "--power-share"),
            Assumption(
                "PUE", "\(energy.pue)", source: "1: the draw has the facility in it; else 1.1 to 1.5", option: "--pue"),
            Assumption("tariff", "$\(energy.tariff) per kWh", source: "a round figure", option: "--tariff"),
            Assumption(
                "failures", "one per \(Quantity.count(reliability.deviceHoursBetweenFailures)) device hours",
                source: ReliabilityModel.failureSource, option: "--device-mtbf"),
            Assumption(
                "saving", "\(Quantity.bytes(reliability.saveRatePerDevice))/s a device",
                source: ReliabilityModel.saveSource,
                option: "--save-gbs"),
            Assumption(
                "restart", Quantity.duration(reliability.restartSeconds), source: "a round figure",
                option: "--restart-minutes"),
            Assumption(
                "checkpoint", "\(Quantity.significant(reliability.checkpointBytesPerParameter)) B a parameter",
                source: "bf16 weights, float32 master weights and moments (BLOOM: 13.1)", option: "--checkpoint-bytes"),
            Assumption(
                "states",
                "\(Quantity.trimmed(Quantity.significant(memory.weight + memory.gradient + memory.optimizer, 4))) B a parameter",
                source: "weight 2, gradient \(memory.gradient), optimiser \(memory.optimizer)",
                option: "--gradient-bytes, --optimizer-bytes"),
            Assumption(
                "micro-batch", "\(Quantity.fixed(memory.tokensAtOnce, 0)) tokens",
                source: "activations in 2 bytes a value", option: "--micro-batch"),
        ]
        return list
    }

    private var peakText: String {
        guard let peak = try? chip.peak(precision) else { return "peak" }
        return "\(Quantity.rate(peak.operations, "FLOP/s")) \(peak.type) peak"
    }

    private func warnings(_ memory: TrainingMemory, _ layouts: [TrainingMemory.Layout]) -> [String] {
        var warnings = chip.cautions
        if let caution = shape.confidence.caution { warnings.append("\(shape.name): \(caution)") }
        if chip.achievable == nil {
            warnings.append(
                "how much of \(chip.name)'s peak can be reached was not measured; only MFUs above 1 are refused")
        }
        if precision == .int8 { warnings.append("no large run in int8 was published; its MFU is that of fp8") }
        if let memoryGB = chip.memoryGB,
            !layouts.contains(where: { memory.bytes(shape, $0, devices: count, recomputing: true) <= memoryGB * 1e9 })
        {
            warnings.append(
                "none of these layouts fits \(Quantity.significant(memoryGB)) GB: more devices, --pipeline, --expert-parallel or a smaller --micro-batch"
            )
        }
        return warnings
    }

    private func figures(_ memory: TrainingMemory, _ layouts: [TrainingMemory.Layout]) -> JSON.Object {
        let safety = safety
        return [
            "model": .string(shape.name), "chip": .string(chip.id), "count": .number(count), "tokens": .number(tokens),
            "precision": .string(precision.rawValue), "mfu": .number(utilization), "goodput": .number(goodput),
            "parameters": .number(shape.totalParameters), "active_parameters": .number(shape.multipliedParameters),
            "flops_per_token": .number(operationsPerToken), "flops": .number(operations),
            "achieved_flops_per_device": .number(achievedPerDevice), "productive_hours": .number(productiveHours),
            "device_hours": .number(hours), "hours_per_trillion_tokens": .number(hours(perTokens: 1e12)),
            "days": .number(days), "price_per_hour": price.map { .number($0) } ?? .null,
            "dollars": dollars.map { .number($0) } ?? .null,
            "energy_kwh": kilowattHours.map { .number($0) } ?? .null,
            "electricity_dollars": kilowattHours.map { .number($0 * energy.tariff) } ?? .null,
            "memory": .array(
                layouts.map {
                    [
                        "layout": .string($0.name),
                        "state_bytes": .number(memory.states(shape, $0, devices: count)),
                        "activation_bytes": .number(memory.activations(shape, recomputing: false)),
                        "recomputed_activation_bytes": .number(memory.activations(shape, recomputing: true)),
                        "fits": fits(memory.bytes(shape, $0, devices: count, recomputing: false)),
                        "fits_recomputing": fits(memory.bytes(shape, $0, devices: count, recomputing: true)),
                    ]
                }),
            "checkpoint_bytes": .number(checkpointBytes), "save_seconds": .number(safety.saveSeconds),
            "seconds_between_failures": .number(safety.secondsBetweenFailures),
            "checkpoint_interval_seconds": .number(safety.interval), "predicted_goodput": .number(safety.goodput),
        ]
    }

    /// Whether a device holds so many bytes; null where its memory is not known.
    private func fits(_ bytes: Double) -> JSON { chip.memoryGB.map { .bool(bytes <= $0 * 1e9) } ?? .null }

    private var plots: [PlanPlot] {
        let counts = [0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16].map { count * $0 }.filter { $0 >= 1 }
        let utilizations = stride(from: 0.1, through: chip.achievable ?? 1, by: 0.02)
        return [
            PlanPlot(
                "Days by number of devices", x: "devices", y: "days",
                series: [.init("the same device hours", points: counts.map { ($0, hours / $0 / 24) })]),
            PlanPlot(
                "Device hours by MFU", x: "MFU", y: "hours",
                series: [
                    .init(
                        "\(shape.name) on \(Quantity.count(tokens)) tokens",
                        points: utilizations.map { ($0, hours * utilization / $0) }),
                    .init("this plan", points: [(utilization, hours)]),
                ], isLogarithmicX: false),
        ]
    }
}
