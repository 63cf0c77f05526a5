import MinkeFiles
import Testing

@testable import MinkePlanning

struct ParallelTrafficTests {
    private func close(_ left: Double, _ right: Double, within tolerance: Double = 1e-9) -> Bool {
        abs(left - right) <= tolerance * max(1, abs(right))
    }

    /// V3's training layout: 256 experts on 8 nodes of 8 H800, top-8.
    private func shape() throws -> RoutingShape {
        try RoutingShape(experts: 256, expertsPerToken: 8, nodes: 8, devicesPerNode: 8)
    }

    @Test func `Unlimited routing visits as many nodes as counting says`() throws {
        let shape = try shape()
        // 8 (1 - C(224,8)/C(256,8))
        #expect(close(shape.expectedNodes, 5.294652000382479))
        let traffic = try RoutingTraffic(shape, tokens: 1500, seed: 1)
        #expect(close(traffic.nodes, shape.expectedNodes, within: 0.02))
        #expect(close(traffic.remoteNodes, traffic.nodes * 7 / 8, within: 0.02))
        // Of 64 devices with 4 experts each: 64 (1 - C(252,8)/C(256,8)); 7 of 8 copies have to be handed on.
        let devices = try RoutingShape(experts: 256, expertsPerToken: 8, nodes: 64, devicesPerNode: 1).expectedNodes
        #expect(close(traffic.devices, devices, within: 0.02))
        #expect(close(traffic.intraCopies, devices * 7 / 8, within: 0.02))
    }

    @Test func `A limit holds, and a limit of all nodes is none`() throws {
        let shape = try shape()
        let limited = try RoutingTraffic(shape, nodeLimit: 4, tokens: 400, seed: 2)
        #expect(limited.nodes <= 4 && limited.nodes > 3.5)
        #expect(limited.remoteNodes < (try RoutingTraffic(shape, tokens: 400, seed: 2)).remoteNodes)
        #expect(try RoutingTraffic(shape, nodeLimit: 1, tokens: 100, seed: 2).nodes == 1)
        let free = try RoutingTraffic(shape, tokens: 100, seed: 2)
        let all = try RoutingTraffic(shape, nodeLimit: 8, tokens: 100, seed: 2)
        #expect(all.nodes == free.nodes && all.intraCopies == free.intraCopies)
    }

    /// Six experts on three nodes, two of them chosen: by the sum of a node's two best with M = 1, by its best with 2.
    @Test func `The gate chooses nodes by their best affinities`() throws {
        let shape = try RoutingShape(experts: 6, expertsPerToken: 2, nodes: 3, devicesPerNode: 2)
        let affinities = [0.9, 0.1, 0.6, 0.5, 0.7, 0.2]
        #expect(shape.chosen(affinities, nodeLimit: 1) == [2, 3])
        #expect(shape.chosen(affinities, nodeLimit: 2) == [0, 4])
        #expect(shape.chosen([0.3, 0.3, 0.3, 0.3, 0.3, 0.3], nodeLimit: nil) == [0, 1])
        #expect((0..<6).map(shape.device) == [0, 1, 0, 1, 0, 1])
    }

    @Test func `One node sends nothing to others`() throws {
        let shape = try RoutingShape(experts: 16, expertsPerToken: 4, nodes: 1, devicesPerNode: 4)
        let traffic = try RoutingTraffic(shape, tokens: 50)
        #expect(traffic.nodes == 1 && traffic.remoteNodes == 0 && traffic.intraCopies > 0)
    }

    @Test func `Vectors have their scales`() {
        #expect(TransferFormat.fp8.bytes(7168) == 7168 + 56 * 4)
        #expect(TransferFormat.fp8.bytes(129) == 129 + 2 * 4)
        #expect(TransferFormat.bf16.bytes(7168) == 14336)
    }

    @Test func `Collectives take what bandwidth and latency allow`() throws {
        let network = try ClusterNetwork(
            nodes: 4, devicesPerNode: 8, intraBandwidth: 160e9, interBandwidth: 50e9, intraLatency: 1e-6,
            interLatency: 1e-5)
        // Each device sends 24/32 of the bytes to other nodes, and 7/32 inside its own, at the same time.
        #expect(close(network.allToAll(bytes: 3.2e9), 2.4e9 / 50e9 + 1.1e-5))
        // 62 steps of 1/32 of the bytes.
        #expect(close(network.ringAllReduce(bytes: 3.2e9), 62 * (1e8 / 50e9 + 1e-5)))
        // 2 × 7 steps of 1/8 inside, 2 × 3 of 1/4 of an eighth between nodes.
        #expect(
            close(network.hierarchicalAllReduce(bytes: 3.2e9), 14 * (4e8 / 160e9 + 1e-6) + 6 * (1e8 / 50e9 + 1e-5)))
        let single = try ClusterNetwork(nodes: 1, devicesPerNode: 1, intraBandwidth: 1e9, interBandwidth: 1e9)
        #expect(single.ringAllReduce(bytes: 1e9) == 0 && single.hierarchicalAllReduce(bytes: 1e9) == 0)
        #expect(single.allToAll(bytes: 1e9) == 0)
        let node = try ClusterNetwork(nodes: 1, devicesPerNode: 4, intraBandwidth: 1e9, interBandwidth: 1)
        #expect(node.ringAllReduce(bytes: 1e9) == node.hierarchicalAllReduce(bytes: 1e9))
    }

    @Test func `Dispatch takes the slower of the two links`() throws {
        let network = try ClusterNetwork(nodes: 8, devicesPerNode: 8, intraBandwidth: 160e9, interBandwidth: 50e9)
        let load = try TrafficPlan.Load(hiddenSize: 7168, tokensPerDevice: 4096, gradientBytes: 1e9)
        let plan = try TrafficPlan(
            experts: 256, expertsPerToken: 8, nodeLimit: 4, network: network, load: load, simulatedTokens: 300, seed: 5)
        #expect(plan.routes.map(\.traffic.nodeLimit) == [nil, 4])
        for route in plan.routes {
            let tokens = 4096.0
            #expect(close(route.dispatchInterBytes, 7392 * route.traffic.remoteNodes))
            #expect(close(route.combineIntraBytes, 14336 * route.traffic.intraCopies))
            #expect(
                close(
                    route.dispatchSeconds,
                    tokens * max(route.dispatchInterBytes / 50e9, route.dispatchIntraBytes / 160e9)))
            #expect(close(route.combineSeconds, route.dispatchSeconds * 14336 / 7392))
        }
        #expect(plan.routes[1].dispatchSeconds < plan.routes[0].dispatchSeconds)
    }

    @Test func `Networks and shapes that cannot be are refused`() throws {
        let shape = try shape()
        #expect(throws: InputError.self) { try RoutingTraffic(shape, nodeLimit: 9) }
        #expect(throws: InputError.self) { try RoutingTraffic(shape, nodeLimit: 0) }
        #expect(throws: InputError.self) { try RoutingTraffic(shape, tokens: 0) }
        #expect(throws: InputError.self) { try RoutingTraffic(shape, tokens: .max) }
        #expect(throws: InputError.self) {
            try RoutingTraffic(
                RoutingShape(experts: 16, expertsPerToken: 8, nodes: 8, devicesPerNode: 1), nodeLimit: 2)
        }
        #expect(throws: InputError.self) {
            try RoutingShape(experts: 10, expertsPerToken: 2, nodes: 4, devicesPerNode: 1)
        }
        #expect(throws: InputError.self) {
            try RoutingShape(experts: 4, expertsPerToken: 5, nodes: 1, devicesPerNode: 1)
        }
        #expect(throws: InputError.self) {
            try ClusterNetwork(nodes: 1, devicesPerNode: 8, intraBandwidth: 0, interBandwidth: 1)
        }
        #expect(throws: InputError.self) {
            try ClusterNetwork(nodes: .max, devicesPerNode: 8, intraBandwidth: 1, interBandwidth: 1)
        }
        #expect(throws: InputError.self) {
            try ClusterNetwork(nodes: 1, devicesPerNode: 8, intraBandwidth: 1, interBandwidth: 1, intraLatency: .nan)
        }
        #expect(throws: InputError.self) { try TrafficPlan.Load(hiddenSize: 0, tokensPerDevice: 1, gradientBytes: 0) }
    }
}
