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
            + partNotes.map { "\n" + $0 }.joined()
    }

    /// What each part brings by itself, a sentence each.
    private var partNotes: [String] {
        pairs[0].parts.indices.map { index in
            let parts = pairs.map { $0.parts[index] }
            func share(_ cost: (CostAtLoss) -> Double) -> Double? {
                let shares = zip(pairs, parts).compactMap { pair, part in
                    pair.denseCost.flatMap { dense in part.cost.map { cost($0) / cost(dense) } }
                }
                return shares.count == pairs.count ? median(shares) : nil
            }
            let name = parts[0].name == "experts-alone" ? "experts alone" : "memory alone"
            let bits = median(parts.map(\.run.bitsPerByte)).map { HumanFormat.fixed($0, 3) } ?? "–"
            guard let flops = share(\.flops), let seconds = share(\.cpuSeconds) else {
                return "\(name): the same loss is not reached; final bits per byte \(bits)"
            }
            return "\(name): \(HumanFormat.fixed(flops, 2)) of the twin's FLOPs and "
                + "\(HumanFormat.fixed(seconds, 2)) of its CPU time to the same loss; final bits per byte \(bits)"
        }
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
            "parts": .array(
                pairs.flatMap { pair in
                    pair.parts.map { part in
                        .object([
                            "name": .string(part.name), "seed": .integer(pair.seed), "run": .object(part.run.json),
                            "flops": part.cost.map { .number($0.flops) } ?? .null,
                            "cpu_seconds": part.cost.map { .number($0.cpuSeconds) } ?? .null,
                        ])
                    }
                }),
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
    ///
    /// - Parameter peers: curves of others on the same text, to be drawn beside them.
    public func report(command: String, peers: [RunCurve] = []) throws -> RunReport {
        let history = try sparse.history()
        let last = pairs[pairs.count - 1]
        let others = last.parts.map { RunCurve(name: $0.name, points: $0.run.curve.points) } + peers
        return RunReport(
            title: "Sparse against dense",
            subtitle: subtitle, figures: figures,
            runs: [history.curve(name: "sparse"), try dense.history().curve(name: "dense twin")] + others,
            comparison: .init(
                rows: rows,
                note: "Costs are those at which each model first reached the same validation loss, read off its "
                    + "evaluations. " + partNotes.map { $0 + ". " }.joined()),
            expertLoad: history.expertLoad, routingEntropy: history.routingEntropy,
            costs: CostTable(
                [(name: "sparse", cost: last.sparse.cost), (name: "dense", cost: last.dense.cost)],
                price: sparse.options.price),
            configuration: sparse.configuration.json.map { (key: $0.key, value: $0.value.text()) },
            samples: history.samples, command: command)
    }

    private var subtitle: String {
        let hasTables = sparse.configuration.model.extensions.hasTables
        let memory = hasTables ? ", experts and tables of n-grams" : " and experts"
        return "A model with latent attention\(memory), and its dense twin, trained on the same text"
    }

    /// The sparse model's last sample.
    public var sample: String? { (try? sparse.history())?.samples.last?.text }
}
