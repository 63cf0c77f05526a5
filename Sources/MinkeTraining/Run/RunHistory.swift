import MinkeFiles

/// What a run's metrics tell: curves, expert loads, samples.
struct RunHistory {
    private let lines: [JSON.Object]

    init(metrics: [JSON.Object]) { lines = metrics }

    /// Training points and evaluations in the order of steps.
    func curve(name: String) -> RunCurve {
        RunCurve(
            name: name,
            points: lines.compactMap { line in
                guard let step = line["step"]?.intValue, let tokens = line["tokens"]?.intValue else { return nil }
                return RunCurve.Point(
                    step: step, tokens: tokens, cpuSeconds: line["cpu_seconds"]?.doubleValue ?? .nan,
                    flops: line["flops"]?.doubleValue ?? .nan, trainLoss: line["loss"]?.doubleValue,
                    validationLoss: line["validation_loss"]?.doubleValue,
                    bitsPerByte: line["validation_bits_per_byte"]?.doubleValue,
                    tokensPerSecond: line["tokens_per_second"]?.doubleValue)
            })
    }

    private var routed: [(step: Int, line: JSON.Object)] {
        lines.compactMap { line in
            line["expert_load"] == nil ? nil : line["step"]?.intValue.map { ($0, line) }
        }
    }

    private var layers: [Int] {
        (routed.first?.line["expert_load"]?.objectValue?.keys ?? []).compactMap { Int($0) }.sorted()
    }

    /// Share of the tokens that each expert received, by layer.
    var expertLoad: [RunReport.ExpertLoad] {
        layers.map { layer in
            let rows = routed.compactMap { step, line -> (Int, [Double])? in
                guard let loads = line["expert_load"]?["\(layer)"]?.arrayValue?.compactMap(\.doubleValue) else {
                    return nil
                }
                let total = max(1, loads.reduce(0, +))
                return (step, loads.map { $0 / total })
            }
            return RunReport.ExpertLoad(layer: layer, steps: rows.map(\.0), fractions: rows.map(\.1))
        }
    }

    var routingEntropy: [RunReport.RoutingEntropy] {
        layers.map { layer in
            let rows = routed.compactMap { step, line in
                line["routing_entropy"]?["\(layer)"]?.doubleValue.map { (step, $0) }
            }
            return RunReport.RoutingEntropy(layer: layer, steps: rows.map(\.0), values: rows.map(\.1))
        }
    }

    var samples: [(step: Int, text: String)] {
        lines.compactMap { line in
            guard let step = line["step"]?.intValue, let text = line["sample"]?.stringValue else { return nil }
            return (step, text)
        }
    }
}

extension Trainer {
    /// The page about this run.
    func report(_ summary: RunSummary) throws -> RunReport {
        let history = RunHistory(metrics: try MetricsLog.read(path: FileSystem.join(options.out, "metrics.jsonl")))
        let model = configuration.model
        let experts =
            model.nRoutedExperts > 0
            ? "\(model.nRoutedExperts) experts, \(model.numExpertsPerTok) a token" : "dense feed-forward layers"
        let subtitle =
            "\(model.numHiddenLayers) layers, \(experts); \(HumanFormat.count(Double(summary.parametersTotal))) "
            + "parameters, \(HumanFormat.count(Double(summary.parametersActive))) active"
        return RunReport(
            title: "Training run", subtitle: subtitle, runs: [history.curve(name: summary.name)],
            expertLoad: history.expertLoad, routingEntropy: history.routingEntropy,
            costs: CostTable([(name: summary.name, cost: summary.cost)], price: options.price),
            configuration: configuration.json.map { (key: $0.key, value: $0.value.text()) },
            samples: history.samples, command: options.command,
            notes: state.skippedSteps > 0 ? ["\(state.skippedSteps) steps were skipped as not finite."] : [])
    }
}

extension RunCurve {
    /// The curve of any program that wrote lines with the keys of a run's `metrics.jsonl`: `step`, `tokens`,
    /// `cpu_seconds`, `flops`, `validation_loss`, `validation_bits_per_byte`.
    ///
    /// - Parameter source: `name=file`, or a file that gives the name.
    public init(named source: String) throws {
        let parts = source.split(separator: "=", maxSplits: 1).map(String.init)
        let path = parts.count == 2 ? parts[1] : source
        self = RunHistory(metrics: try MetricsLog.read(path: path)).curve(name: parts[0])
        guard points.contains(where: { $0.validationLoss != nil }) else {
            throw InputError("there is no validation loss in this file", at: path)
        }
    }
}
