import MinkeFiles
import MinkeModel

extension Comparison {
    /// One line of the comparison: what was counted, both models, and what the sparse one saved.
    struct Line {
        let metric: String
        let key: String
        let sparse: [Double]
        let dense: [Double]
        let format: (Double) -> String
        /// Whether "saved" means anything: less is better.
        var isCost = true
    }

    var lines: [Line] {
        let reached = pairs.compactMap { pair in pair.sparseCost.flatMap { s in pair.denseCost.map { (s, $0) } } }
        func atLoss(
            _ metric: String, _ key: String, _ value: (CostAtLoss) -> Double, _ format: @escaping (Double) -> String
        ) -> Line {
            Line(
                metric: metric, key: key, sparse: reached.map { value($0.0) }, dense: reached.map { value($0.1) },
                format: format)
        }
        func fixed(
            _ metric: String, _ key: String, _ value: (ModelCosts) -> Int, _ format: @escaping (Double) -> String,
            isCost: Bool = true
        ) -> Line {
            Line(
                metric: metric, key: key, sparse: [Double(value(sparseCosts))], dense: [Double(value(denseCosts))],
                format: format, isCost: isCost)
        }
        return [
            atLoss("FLOPs to the same loss", "flops", \.flops, HumanFormat.flops),
            atLoss("CPU time to the same loss", "cpu_seconds", \.cpuSeconds) { HumanFormat.significant($0, 3) + " s" },
            atLoss("tokens to the same loss", "tokens", \.tokens, HumanFormat.count),
            atLoss("energy (\(joulesSource))", "joules", \.joules, HumanFormat.joules),
            atLoss("cost", "dollars", \.dollars, HumanFormat.dollars),
            Line(
                metric: "final validation loss", key: "validation_loss", sparse: pairs.map(\.sparse.validationLoss),
                dense: pairs.map(\.dense.validationLoss), format: { HumanFormat.fixed($0, 4) }, isCost: false),
            Line(
                metric: "final bits per byte", key: "bits_per_byte", sparse: pairs.map(\.sparse.bitsPerByte),
                dense: pairs.map(\.dense.bitsPerByte), format: { HumanFormat.fixed($0, 3) }, isCost: false),
            fixed("KV cache per token (bf16)", "kv_bytes_per_token", { $0.cachedValuesPerToken * 2 }) {
                HumanFormat.bytes(Int($0))
            },
            fixed("active parameters", "parameters_active", \.activeParameters, HumanFormat.count),
            fixed("all parameters", "parameters_total", \.totalParameters, HumanFormat.count, isCost: false),
        ]
    }

    /// The ratio dense / sparse of each seed, for a cost.
    static func ratios(_ line: Line) -> [Double] { zip(line.dense, line.sparse).map { $0 / $1 } }

    /// "1.42× less" or "1.20× more", with the range over seeds where there are several.
    private func saved(_ line: Line) -> String {
        guard line.isCost, let ratio = median(Self.ratios(line)) else { return "" }
        let ratios = Self.ratios(line).map { ratio >= 1 ? $0 : 1 / $0 }
        let spread =
            ratios.count > 1
            ? " (\(HumanFormat.fixed(ratios.min() ?? 0, 2))–\(HumanFormat.fixed(ratios.max() ?? 0, 2)))" : ""
        return "\(HumanFormat.fixed(ratio >= 1 ? ratio : 1 / ratio, 2))×\(spread) \(ratio >= 1 ? "less" : "more")"
    }

    private func median(_ values: [Double]) -> Double? {
        let sorted = values.filter(\.isFinite).sorted()
        if sorted.isEmpty { return nil }
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }

    private func text(_ values: [Double], _ format: (Double) -> String) -> String {
        median(values).map(format) ?? "not reached"
    }

    /// Rows for the report and the terminal.
    var rows: [RunReport.Comparison.Row] {
        lines.map {
            .init(
                metric: $0.metric, dense: text($0.dense, $0.format), sparse: text($0.sparse, $0.format),
                saved: saved($0))
        }
    }

    /// The table for a terminal.
    public var table: String {
        let header = ["", "dense twin", "sparse", "sparse needs"]
        let cells = [header] + rows.map { [$0.metric, $0.dense, $0.sparse, $0.saved] }
        let widths = (0..<4).map { column in cells.map { $0[column].count }.max() ?? 0 }
        let loss = median(pairs.map(\.commonLoss)).map { HumanFormat.fixed($0, 4) } ?? "–"
        let title =
            "same validation loss: \(loss) nats per token" + (pairs.count > 1 ? ", median of \(pairs.count) seeds" : "")
        return title + "\n"
            + cells.map { row in
                zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "   ")
            }.joined(separator: "\n")
    }

    /// What `--json` prints.
    public var json: JSON.Object {
        var savings = JSON.Object()
        for line in lines where line.isCost {
            let ratios = Self.ratios(line)
            guard let ratio = median(ratios) else { continue }
            savings[line.key] = [
                "ratio_dense_to_sparse": .number(ratio), "minimum": .number(ratios.min() ?? ratio),
                "maximum": .number(ratios.max() ?? ratio), "sparse": .number(median(line.sparse) ?? .nan),
                "dense": .number(median(line.dense) ?? .nan),
            ]
        }
        return [
            "seeds": .array(pairs.map { .integer($0.seed) }),
            "common_loss": .array(pairs.map { .number($0.commonLoss) }),
            "models": .object([
                "sparse": .array(pairs.map { .object($0.sparse.json) }),
                "dense": .array(pairs.map { .object($0.dense.json) }),
            ]),
            "savings": .object(savings),
        ]
    }

    /// The headline of the report: what both reached, and where they differ most.
    private var figures: [RunReport.Figure] {
        let loss = median(pairs.map(\.commonLoss)).map { HumanFormat.fixed($0, 3) } ?? "–"
        let costs = lines.filter { ["flops", "cpu_seconds", "kv_bytes_per_token"].contains($0.key) }
        return [RunReport.Figure("validation loss that both reached", loss, note: "nats per token")]
            + costs.map { line in
                RunReport.Figure(
                    "\(line.metric): sparse needs", saved(line),
                    note: "\(text(line.dense, line.format)) → \(text(line.sparse, line.format))")
            }
    }

    /// The page about both models.
    public func report(command: String) throws -> RunReport {
        let history = { (trainer: Trainer) in
            RunHistory(metrics: try MetricsLog.read(path: FileSystem.join(trainer.options.out, "metrics.jsonl")))
        }
        let sparse = try history(reports.sparse)
        let dense = try history(reports.dense)
        let last = pairs[pairs.count - 1]
        let samples = sparse.samples
        return RunReport(
            title: "Sparse against dense",
            subtitle: "A model with latent attention and experts, and its dense twin, trained on the same text",
            figures: figures, runs: [sparse.curve(name: "sparse"), dense.curve(name: "dense")],
            comparison: .init(
                rows: rows,
                note: "Costs are those at which each model first reached the same validation loss, read off its "
                    + "evaluations."),
            expertLoad: sparse.expertLoad, routingEntropy: sparse.routingEntropy,
            costs: CostTable(
                [(name: "sparse", cost: last.sparse.cost), (name: "dense", cost: last.dense.cost)],
                price: reports.sparse.options.price),
            configuration: reports.sparse.configuration.json.map { (key: $0.key, value: $0.value.text()) },
            samples: samples, command: command)
    }

    /// The sparse model's last sample.
    public var sample: String? {
        (try? MetricsLog.read(path: FileSystem.join(reports.sparse.options.out, "metrics.jsonl")))
            .flatMap { RunHistory(metrics: $0).samples.last?.text }
    }
}
