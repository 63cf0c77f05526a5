import MinkeFiles

/// What placing experts by their loads changes, layer by layer: how busy the busiest device and node are.
public struct PlacementPlan: Equatable, Sendable {
    /// How uneven work is: the busiest part over the mean, 1 when all are alike.
    public struct Imbalance: Equatable, Sendable {
        public var devices: Double
        public var nodes: Double

        public var json: JSON { ["devices": .number(devices), "nodes": .number(nodes)] }
    }

    public struct Layer: Equatable, Sendable {
        public var layer: Int
        /// The busiest expert over the mean expert.
        public var experts: Double
        /// One replica of each expert, in order.
        public var before: Imbalance
        /// Placed by the rule.
        public var after: Imbalance
        public var placement: ExpertPlacement
    }

    public let layout: ExpertPlacement.Layout
    /// Where the loads are from that experts were placed by.
    public let origin: String
    /// Where the loads are from that the placement was measured on, when others.
    public let measuredOrigin: String?
    public let expertCount: Int
    public let layers: [Layer]

    /// Places every layer.
    ///
    /// - Parameters:
    ///   - loads: what the placement is made for.
    ///   - measured: what it then meets; nil where that is the same, which no placement made beforehand has.
    /// - Throws: ``InputError`` for a layout that does not fit the experts (``ExpertPlacement``), or other layers or
    ///   experts in `measured`.
    public init(_ loads: ExpertLoads, layout: ExpertPlacement.Layout, measuredOn measured: ExpertLoads? = nil) throws {
        let met = measured ?? loads
        guard met.layers == loads.layers, met.expertCount == loads.expertCount else {
            throw InputError(
                "experts are placed for \(loads.layers.count) layers of \(loads.expertCount), and measured on "
                    + "\(met.layers.count) of \(met.expertCount)")
        }
        // Giving one replica more looks at all experts of a node.
        let work = loads.layers.count.multipliedReportingOverflow(by: loads.expertCount * layout.replicas)
        guard !work.overflow, work.partialValue <= 1 << 30 else {
            throw InputError(
                "\(loads.layers.count) layers of \(layout.replicas) replicas of \(loads.expertCount) experts are too many"
            )
        }
        self.layout = layout
        origin = loads.origin
        expertCount = loads.expertCount
        measuredOrigin = measured?.origin
        layers = try loads.layers.indices.map { index in
            let placement = try ExpertPlacement(loads: loads.values[index], layout: layout)
            let values = met.values[index]
            var before = [Double](repeating: 0, count: layout.devices)
            for (expert, load) in values.enumerated() { before[expert * layout.devices / values.count] += load }
            var after = [Double](repeating: 0, count: layout.devices)
            let room = layout.replicas / layout.devices
            for (replica, expert) in placement.experts.enumerated() {
                after[replica / room] += values[expert] / Double(placement.counts[expert])
            }
            return Layer(
                layer: loads.layers[index], experts: Self.imbalance(values),
                before: Self.imbalance(before, nodes: layout.nodes),
                after: Self.imbalance(after, nodes: layout.nodes), placement: placement)
        }
    }

    public var policy: ExpertPlacement.Policy { layers[0].placement.policy }

    /// Means over the layers.
    public var meanBefore: Imbalance { Self.mean(layers.map(\.before)) }
    public var meanAfter: Imbalance { Self.mean(layers.map(\.after)) }

    private static func mean(_ list: [Imbalance]) -> Imbalance {
        Imbalance(
            devices: list.reduce(0) { $0 + $1.devices } / Double(list.count),
            nodes: list.reduce(0) { $0 + $1.nodes } / Double(list.count))
    }

    private static func imbalance(_ devices: [Double], nodes: Int) -> Imbalance {
        let size = devices.count / nodes
        let sums = (0..<nodes).map { devices[$0 * size..<($0 + 1) * size].reduce(0, +) }
        return Imbalance(devices: imbalance(devices), nodes: imbalance(sums))
    }

    /// The greatest over the mean; 1 where there is no load at all.
    private static func imbalance(_ loads: [Double]) -> Double {
        let total = loads.reduce(0, +)
        return total > 0 ? (loads.max() ?? 0) * Double(loads.count) / total : 1
    }

    /// The plan as JSON: the experts of every device, in order, and what changed.
    public var json: JSON {
        [
            "origin": .string(origin), "measured_on": .string(measuredOrigin ?? origin),
            "policy": .string(policy.rawValue), "experts": .integer(expertCount),
            "replicas": .integer(layout.replicas), "groups": .integer(layout.groups), "nodes": .integer(layout.nodes),
            "devices": .integer(layout.devices), "mean_before": meanBefore.json, "mean_after": meanAfter.json,
            "layers": .array(
                layers.map { layer in
                    [
                        "layer": .integer(layer.layer), "expert_imbalance": .number(layer.experts),
                        "before": layer.before.json, "after": layer.after.json,
                        "experts_of_replicas": .array(layer.placement.experts.map { .integer($0) }),
                        "replicas_of_experts": .array(layer.placement.counts.map { .integer($0) }),
                    ]
                }),
        ]
    }
}
