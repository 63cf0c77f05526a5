import ArgumentParser
import Minke
import MinkeCheckpoints
import MinkeConsole
import MinkeFiles
import MinkePlanning

/// `minke plan serve`
struct PlanServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Memory, speed and price of a token when a model is served.",
        discussion: """
            The chip "this" is the machine the command runs on, measured.

              minke plan serve --model deepseek-v3 --chip h200 --count 16 --api "R1"
              minke plan serve --model deepseek-v2-lite --chip rtx4090 --weight-bits 4.5 --context 8192
              minke plan serve --model model.gguf --chip this --batch 1 --context 1024 --json

            Each figure that is assumed is printed with the option that changes it; --help-hidden lists them all.
            """)

    @OptionGroup(title: "Model") var model: PlanModelArguments
    @OptionGroup(title: "Chip") var chip: PlanChipArguments

    @Option(help: ArgumentHelp("Devices (default: 1).", valueName: "n"))
    var count: PlanQuantity?

    @Option(help: "Type of the arithmetic.")
    var precision: Chip.Precision?

    @Option(help: ArgumentHelp("Bits of a stored weight, scales included.", valueName: "n"))
    var weightBits: Double?

    @Option(help: ArgumentHelp("Bits of a cached value (default: 16).", valueName: "n", visibility: .hidden))
    var cacheBits: Double?

    @Option(help: ArgumentHelp("Tokens that a user has in the cache.", valueName: "n"))
    var context: PlanQuantity?

    @Option(help: ArgumentHelp("Users at once (default: as many as fit).", valueName: "n"))
    var batch: PlanQuantity?

    @Option(help: ArgumentHelp("Tokens of a request's prompt.", valueName: "n"))
    var prompt: PlanQuantity?

    @Option(name: .customLong("output"), help: ArgumentHelp("Tokens of a request's answer.", valueName: "n"))
    var answer: PlanQuantity?

    @Option(help: ArgumentHelp("Share of prompts that come from the cache of prefixes.", valueName: "f"))
    var cached: Double?

    @Option(help: ArgumentHelp("Share of the bandwidth that decoding reaches.", valueName: "f", visibility: .hidden))
    var bandwidthShare: Double?

    @Option(
        help: ArgumentHelp(
            "GB a second and device of stored weights that can be opened.", valueName: "n", visibility: .hidden))
    var weightGbs: Double?

    @Option(help: ArgumentHelp("Share of the peak that prompts reach.", valueName: "f", visibility: .hidden))
    var computeShare: Double?

    @Option(help: ArgumentHelp("Share of the memory for weights and cache.", valueName: "f", visibility: .hidden))
    var memoryShare: Double?

    @Option(
        help: ArgumentHelp(
            "Share of the time of --chip this that products and attention take.", valueName: "f", visibility: .hidden))
    var productShare: Double?

    @Option(
        help: ArgumentHelp(
            "GB a second and device at which stored prefixes come back.", valueName: "n", visibility: .hidden))
    var prefixGbs: Double?

    @Option(
        help: ArgumentHelp("Devices that share the weights which are not experts.", valueName: "n", visibility: .hidden)
    )
    var tensorParallel: Int?

    @Option(help: ArgumentHelp("Mean share of the throughput that is asked for.", valueName: "f"))
    var load: Double?

    @Option(help: ArgumentHelp("Dollars an hour and device (default: the chip's typical rent).", valueName: "$/h"))
    var price: Double?

    @Option(
        help: ArgumentHelp(
            "A price to compare with: a part of a model's name in the list of prices.", valueName: "name"))
    var api: String?

    @Option(help: ArgumentHelp("Dollars per million input tokens of the API.", valueName: "$"))
    var apiInput: Double?

    @Option(help: ArgumentHelp("The same of cached input.", valueName: "$", visibility: .hidden))
    var apiCached: Double?

    @Option(help: ArgumentHelp("The same of output.", valueName: "$"))
    var apiOutput: Double?

    @OptionGroup var compute: ComputeOptions
    @OptionGroup(title: "Output") var output: PlanOutput

    func run() throws {
        compute.apply()
        let shape = try model.shape()
        let stored = storedWeights()
        let isThis = chip.chip == "this"
        var chip = try self.chip.resolved(precision ?? .bf16) { ThisMachine.chip(for: shape, stored) }
        if precision == nil, self.chip.peakTflops != nil { chip.float8 = nil }
        var plan = try ServingPlan(
            shape, chip: chip, count: count?.value ?? 1,
            precision: precision ?? (isThis ? ThisMachine.precision(chip) : nil))
        if let stored {
            plan.weightBits = Double(stored.bytes) * 8 / shape.totalParameters
            plan.weightSource = "the file's, on average"
            plan.storedParts = stored.plannedParts
        }
        if let weightBits {
            plan.weightBits = weightBits
            plan.weightSource = "the user"
            plan.storedParts = []
        }
        // Shares of the limits are another way to count than what was measured of products.
        if bandwidthShare != nil || computeShare != nil || weightGbs != nil { plan.processor = nil }
        if let cacheBits { plan.cacheBits = cacheBits }
        if let context { plan.context = context.value }
        plan.batch = batch?.value
        if let prompt { plan.prompt = prompt.value }
        if let answer { plan.output = answer.value }
        if let cached { plan.cachedShare = cached }
        if let bandwidthShare {
            plan.bandwidthShare = bandwidthShare
            plan.bandwidthSource = "the user"
        }
        if let computeShare {
            plan.computeShare = computeShare
            plan.computeSource = "the user"
        }
        if let weightGbs { plan.weightRate = weightGbs * 1e9 }
        if let productShare { plan.productShare = productShare }
        if let memoryShare { plan.memoryShare = memoryShare }
        if let prefixGbs { plan.prefixRate = prefixGbs * 1e9 }
        if let tensorParallel { plan.tensorParallel = Double(tensorParallel) }
        if let load { plan.load = load }
        if let price {
            plan.price = price
            plan.priceSource = "the user"
        }
        plan.rival = try rival()
        try output.write(plan.report())
    }

    /// The weights in the model's files; nil where there are none, or of a kind that cannot be read here.
    private func storedWeights() -> StoredWeights? {
        guard let path = model.model, ModelShape.named(path) == nil else { return nil }
        return StoredWeights(path: path)
    }

    /// Whom to compare with.
    private func rival() throws -> TokenPrice? {
        for value in [apiInput, apiCached, apiOutput].compactMap({ $0 }) where !(value >= 0 && value < 1e6) {
            throw InputError("prices of an API are 0 to 1,000,000 dollars per million tokens")
        }
        var price: TokenPrice?
        if let api {
            // The newest of those that match.
            price = TokenPrice.published
                .filter { $0.kind != .cost && $0.model.lowercased().contains(api.lowercased()) }
                .max { $0.date < $1.date }
            guard price != nil else {
                let known = TokenPrice.published.filter { $0.kind != .cost }.map(\.model)
                throw InputError(
                    "no known price is called \"\(api.prefix(60))\"", remedy: "known: \(known.joined(separator: "; "))")
            }
        }
        guard apiInput != nil || apiCached != nil || apiOutput != nil else { return price }
        guard price != nil || apiOutput != nil else { throw InputError("--api-input needs --api-output, or --api") }
        var changed =
            price
            ?? TokenPrice(
                date: "", provider: "the user", model: "API", output: 0, confidence: .a, source: "given")
        if let apiInput { changed.input = apiInput }
        if let apiCached { changed.cachedInput = apiCached }
        if let apiOutput { changed.output = apiOutput }
        return changed
    }
}

extension StoredWeights {
    /// The weights of a folder or file; nil where there are none, or of a kind that cannot be read here.
    init?(path: String) {
        guard Checkpoint.isGGUF(path) || FileSystem.isDirectory(path), let checkpoint = try? Checkpoint(path: path),
            let configuration = try? checkpoint.modelConfiguration(),
            let weights = try? StoredWeights(checkpoint, configuration)
        else { return nil }
        self = weights
    }

    /// The types that matter for speed, largest first.
    var types: [StoredType] {
        var sums: [String: Int] = [:]
        for part in parts { sums[part.type, default: 0] += part.bytes }
        return sums.filter { $0.value * 50 >= bytes }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .compactMap { StoredType(rawValue: $0.key) }
    }

    /// The parts that running the model reads.
    var plannedParts: [StoredPart] {
        // Where embedding and head are the same weights, there is no other head.
        let hasHead = parts.contains { $0.kind == "output head" }
        return parts.compactMap { part in
            let use: StoredPart.Use
            switch part.kind {
            case "routed experts": use = .experts
            case "output head": use = .head
            case "embedding": if hasHead { return nil } else { use = .head }
            case "prediction modules", "conditional memory": return nil
            default: use = .others
            }
            return StoredPart(type: part.type, bytes: Double(part.bytes), use: use)
        }
    }
}
