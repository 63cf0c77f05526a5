import ArgumentParser
import Minke
import MinkeFiles
import MinkePlanning

/// `minke plan train`
struct PlanTrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Hours, dollars, energy, memory and checkpoints of a training run.",
        discussion: """
              minke plan train --model deepseek-v3 --tokens 14.8T --chip h800 --count 2048 --mfu 0.391
              minke plan train --params 30B --active 3B --layers 48 --tokens 2T --chip h100 --count 256
              minke plan train --model llama-3.1-8b --tokens 1T --chip mychip --peak-tflops 500 \
            --bandwidth-gbs 3000 --memory-gb 96 --tdp 600 --price 1.50 --html plan.html

            Each figure that is assumed is printed with the option that changes it; --help-hidden lists them all.
            """)

    @OptionGroup(title: "Model") var model: PlanModelArguments
    @OptionGroup(title: "Chip") var chip: PlanChipArguments

    @Option(help: ArgumentHelp("Tokens to train on, as 14.8T.", valueName: "n"))
    var tokens: PlanQuantity

    @Option(help: ArgumentHelp("Devices (default: 1).", valueName: "n"))
    var count: PlanQuantity?

    @Option(
        help: ArgumentHelp(
            "Share of the precision's peak that the paid hours reach (default: of published runs).", valueName: "f"))
    var mfu: Double?

    @Option(help: "bf16, fp8 or int8: whose peak the MFU is of.")
    var precision = Chip.Precision.bf16

    @Option(help: ArgumentHelp("Dollars an hour and device (default: the chip's typical rent).", valueName: "$/h"))
    var price: Double?

    @Option(help: ArgumentHelp("Tokens of a sequence.", valueName: "n"))
    var sequence = PlanQuantity(4096)

    @Option(help: "causal, full or none: how attention is counted.")
    var attention = AttentionCount.causal

    @Flag(help: ArgumentHelp("Count the model's prediction modules.", visibility: .hidden))
    var predictors = false

    @Flag(help: "Recompute activations in the backward pass.")
    var recompute = false

    @Option(help: ArgumentHelp("Productive over paid time, for an MFU without failures in it.", valueName: "f"))
    var goodput: Double?

    @Option(help: ArgumentHelp("Mean draw over rated power, all in.", valueName: "f", visibility: .hidden))
    var powerShare: Double?

    @Option(help: ArgumentHelp("Power usage effectiveness of the building.", valueName: "f", visibility: .hidden))
    var pue: Double?

    @Option(help: ArgumentHelp("Dollars per kWh.", valueName: "$", visibility: .hidden))
    var tariff: Double?

    @Option(help: ArgumentHelp("Hours between failures of one device.", valueName: "h", visibility: .hidden))
    var deviceMtbf: PlanQuantity?

    @Option(
        help: ArgumentHelp("GB a second and device that checkpoints are saved at.", valueName: "n", visibility: .hidden)
    )
    var saveGbs: Double?

    @Option(help: ArgumentHelp("Minutes from a failure until training goes on.", valueName: "n", visibility: .hidden))
    var restartMinutes: Double?

    @Option(help: ArgumentHelp("Bytes of a checkpoint per parameter.", valueName: "n", visibility: .hidden))
    var checkpointBytes: Double?

    @Option(help: ArgumentHelp("Bytes of the gradient per parameter.", valueName: "n", visibility: .hidden))
    var gradientBytes: Double?

    @Option(help: ArgumentHelp("Bytes of the optimiser's state per parameter.", valueName: "n", visibility: .hidden))
    var optimizerBytes: Double?

    @Option(help: ArgumentHelp("Tokens of a micro-batch on a device.", valueName: "n", visibility: .hidden))
    var microBatch: PlanQuantity?

    @Option(help: ArgumentHelp("Devices that layers are divided over, for one more line of memory.", valueName: "n"))
    var pipeline: Int?

    @Option(help: ArgumentHelp("Devices that experts are divided over, for one more line of memory.", valueName: "n"))
    var expertParallel: Int?

    @OptionGroup(title: "Output") var output: PlanOutput

    func run() throws {
        let shape = try model.shape()
        var plan = try TrainingPlan(shape, tokens: tokens.value, chip: chip.resolved(precision), precision: precision)
        if let count { plan.count = count.value }
        if let mfu {
            plan.utilization = mfu
            plan.utilizationSource = "the user"
        }
        if let price {
            plan.price = price
            plan.priceSource = "the user"
        }
        plan.sequence = sequence.value
        plan.counting = attention
        plan.predicts = predictors
        plan.recomputes = recompute
        if let goodput { plan.goodput = goodput }
        if let powerShare { plan.energy.drawOverTDP = powerShare }
        if let pue { plan.energy.pue = pue }
        if let tariff { plan.energy.tariff = tariff }
        if let deviceMtbf { plan.reliability.deviceHoursBetweenFailures = deviceMtbf.value }
        if let saveGbs { plan.reliability.saveRatePerDevice = saveGbs * 1e9 }
        if let restartMinutes { plan.reliability.restartSeconds = restartMinutes * 60 }
        if let checkpointBytes { plan.reliability.checkpointBytesPerParameter = checkpointBytes }
        try output.write(plan.report(memory: memory(), layout: layout(plan)))
    }

    private func memory() throws -> TrainingMemory {
        var memory = TrainingMemory()
        if let gradientBytes { memory.gradient = gradientBytes }
        if let optimizerBytes { memory.optimizer = optimizerBytes }
        if let microBatch { memory.tokensAtOnce = microBatch.value }
        guard (0...1000).contains(memory.gradient), (0...1000).contains(memory.optimizer), memory.tokensAtOnce < 1e12
        else { throw InputError("--gradient-bytes and --optimizer-bytes are 0 to 1000, --micro-batch below 1T") }
        return memory
    }

    /// The layout that was asked for.
    private func layout(_ plan: TrainingPlan) throws -> TrainingMemory.Layout? {
        guard pipeline != nil || expertParallel != nil else { return nil }
        let stages = Double(pipeline ?? 1)
        let experts = Double(expertParallel ?? 1)
        guard stages >= 1, experts >= 1 else { throw InputError("--pipeline and --expert-parallel are 1 or more") }
        guard stages * experts <= plan.count else {
            throw InputError("--pipeline times --expert-parallel is more than --count")
        }
        guard stages <= plan.shape.layers, experts <= max(1, plan.shape.experts?.routed ?? 1) else {
            throw InputError("there are fewer layers or experts than devices to divide them over")
        }
        return TrainingMemory.Layout(pipeline: stages, expert: experts, isOptimizerSharded: true)
    }
}

extension PlanQuantity {
    init(_ value: Double) { self.value = value }
}
