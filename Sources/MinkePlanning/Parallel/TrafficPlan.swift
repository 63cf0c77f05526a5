import MinkeFiles

/// What routing sends over a network, with a limit of nodes and without, and how long that and summing up take.
public struct TrafficPlan: Equatable, Sendable {
    /// What is sent, beside who chooses it.
    public struct Load: Equatable, Sendable {
        public var hiddenSize: Int
        /// How a token goes to its experts.
        public var dispatch: TransferFormat
        /// How their results come back.
        public var combine: TransferFormat
        /// Tokens that each device routes at once.
        public var tokensPerDevice: Int
        /// Bytes of gradients that each device has to sum up with the others.
        public var gradientBytes: Double

        /// - Throws: ``InputError`` for sizes that are not positive or out of bounds.
        public init(
            hiddenSize: Int, dispatch: TransferFormat = .fp8, combine: TransferFormat = .bf16, tokensPerDevice: Int,
            gradientBytes: Double
        ) throws {
            guard (1...1_000_000).contains(hiddenSize), (1...1_000_000_000).contains(tokensPerDevice) else {
                throw InputError(
                    "\(tokensPerDevice) tokens a device of \(hiddenSize) values",
                    remedy: "give 1 to 10^9 tokens of 1 to 10^6 values")
            }
            guard gradientBytes >= 0, gradientBytes <= 1e18 else {
                throw InputError("\(gradientBytes) bytes of gradients", remedy: "give 0 to 10^18")
            }
            self.hiddenSize = hiddenSize
            self.dispatch = dispatch
            self.combine = combine
            self.tokensPerDevice = tokensPerDevice
            self.gradientBytes = gradientBytes
        }
    }

    /// Bytes and times of one way of routing.
    public struct Route: Equatable, Sendable {
        public var traffic: RoutingTraffic
        /// Bytes a token between nodes, to the experts and back.
        public var dispatchInterBytes: Double
        public var combineInterBytes: Double
        /// Bytes a token inside nodes, to the experts and back.
        public var dispatchIntraBytes: Double
        public var combineIntraBytes: Double
        /// Seconds of a layer.
        public var dispatchSeconds: Double
        public var combineSeconds: Double
    }

    public let network: ClusterNetwork
    public let load: Load
    /// Without a limit first, then with it, where one was given.
    public let routes: [Route]
    public let ringSeconds: Double
    public let hierarchicalSeconds: Double
    /// Seconds of an all-to-all in which every device sends the dispatched bytes of its tokens once, evenly.
    public let allToAllSeconds: Double

    /// Simulates both ways with the same tokens.
    public init(
        experts: Int, expertsPerToken: Int, nodeLimit: Int?, network: ClusterNetwork, load: Load,
        simulatedTokens: Int = 10_000, seed: UInt64 = 0
    ) throws {
        let shape = try RoutingShape(
            experts: experts, expertsPerToken: expertsPerToken, nodes: network.nodes,
            devicesPerNode: network.devicesPerNode)
        self.network = network
        self.load = load
        let dispatch = load.dispatch.bytes(load.hiddenSize)
        let combine = load.combine.bytes(load.hiddenSize)
        routes = try ([nil] + (nodeLimit.map { [$0] } ?? [])).map { limit in
            let traffic = try RoutingTraffic(shape, nodeLimit: limit, tokens: simulatedTokens, seed: seed)
            func seconds(_ bytes: Double) -> Double {
                traffic.seconds(on: network, tokensPerDevice: load.tokensPerDevice, vectorBytes: bytes)
            }
            return Route(
                traffic: traffic, dispatchInterBytes: dispatch * traffic.remoteNodes,
                combineInterBytes: combine * traffic.remoteNodes, dispatchIntraBytes: dispatch * traffic.intraCopies,
                combineIntraBytes: combine * traffic.intraCopies, dispatchSeconds: seconds(dispatch),
                combineSeconds: seconds(combine))
        }
        ringSeconds = network.ringAllReduce(bytes: load.gradientBytes)
        hierarchicalSeconds = network.hierarchicalAllReduce(bytes: load.gradientBytes)
        allToAllSeconds = network.allToAll(bytes: dispatch * Double(load.tokensPerDevice))
    }

    /// The plan as JSON, in bytes and seconds.
    public var json: JSON {
        [
            "network": [
                "nodes": .integer(network.nodes), "devices_per_node": .integer(network.devicesPerNode),
                "intra_bytes_per_second": .number(network.intraBandwidth),
                "inter_bytes_per_second": .number(network.interBandwidth),
                "intra_latency_seconds": .number(network.intraLatency),
                "inter_latency_seconds": .number(network.interLatency),
            ],
            "hidden_size": .integer(load.hiddenSize), "dispatch": .string(load.dispatch.rawValue),
            "combine": .string(load.combine.rawValue), "tokens_per_device": .integer(load.tokensPerDevice),
            "routing": .array(routes.map(\.json)),
            "all_to_all_seconds": .number(allToAllSeconds),
            "all_reduce": [
                "bytes": .number(load.gradientBytes), "ring_seconds": .number(ringSeconds),
                "hierarchical_seconds": .number(hierarchicalSeconds),
            ],
        ]
    }
}

extension TrafficPlan.Route {
    fileprivate var json: JSON {
        let shape = traffic.shape
        return [
            "node_limit": traffic.nodeLimit.map { .integer($0) } ?? .null, "experts": .integer(shape.experts),
            "experts_per_token": .integer(shape.expertsPerToken), "simulated_tokens": .integer(traffic.tokens),
            "nodes": .number(traffic.nodes), "remote_nodes": .number(traffic.remoteNodes),
            "expected_nodes": traffic.nodeLimit == nil ? .number(shape.expectedNodes) : .null,
            "experts_per_visited_node": .number(traffic.expertsPerVisitedNode), "devices": .number(traffic.devices),
            "intra_copies": .number(traffic.intraCopies), "dispatch_inter_bytes": .number(dispatchInterBytes),
            "combine_inter_bytes": .number(combineInterBytes), "dispatch_intra_bytes": .number(dispatchIntraBytes),
            "combine_intra_bytes": .number(combineIntraBytes), "dispatch_seconds": .number(dispatchSeconds),
            "combine_seconds": .number(combineSeconds),
        ]
    }
}
