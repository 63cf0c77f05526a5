import ArgumentParser
import Minke
import MinkeConsole
import MinkeFiles
import MinkePlanning

/// `minke plan parallel`
struct PlanParallelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parallel",
        abstract: "Simulate pipeline schedules, expert placement and routing traffic on a cluster.",
        discussion: """
            Three parts, any of them alone with --only:

            pipeline: schedules simulated event by event, beside their published bubbles. Times are in any one unit.
            placement: experts replicated and packed on devices by EPLB's rule, by recorded or synthetic loads.
            traffic: what routing limited to a few nodes sends, and what all-to-all and all-reduce take.

            The defaults are those of DeepSeek-V3's training on H800, where it has them.

              minke plan parallel --svg timeline.svg
              minke plan parallel --only pipeline --ranks 16 --micro-batches 64 --overlapped 2.4
              minke plan parallel --only placement --loads runs/whale/metrics.jsonl --nodes 1 --replicas 24
              minke plan parallel --only traffic --node-limit 3 --inter-bandwidth 25 --json

            Each figure that is assumed is printed with the option that changes it; --help-hidden lists them all.
            """)

    /// A part of the plan.
    enum Part: String, CaseIterable, ExpressibleByArgument {
        case pipeline, placement, traffic
    }

    @Option(parsing: .upToNextOption, help: "Only these parts.")
    var only: [Part] = []

    @OptionGroup(title: "Pipeline") var pipeline: PipelineArguments
    @OptionGroup(title: "Experts") var experts: ExpertArguments
    @OptionGroup(title: "Network") var network: NetworkArguments

    @Option(help: ArgumentHelp("Seed of synthetic loads and of routing.", visibility: .hidden))
    var seed = 0

    @OptionGroup(title: "Output") var output: PlanOutput

    func validate() throws {
        if seed < 0 { throw ValidationError("--seed must not be negative") }
        if pipeline.svg != nil, !includes(.pipeline) {
            throw ValidationError("--svg draws the pipeline: --only leaves it out")
        }
    }

    private func includes(_ part: Part) -> Bool { only.isEmpty || only.contains(part) }

    func run() throws {
        let seed = UInt64(seed)
        var object: JSON.Object = ["seed": .integer(self.seed)]
        var sections: [String] = []
        var page = PlanReport(
            title: "Parallel training", headline: "", tables: [], assumptions: [], warnings: [], figures: [:])
        if includes(.pipeline) {
            let plans = try pipeline.plans()
            let drawn = pipeline.svg != nil || output.html != nil
            let drawing = try drawn ? PipelineDrawing(plans).svg() : ""
            if let path = pipeline.svg { try AtomicFile.write(drawing, to: path) }
            object["pipeline"] = PipelinePlan.json(plans)
            sections.append(PipelinePlan.text(plans))
            page.tables.append(PipelinePlan.table(plans))
            page.drawings.append(drawing)
            page.warnings += plans.compactMap { plan in plan.caveat.map { "\(plan.schedule.title): \($0)" } }
        }
        if includes(.placement) || includes(.traffic) {
            let cluster = try network.cluster()
            let loads = try experts.loads(seed: seed)
            if includes(.placement) {
                let plan = try PlacementPlan(
                    loads, layout: experts.layout(loads, cluster: cluster), measuredOn: experts.testLoads())
                object["placement"] = plan.json
                sections.append(plan.text)
                page.tables.append(plan.table)
                page.notes += [plan.assumed, plan.measured]
            }
            if includes(.traffic) {
                let plan = try experts.traffic(loads, cluster: cluster, load: network.load(), seed: seed)
                object["traffic"] = plan.json
                sections.append(plan.text)
                page.tables += [plan.table, plan.collectives]
                page.notes.append(plan.assumed.joined(separator: " "))
            }
        }
        if let html = output.html { try AtomicFile.write(page.html(), to: html) }
        try Console.line(output.json ? JSON.object(object).text() : sections.joined(separator: "\n\n"))
        if let path = pipeline.svg { Console.report("timeline: \(path)") }
    }
}

extension PipelineSchedule: ExpressibleByArgument {}
extension TransferFormat: ExpressibleByArgument {}

/// Which schedules, and how long their chunks take.
struct PipelineArguments: ParsableArguments {
    @Option(parsing: .upToNextOption, help: "Schedules.")
    var schedule: [PipelineSchedule] = [.oneForwardOneBackward, .zeroBubble, .dualPipe]

    @Option(help: ArgumentHelp("Ranks of the pipeline.", valueName: "n"))
    var ranks = 8

    @Option(help: ArgumentHelp("Micro-batches of a step (default: four a rank).", valueName: "n"))
    var microBatches: Int?

    @Option(help: ArgumentHelp("Chunks of a rank in the interleaved schedule.", valueName: "n", visibility: .hidden))
    var chunks = 2

    @Option(help: ArgumentHelp("F: time of a forward chunk.", valueName: "time", visibility: .hidden))
    var forward = 1.0

    @Option(help: ArgumentHelp("B-W: time of the gradient of a chunk's input.", valueName: "time", visibility: .hidden))
    var inputGradient = 1.0

    @Option(help: ArgumentHelp("W: time of the gradient of a chunk's weights.", valueName: "time", visibility: .hidden))
    var weightGradient = 1.0

    @Option(help: ArgumentHelp("F&B: time of an overlapped pair (default: F+B, no gain).", valueName: "time"))
    var overlapped: Double?

    @Option(help: ArgumentHelp("Time from a rank to the next.", valueName: "time", visibility: .hidden))
    var transfer = 0.0

    @Option(help: ArgumentHelp("Draw the timelines.", valueName: "file"))
    var svg: String?

    func plans() throws -> [PipelinePlan] {
        let costs = try PipelineCosts(
            forward: forward, inputGradient: inputGradient, weightGradient: weightGradient, overlapped: overlapped,
            transfer: transfer)
        let (usual, overflow) = ranks.multipliedReportingOverflow(by: 4)
        return try schedule.map {
            try PipelinePlan(
                $0, ranks: ranks, microBatches: microBatches ?? (overflow ? .max : usual), chunksPerRank: chunks,
                costs: costs)
        }
    }
}

/// Which experts there are, how busy they are, and how tokens choose them.
struct ExpertArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Recorded loads: metrics.jsonl of minke train.", valueName: "file"))
    var loads: String?

    @Option(help: ArgumentHelp("Only the last recorded steps (default: all).", valueName: "n", visibility: .hidden))
    var lastSteps: Int?

    @Option(
        help: ArgumentHelp("Steps at the end to measure on.", valueName: "n", visibility: .hidden))
    var testSteps: Int?

    @Option(help: ArgumentHelp("Routed experts (default: 256, or the recorded).", valueName: "n"))
    var experts: Int?

    @Option(help: ArgumentHelp("Exponent of Zipf's law for synthetic loads.", valueName: "x", visibility: .hidden))
    var zipf = 0.5

    @Option(help: ArgumentHelp("Layers with synthetic loads.", valueName: "n", visibility: .hidden))
    var layers = 1

    @Option(help: ArgumentHelp("Replicas (default: one more a device).", valueName: "n", visibility: .hidden))
    var replicas: Int?

    @Option(help: ArgumentHelp("Groups of experts (default: one a node).", valueName: "n", visibility: .hidden))
    var groups: Int?

    @Option(help: ArgumentHelp("Experts of a token (default: 8, or all if fewer).", valueName: "n"))
    var topK: Int?

    @Option(help: ArgumentHelp("Nodes of a token at most (default: 4).", valueName: "n"))
    var nodeLimit: Int?

    @Option(help: ArgumentHelp("Tokens routed to measure traffic.", valueName: "n", visibility: .hidden))
    var simulatedTokens = 10_000

    func validate() throws {
        if loads == nil, lastSteps != nil || testSteps != nil {
            throw ValidationError("--last-steps and --test-steps are for recorded --loads")
        }
        if let testSteps, testSteps < 1 { throw ValidationError("--test-steps must be 1 or more") }
        if loads != nil, experts != nil {
            throw ValidationError("--experts is for synthetic loads: --loads has its own")
        }
    }

    func loads(seed: UInt64) throws -> ExpertLoads {
        if let loads {
            return try ExpertLoads(contentsOf: loads, lastSteps: lastSteps, skippedSteps: testSteps ?? 0)
        }
        return try ExpertLoads(zipf: zipf, experts: experts ?? 256, layers: layers, seed: seed)
    }

    /// The loads that a placement is measured on, where they are not those that it is made for.
    func testLoads() throws -> ExpertLoads? {
        guard let loads, let testSteps else { return nil }
        return try ExpertLoads(contentsOf: loads, lastSteps: testSteps)
    }

    func layout(_ loads: ExpertLoads, cluster: ClusterNetwork) throws -> ExpertPlacement.Layout {
        let perDevice = (loads.expertCount + cluster.devices - 1) / cluster.devices + 1
        let divides = loads.expertCount.isMultiple(of: cluster.nodes)
        return try ExpertPlacement.Layout(
            replicas: replicas ?? perDevice * cluster.devices, groups: groups ?? (divides ? cluster.nodes : 1),
            nodes: cluster.nodes, devices: cluster.devices)
    }

    func traffic(
        _ loads: ExpertLoads, cluster: ClusterNetwork, load: TrafficPlan.Load, seed: UInt64
    ) throws -> TrafficPlan {
        try TrafficPlan(
            experts: loads.expertCount, expertsPerToken: topK ?? min(8, loads.expertCount),
            nodeLimit: nodeLimit ?? (cluster.nodes > 4 ? 4 : nil), network: cluster, load: load,
            simulatedTokens: simulatedTokens, seed: seed)
    }
}

/// The machines, their links, and what goes over them.
struct NetworkArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Nodes.", valueName: "n"))
    var nodes = 8

    @Option(help: ArgumentHelp("Devices of a node.", valueName: "n"))
    var devices = 8

    @Option(help: ArgumentHelp("GB/s one way inside a node.", valueName: "x"))
    var intraBandwidth = 160.0

    @Option(help: ArgumentHelp("GB/s one way to other nodes.", valueName: "x"))
    var interBandwidth = 50.0

    @Option(help: ArgumentHelp("Microseconds of a message inside a node.", valueName: "x", visibility: .hidden))
    var intraLatency = 0.0

    @Option(help: ArgumentHelp("Microseconds of a message to another node.", valueName: "x", visibility: .hidden))
    var interLatency = 0.0

    @Option(help: ArgumentHelp("Width of the model.", valueName: "n", visibility: .hidden))
    var hidden = 7168

    @Option(help: ArgumentHelp("Tokens that a device routes at once.", valueName: "n"))
    var tokens = 4096

    @Option(help: ArgumentHelp("How tokens go to experts: fp8 or bf16.", visibility: .hidden))
    var dispatch = TransferFormat.fp8

    @Option(help: ArgumentHelp("How results come back: fp8 or bf16.", visibility: .hidden))
    var combine = TransferFormat.bf16

    @Option(
        help: ArgumentHelp("GB of gradients a device that all-reduce sums up.", valueName: "x", visibility: .hidden))
    var gradients = 1.0

    func cluster() throws -> ClusterNetwork {
        try ClusterNetwork(
            nodes: nodes, devicesPerNode: devices, intraBandwidth: intraBandwidth * 1e9,
            interBandwidth: interBandwidth * 1e9, intraLatency: intraLatency * 1e-6,
            interLatency: interLatency * 1e-6)
    }

    func load() throws -> TrafficPlan.Load {
        try TrafficPlan.Load(
            hiddenSize: hidden, dispatch: dispatch, combine: combine, tokensPerDevice: tokens,
            gradientBytes: gradients * 1e9)
    }
}
