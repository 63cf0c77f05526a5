import MinkeFiles

/// Two kinds of links: between the devices of a node, and from each device to other nodes.
///
/// Times are what bandwidth and latency allow, with all devices sending evenly and nothing in their way.
public struct ClusterNetwork: Equatable, Sendable {
    public let nodes: Int
    public let devicesPerNode: Int
    /// Bytes a second of one device to the others of its node, in one direction.
    public let intraBandwidth: Double
    /// Bytes a second of one device to other nodes, in one direction.
    public let interBandwidth: Double
    /// Seconds until a message inside a node begins to arrive.
    public let intraLatency: Double
    /// Seconds until a message to another node begins to arrive.
    public let interLatency: Double

    public var devices: Int { nodes * devicesPerNode }

    /// - Throws: ``InputError`` for counts or figures that no network has.
    public init(
        nodes: Int, devicesPerNode: Int, intraBandwidth: Double, interBandwidth: Double, intraLatency: Double = 0,
        interLatency: Double = 0
    ) throws {
        guard (1...4096).contains(nodes), (1...1024).contains(devicesPerNode) else {
            throw InputError(
                "\(nodes) nodes of \(devicesPerNode) devices",
                remedy: "give 1 to 4096 nodes of 1 to 1024 devices")
        }
        for (name, bandwidth) in [("inside a node", intraBandwidth), ("between nodes", interBandwidth)]
        where !(bandwidth > 0 && bandwidth <= 1e18) {
            throw InputError(
                "a bandwidth \(name) of \(bandwidth) bytes a second", remedy: "give more than 0, at most 10^18")
        }
        for (name, latency) in [("inside a node", intraLatency), ("between nodes", interLatency)]
        where !(latency >= 0 && latency <= 1000) {
            throw InputError("a latency \(name) of \(latency) seconds", remedy: "give 0 to 1000 seconds")
        }
        self.nodes = nodes
        self.devicesPerNode = devicesPerNode
        self.intraBandwidth = intraBandwidth
        self.interBandwidth = interBandwidth
        self.intraLatency = intraLatency
        self.interLatency = interLatency
    }

    /// Seconds for every device to send so many bytes over either link. The links work at the same time; a message
    /// that takes both pays both latencies.
    public func exchange(interBytes: Double, intraBytes: Double) -> Double {
        max(interBytes / interBandwidth, intraBytes / intraBandwidth)
            + (interBytes > 0 ? interLatency : 0) + (intraBytes > 0 ? intraLatency : 0)
    }

    /// Seconds for every device to send `bytes`, the same part to each device (one part stays).
    public func allToAll(bytes: Double) -> Double {
        let part = bytes / Double(devices)
        return exchange(
            interBytes: part * Double(devices - devicesPerNode), intraBytes: part * Double(devicesPerNode - 1))
    }

    /// Seconds to add up `bytes` of all devices and give each the sum, by one ring through all devices: each sends
    /// 2(n−1)/n of the bytes in 2(n−1) steps, at the pace of the slowest link.
    public func ringAllReduce(bytes: Double) -> Double {
        nodes > 1
            ? Self.ring(devices, bytes, interBandwidth, interLatency)
            : Self.ring(devices, bytes, intraBandwidth, intraLatency)
    }

    /// Seconds of the same sum in three parts: each node reduces so that every device holds a part of the sum, equal
    /// parts of all nodes are summed by rings between nodes, and each node gathers the parts.
    public func hierarchicalAllReduce(bytes: Double) -> Double {
        Self.ring(devicesPerNode, bytes, intraBandwidth, intraLatency)
            + Self.ring(nodes, bytes / Double(devicesPerNode), interBandwidth, interLatency)
    }

    private static func ring(_ count: Int, _ bytes: Double, _ bandwidth: Double, _ latency: Double) -> Double {
        let steps = 2 * Double(count - 1)
        return steps * (bytes / Double(count) / bandwidth + latency)
    }
}
