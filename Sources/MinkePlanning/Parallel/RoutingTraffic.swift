import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How far tokens travel to their experts, on average over simulated tokens.
///
/// A token is sent once to each other node that has experts of it, to the device with its own number there, and handed
/// on inside the node to the devices that have them (DeepEP); results come back the same way. Affinities are the
/// sigmoid of independent normal logits, so that all experts are equally likely; the token's own device is any.
public struct RoutingTraffic: Equatable, Sendable {
    public let shape: RoutingShape
    /// M, the most nodes of a token; nil for no limit.
    public let nodeLimit: Int?
    /// Tokens simulated.
    public let tokens: Int
    /// Nodes that have experts of a token.
    public let nodes: Double
    /// Those but the token's own: copies sent between nodes.
    public let remoteNodes: Double
    /// Devices that have experts of a token.
    public let devices: Double
    /// Copies handed on inside nodes.
    public let intraCopies: Double

    /// Experts of a token on a node that it visits.
    public var expertsPerVisitedNode: Double { Double(shape.expertsPerToken) / nodes }

    /// The most chosen experts times candidates that are simulated.
    public static let maximumWork = 1 << 32

    /// Routes tokens.
    ///
    /// - Throws: ``InputError`` when the nodes of the limit have too few experts, or the simulation would take long.
    public init(_ shape: RoutingShape, nodeLimit: Int? = nil, tokens: Int = 10_000, seed: UInt64 = 0) throws {
        if let nodeLimit {
            guard (1...shape.nodes).contains(nodeLimit) else {
                throw InputError("a limit of \(nodeLimit) nodes of \(shape.nodes)", remedy: "give 1 to \(shape.nodes)")
            }
            guard nodeLimit * shape.expertsPerNode >= shape.expertsPerToken else {
                throw InputError(
                    "\(nodeLimit) nodes have \(nodeLimit * shape.expertsPerNode) experts, and a token takes "
                        + "\(shape.expertsPerToken)",
                    remedy: "raise the limit")
            }
        }
        guard (1...1_000_000).contains(tokens),
            tokens * shape.experts <= Self.maximumWork / (2 * shape.expertsPerToken)
        else {
            throw InputError(
                "\(tokens) tokens over \(shape.experts) experts cannot be simulated",
                remedy: "give 1 to 1000000 tokens, and fewer for many experts")
        }
        var random = PlanRandom(seed: seed)
        var affinities = [Double](repeating: 0, count: shape.experts)
        var sums = (nodes: 0, remote: 0, devices: 0, intra: 0)
        for _ in 0..<tokens {
            for expert in affinities.indices { affinities[expert] = 1 / (1 + exp(-random.normal())) }
            let home = random.integer(below: shape.nodes)
            let own = random.integer(below: shape.devicesPerNode)
            let experts = shape.chosen(affinities, nodeLimit: nodeLimit)
            let nodes = Set(experts.map { $0 / shape.expertsPerNode })
            let devices = Set(
                experts.map { $0 / shape.expertsPerNode * shape.devicesPerNode + shape.device(of: $0) })
            sums.nodes += nodes.count
            sums.remote += nodes.count { $0 != home }
            sums.devices += devices.count
            sums.intra += devices.count { $0 % shape.devicesPerNode != own }
        }
        self.shape = shape
        self.nodeLimit = nodeLimit
        self.tokens = tokens
        nodes = Double(sums.nodes) / Double(tokens)
        remoteNodes = Double(sums.remote) / Double(tokens)
        devices = Double(sums.devices) / Double(tokens)
        intraCopies = Double(sums.intra) / Double(tokens)
    }

    /// Seconds for every device to send the vectors of `tokensPerDevice` tokens to their experts, or to get them back.
    public func seconds(on network: ClusterNetwork, tokensPerDevice: Int, vectorBytes: Double) -> Double {
        let bytes = Double(tokensPerDevice) * vectorBytes
        return network.exchange(interBytes: bytes * remoteNodes, intraBytes: bytes * intraCopies)
    }
}
