import Minke
import MinkeServing

/// A ``LoadReport`` for people.
enum LoadTable {
    static func name(_ pace: LoadPlan.Pace) -> String {
        switch pace {
        case .clients(let count): count == 1 ? "1 client" : "\(count) clients"
        case .rate(let rate, let burstiness):
            "\(HumanFormat.significant(rate, 3)) requests/s" + (burstiness == 1 ? "" : ", burstiness \(burstiness)")
        }
    }

    /// - Parameter isFirst: whether the model is named in front.
    static func text(_ report: LoadReport, isFirst: Bool) -> String {
        var lines = isFirst ? ["model \(report.model)", ""] : [""]
        lines.append(
            "\(name(report.plan.pace)): \(report.completed) completed, \(report.failed) failed in "
                + HumanFormat.duration(report.seconds))
        lines += report.failures.map { "  failed \($0.count): \($0.reason)" }
        lines.append(
            "  output \(HumanFormat.fixed(report.outputTokensPerSecond, 1)) tokens/s, "
                + "\(HumanFormat.significant(report.requestsPerSecond, 3)) requests/s")
        let objective = report.plan.objective
        lines.append(
            "  goodput \(HumanFormat.significant(report.goodput, 3)) requests/s, "
                + "\(HumanFormat.percent(report.goodShare)) of all (first token within "
                + "\(HumanFormat.duration(objective.timeToFirstToken)), then "
                + "\(HumanFormat.significant(objective.tokensPerSecond, 3)) tokens/s)")
        lines.append(
            "  prompts \(HumanFormat.grouped(report.promptTokens)) tokens"
                + (report.cachedShare.map { ", \(HumanFormat.percent($0)) from the cache" } ?? ""))
        lines.append("  " + row("", ["mean", "p50", "p90", "p99", "max"]))
        for (name, figures) in [
            ("TTFT", report.timeToFirstToken), ("ITL", report.interTokenLatency), ("TPOT", report.timePerOutputToken),
            ("E2E", report.endToEnd),
        ] {
            let values = [
                figures.mean, figures.percentile(50), figures.percentile(90), figures.percentile(99), figures.maximum,
            ]
            lines.append("  " + row(name, values.map { $0.map(HumanFormat.duration) ?? HumanFormat.missing }))
        }
        if let ratio = report.tailRatio { lines.append("  ITL p99 / p50 \(HumanFormat.fixed(ratio, 2))") }
        return lines.joined(separator: "\n")
    }

    private static func row(_ name: String, _ cells: [String]) -> String {
        func padding(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count))
        }
        return name + padding(name, 6) + cells.map { padding($0, 9) + $0 }.joined()
    }
}
