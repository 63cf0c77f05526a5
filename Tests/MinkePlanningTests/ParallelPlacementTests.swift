import MinkeFiles
import Testing

@testable import MinkePlanning

struct ParallelPlacementTests {
    /// The worked example of EPLB's README: two layers of 12 experts, 16 replicas, 4 groups, 2 nodes of 4 devices.
    @Test func `The published example comes out replica by replica`() throws {
        let loads = try ExpertLoads(
            layers: [0, 1],
            values: [
                [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
                [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
            ], origin: "EPLB's README")
        let layout = try ExpertPlacement.Layout(replicas: 16, groups: 4, nodes: 2, devices: 8)
        let plan = try PlacementPlan(loads, layout: layout)
        #expect(plan.policy == .hierarchical)
        #expect(
            plan.layers.map(\.placement.experts) == [
                [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1],
                [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1],
            ])
        // The busiest device of the first layer has expert 0 and one of two replicas of expert 1: 90 + 66.
        #expect(abs(plan.layers[0].after.devices - 156 / (1033.0 / 8)) < 1e-12)
        for layer in plan.layers { #expect(layer.after.devices < layer.before.devices) }
    }

    @Test func `Groups that nodes do not divide are placed globally`() throws {
        let loads = try ExpertLoads(zipf: 1, experts: 60, layers: 3, seed: 4)
        let global = try PlacementPlan(
            loads, layout: .init(replicas: 72, groups: 5, nodes: 4, devices: 24))
        #expect(global.policy == .global)
        for layer in global.layers {
            #expect(layer.after.devices < layer.before.devices)
            #expect(Set(layer.placement.experts).count == 60)
            #expect(layer.placement.counts.reduce(0, +) == 72)
        }
    }

    @Test func `Hierarchical placement keeps groups on one node`() throws {
        let loads = try ExpertLoads(zipf: 0.8, experts: 64, layers: 2, seed: 9)
        let plan = try PlacementPlan(loads, layout: .init(replicas: 80, groups: 8, nodes: 4, devices: 16))
        #expect(plan.policy == .hierarchical)
        for layer in plan.layers {
            var nodes: [Int: Set<Int>] = [:]
            for (replica, expert) in layer.placement.experts.enumerated() {
                nodes[expert / 8, default: []].insert(replica / 20)
            }
            #expect(nodes.count == 8 && nodes.values.allSatisfy { $0.count == 1 })
        }
    }

    @Test func `Each further replica goes to the busiest`() {
        #expect(ExpertPlacement.replicated([4, 10, 6], to: 6) == [0, 1, 2, 1, 2, 1])
        #expect(ExpertPlacement.replicated([1, 1], to: 2) == [0, 1])
    }

    @Test func `Packs have equal numbers, heaviest first into the lightest`() {
        #expect(ExpertPlacement.packed([9, 1, 8, 2, 3, 4], into: 2) == [[0, 4, 3], [2, 5, 1]])
        #expect(ExpertPlacement.packed([5, 1, 3], into: 3) == [[0], [1], [2]])
        #expect(ExpertPlacement.packed([0, 0, 0, 0], into: 2) == [[0, 1], [2, 3]])
    }

    @Test func `Without redundancy or skew nothing changes`() throws {
        let loads = try ExpertLoads(zipf: 0, experts: 32, seed: 1)
        let plan = try PlacementPlan(loads, layout: .init(replicas: 32, groups: 4, nodes: 2, devices: 8))
        #expect(plan.meanBefore == .init(devices: 1, nodes: 1))
        #expect(plan.meanAfter == .init(devices: 1, nodes: 1))
    }

    @Test func `Zipf's shares are those of the law`() throws {
        let loads = try ExpertLoads(zipf: 2, experts: 5, seed: 3).values[0].sorted(by: >)
        for (index, load) in loads.enumerated() {
            #expect(abs(load / loads[0] - 1 / Double((index + 1) * (index + 1))) < 1e-12)
        }
        #expect(try ExpertLoads(zipf: 1, experts: 8, seed: 3) == ExpertLoads(zipf: 1, experts: 8, seed: 3))
        #expect(
            try ExpertLoads(zipf: 1, experts: 8, seed: 3).values != ExpertLoads(zipf: 1, experts: 8, seed: 4).values)
    }

    private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
        let path = "/tmp/minke-loads-\(UInt64.random(in: 0 ... .max)).jsonl"
        try AtomicFile.write(text, to: path)
        defer { try? FileSystem.remove(path) }
        return try body(path)
    }

    @Test func `Recorded loads are summed over steps`() throws {
        let metrics = """
            {"step":1,"loss":2.5,"expert_load":{"2":[1,2,3,4],"1":[4,3,2,1]}}
            {"step":1,"validation_loss":2.25}

            {"step":2,"expert_load":{"1":[1,1,1,1],"2":[5,5,5,5]}}
            {"step":3,"expert_lo
            """
        try withFile(metrics) { path in
            let all = try ExpertLoads(contentsOf: path)
            #expect(all.layers == [1, 2])
            #expect(all.values == [[5, 4, 3, 2], [6, 7, 8, 9]])
            let last = try ExpertLoads(contentsOf: path, lastSteps: 1)
            #expect(last.values == [[1, 1, 1, 1], [5, 5, 5, 5]])
            let before = try ExpertLoads(contentsOf: path, skippedSteps: 1)
            #expect(before.values == [[4, 3, 2, 1], [1, 2, 3, 4]])
            #expect(throws: InputError.self) { try ExpertLoads(contentsOf: path, skippedSteps: 2) }
            #expect(throws: InputError.self) { try ExpertLoads(contentsOf: path, skippedSteps: -1) }
            #expect(throws: InputError.self) { try ExpertLoads(contentsOf: path, lastSteps: 0) }
        }
    }

    @Test func `Files without loads, or with wrong ones, are refused in one line`() throws {
        for text in [
            "", "{\"step\":1}\n", "nonsense\n", "{\"expert_load\":[1,2]}\n", "{\"expert_load\":{\"a\":[1]}}\n",
            "{\"expert_load\":{\"1\":[1,\"2\"]}}\n", "{\"expert_load\":{\"1\":[1,-2]}}\n",
            "{\"expert_load\":{\"1\":[]}}\n",
            "{\"expert_load\":{\"1\":[1,2],\"2\":[1]}}\n",
            "{\"expert_load\":{\"1\":[1]}}\n{\"expert_load\":{\"1\":[1,2]}}\n",
        ] {
            try withFile(text) { path in
                let error = #expect(throws: InputError.self) { try ExpertLoads(contentsOf: path) }
                #expect(error?.description.contains(path) == true, "\(text)")
            }
        }
        #expect(throws: InputError.self) { try ExpertLoads(contentsOf: "/nonexistent/metrics.jsonl") }
    }

    /// Placed for experts 0 and 1 being busy, two replicas of them; met by expert 3 being the busy one.
    @Test func `A placement can be measured on loads that it was not made for`() throws {
        let made = try ExpertLoads(layers: [0], values: [[8, 8, 1, 1]], origin: "made")
        let met = try ExpertLoads(layers: [0], values: [[1, 1, 1, 9]], origin: "met")
        let layout = try ExpertPlacement.Layout(replicas: 6, groups: 1, nodes: 1, devices: 2)
        let plan = try PlacementPlan(made, layout: layout, measuredOn: met)
        #expect(plan.layers[0].placement.counts == [2, 2, 1, 1])
        #expect(plan.layers[0].before.devices == 10.0 / 6)
        #expect(plan.layers[0].after.devices == 10.0 / 6)
        #expect(plan.measuredOrigin == "met")
        let other = try ExpertLoads(layers: [1], values: [[1, 1, 1, 9]], origin: "other")
        #expect(throws: InputError.self) { try PlacementPlan(made, layout: layout, measuredOn: other) }
    }

    @Test func `Layouts that do not divide are refused`() throws {
        for (replicas, groups, nodes, devices) in [
            (16, 4, 3, 8), (15, 4, 2, 8), (0, 4, 2, 8), (16, 0, 2, 8), (16, 4, 0, 8), (4, 4, 2, 8),
        ] {
            #expect(throws: InputError.self) {
                try ExpertPlacement.Layout(replicas: replicas, groups: groups, nodes: nodes, devices: devices)
            }
        }
        let layout = try ExpertPlacement.Layout(replicas: 16, groups: 4, nodes: 2, devices: 8)
        #expect(throws: InputError.self) { try ExpertPlacement(loads: Array(repeating: 1, count: 17), layout: layout) }
        #expect(throws: InputError.self) { try ExpertPlacement(loads: Array(repeating: 1, count: 10), layout: layout) }
        #expect(throws: InputError.self) { try ExpertPlacement(loads: [], layout: layout) }
        #expect(throws: InputError.self) { try ExpertLoads(zipf: .nan, experts: 4, seed: 0) }
        #expect(throws: InputError.self) { try ExpertLoads(zipf: 1, experts: .max, seed: 0) }
    }
}
