import Minke
import MinkePlanning

/// A number to a thousandth, without zeros at its end.
private func plain(_ value: Double) -> String {
    let text = HumanFormat.fixed(value, 3)
    guard text.contains(".") else { return text }
    let digits = text.reversed().drop { $0 == "0" }
    return String((digits.first == "." ? digits.dropFirst() : digits).reversed())
}

extension PlanReport.Table {
    /// The heading and the rows.
    fileprivate var lines: [[String]] { [columns] + rows }
}

extension PipelinePlan {
    /// Schedules under each other, then where their formulas do not hold.
    static func text(_ plans: [PipelinePlan]) -> String {
        guard let first = plans.first else { return "pipeline: no schedule" }
        let costs = first.costs
        var lines = [
            "pipeline: \(first.ranks) ranks, \(first.microBatches) micro-batches",
            "assumed: F \(plain(costs.forward)) (--forward), B-W \(plain(costs.inputGradient)) (--input-gradient), "
                + "W \(plain(costs.weightGradient)) (--weight-gradient), F&B \(plain(costs.overlapped)) (--overlapped), "
                + "transfer \(plain(costs.transfer)) (--transfer)",
            "",
        ]
        lines.append(ModelSummary.table(table(plans).lines))
        for plan in plans {
            if let caveat = plan.caveat { lines.append("\(plan.schedule.title): \(caveat)") }
        }
        return lines.joined(separator: "\n")
    }

    /// A row for each schedule.
    static func table(_ plans: [PipelinePlan]) -> PlanReport.Table {
        let heading = [
            "schedule", "time", "idle", "bubble", "published", "formula", "activations", "published", "parameters",
        ]
        let rows = plans.map { plan in
            let name = plan.chunksPerRank > 1 ? "\(plan.schedule.title), V=\(plan.chunksPerRank)" : plan.schedule.title
            return [
                name, plain(plan.timeline.duration), HumanFormat.percent(plan.idleShare), plan.bubbleText,
                plain(plan.publishedBubble), plan.schedule.bubbleFormula, plain(plan.peakActivations),
                plan.schedule.publishedActivations(ranks: plan.ranks, microBatches: plan.microBatches)
                    .map { "\($0)" } ?? HumanFormat.missing,
                "\(plan.schedule.parameterCopies)x",
            ]
        }
        return PlanReport.Table(
            "pipeline: \(plans.first?.ranks ?? 0) ranks, \(plans.first?.microBatches ?? 0) micro-batches",
            columns: heading, rows: rows)
    }

    private var bubbleText: String {
        let (least, most) = (plain(bubbleRange.lowerBound), plain(bubbleRange.upperBound))
        return least == most ? least : "\(least) to \(most)"
    }

    /// What all plans share, then each.
    static func json(_ plans: [PipelinePlan]) -> JSON {
        guard let costs = plans.first?.costs else { return .array([]) }
        return [
            "costs": [
                "forward": .number(costs.forward), "input_gradient": .number(costs.inputGradient),
                "weight_gradient": .number(costs.weightGradient), "overlapped": .number(costs.overlapped),
                "transfer": .number(costs.transfer),
            ],
            "schedules": .array(plans.map(\.json)),
        ]
    }
}

extension PlacementPlan {
    /// Layers that are listed; JSON has all.
    private static let listed = 16

    /// Busiest over mean, before and after, layer by layer.
    var text: String {
        var lines = [
            "\(table.title), \(policy.rawValue)", assumed, measured, "", "busiest over mean",
            ModelSummary.table(table.lines),
        ]
        if layers.count > Self.listed { lines.append("\(layers.count - Self.listed) more layers are in --json") }
        return lines.joined(separator: "\n")
    }

    var assumed: String { "assumed: loads of \(origin) (--loads, --zipf); replicas share an expert's tokens evenly" }

    var measured: String {
        "measured: " + (measuredOrigin.map { "on \($0)" } ?? "on the same loads, as if they were known beforehand")
    }

    var table: PlanReport.Table {
        var rows = layers.prefix(Self.listed).map { layer in
            ["\(layer.layer)", Self.ratio(layer.experts)] + Self.cells(layer.before, layer.after)
        }
        if layers.count > 1 {
            let experts = layers.reduce(0) { $0 + $1.experts } / Double(layers.count)
            rows.append(["mean of \(layers.count)", Self.ratio(experts)] + Self.cells(meanBefore, meanAfter))
        }
        let heading = ["layer", "experts", "devices before", "after", "nodes before", "after"]
        return PlanReport.Table(
            "placement: \(expertCount) experts in \(layout.groups) groups (--groups), \(layout.replicas) replicas "
                + "(--replicas) on \(layout.devices) devices of \(layout.nodes) nodes", columns: heading, rows: rows)
    }

    private static func cells(_ before: Imbalance, _ after: Imbalance) -> [String] {
        [before.devices, after.devices, before.nodes, after.nodes].map(ratio)
    }

    private static func ratio(_ value: Double) -> String { HumanFormat.fixed(value, 3) }
}

extension TrafficPlan {
    /// Routing with and without the limit.
    var table: PlanReport.Table {
        let heading = [
            "a token", "nodes", "other nodes", "experts a node", "copies inside", "B out", "B back",
            "B out inside", "B back inside", "dispatch", "combine",
        ]
        let rows = routes.map { route in
            let traffic = route.traffic
            return [
                traffic.nodeLimit.map { "at most \($0) nodes" } ?? "no limit", HumanFormat.fixed(traffic.nodes, 3),
                HumanFormat.fixed(traffic.remoteNodes, 3), HumanFormat.fixed(traffic.expertsPerVisitedNode, 2),
                HumanFormat.fixed(traffic.intraCopies, 3), Self.whole(route.dispatchInterBytes),
                Self.whole(route.combineInterBytes), Self.whole(route.dispatchIntraBytes),
                Self.whole(route.combineIntraBytes), Self.time(route.dispatchSeconds), Self.time(route.combineSeconds),
            ]
        }
        let shape = routes[0].traffic.shape
        return PlanReport.Table(
            "traffic: \(shape.expertsPerToken) of \(shape.experts) experts (--top-k), \(network.nodes) nodes of "
                + "\(network.devicesPerNode) devices, \(HumanFormat.grouped(load.tokensPerDevice)) tokens a device "
                + "(--tokens)", columns: heading, rows: rows)
    }

    /// The network and what is sent over it.
    var assumed: [String] {
        [
            "assumed: \(Self.rate(network.intraBandwidth)) inside and \(Self.rate(network.interBandwidth)) between nodes "
                + "(--intra-bandwidth, --inter-bandwidth; defaults: H800, DeepSeek-V3 report, 2024-12),",
            "  latency \(Self.time(network.intraLatency)) and \(Self.time(network.interLatency)) (--intra-latency, "
                + "--inter-latency), width \(load.hiddenSize) (--hidden), \(load.dispatch.rawValue) out, "
                + "\(load.combine.rawValue) back,",
            "  all experts equally likely, \(HumanFormat.grouped(routes[0].traffic.tokens)) tokens simulated "
                + "(--simulated-tokens, --seed)",
        ]
    }

    /// What is not of one way of routing.
    var collectives: PlanReport.Table {
        PlanReport.Table(
            "collectives",
            rows: [
                [
                    "nodes of a token without limit, any experts equally likely",
                    "\(HumanFormat.fixed(routes[0].traffic.shape.expectedNodes, 3)) by counting",
                ],
                ["all-to-all of the dispatched bytes, once each and evenly", Self.time(allToAllSeconds)],
                [
                    "all-reduce of \(plain(load.gradientBytes / 1e9)) GB (--gradients), one ring",
                    Self.time(ringSeconds),
                ],
                ["the same by nodes", Self.time(hierarchicalSeconds)],
            ])
    }

    /// Routing with and without the limit, then the collectives.
    var text: String {
        ([table.title] + assumed + ["", ModelSummary.table(table.lines), ""]
            + collectives.rows.map { "\($0[0]): \($0[1])" }).joined(separator: "\n")
    }

    private static func whole(_ value: Double) -> String { HumanFormat.grouped(Int(value.rounded())) }

    private static func rate(_ bytesPerSecond: Double) -> String {
        "\(plain(bytesPerSecond / 1e9)) GB/s"
    }

    private static func time(_ seconds: Double) -> String {
        seconds < 1e-3
            ? "\(HumanFormat.significant(seconds * 1e6, 3)) µs" : "\(HumanFormat.significant(seconds * 1e3, 4)) ms"
    }
}
