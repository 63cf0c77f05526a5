import ArgumentParser
import Minke
import MinkeCheckpoints
import MinkeFiles
import MinkePlanning

/// Which model a plan is for.
struct PlanModelArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A known name (minke plan models), a config.json, a model's folder, or a .gguf file.", valueName: "model"))
    var model: String?

    @Option(help: ArgumentHelp("All parameters, as 671B, where there is no --model.", valueName: "n"))
    var params: PlanQuantity?

    @Option(help: ArgumentHelp("Parameters that a token uses (default: all).", valueName: "n"))
    var active: PlanQuantity?

    @Option(help: ArgumentHelp("Layers.", valueName: "n"))
    var layers: PlanQuantity?

    @Option(
        help: ArgumentHelp("Width of the residual stream (default: estimated).", valueName: "n", visibility: .hidden))
    var hidden: PlanQuantity?

    @Option(
        help: ArgumentHelp(
            "Routed experts of a layer (default: 256 where --active is less).", valueName: "n", visibility: .hidden))
    var experts: PlanQuantity?

    @Option(help: ArgumentHelp("Experts that a token uses (default: 8).", valueName: "n", visibility: .hidden))
    var expertsPerToken: PlanQuantity?

    func validate() throws {
        if model == nil, params == nil { throw ValidationError("give --model, or --params and --layers") }
        if model != nil, params != nil { throw ValidationError("give --model or --params, not both") }
        if params != nil, layers == nil { throw ValidationError("--params needs --layers") }
    }

    func shape() throws -> ModelShape {
        if let model { return try Self.shape(model) }
        let given = [
            ("--params", params), ("--active", active), ("--layers", layers), ("--hidden", hidden),
            ("--experts", experts), ("--experts-per-token", expertsPerToken),
        ]
        for case (let name, let quantity?) in given where !(quantity.value >= 1 && quantity.value < 1e18) {
            throw InputError("\(name) must be 1 or more")
        }
        return try ModelShape(
            parameters: params?.value ?? 0, active: active?.value, layers: layers?.value ?? 0, hidden: hidden?.value,
            experts: experts?.value, perToken: expertsPerToken?.value)
    }

    /// The model of a name or path.
    static func shape(_ model: String) throws -> ModelShape {
        if let known = ModelShape.named(model) { return known }
        guard FileSystem.exists(model) else {
            throw InputError(
                "\"\(model.prefix(80))\" is neither a file nor a known model",
                remedy: "known: \(ModelShape.known.map(\.id).joined(separator: ", "))")
        }
        let name = FileSystem.name(of: model)
        if Checkpoint.isGGUF(model) {
            return try ModelShape(configuration: Checkpoint(path: model).configuration, name: name, at: model)
        }
        let file = FileSystem.isDirectory(model) ? FileSystem.join(model, "config.json") : model
        guard FileSystem.exists(file) else { throw InputError("config.json is missing from the folder", at: model) }
        do {
            guard let object = try JSON(parsing: FileSystem.readAll(file, limit: 16 << 20)).objectValue else {
                throw InputError("is not a JSON object")
            }
            return try ModelShape(configuration: object, name: name, at: file)
        } catch let error as InputError {
            throw error.location?.hasPrefix(file) == true ? error : error.located(at: file)
        }
    }
}

/// Which chip a plan is for.
struct PlanChipArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp("A known chip (minke plan chips), or any name with the figures below.", valueName: "name"))
    var chip: String?

    @Option(help: ArgumentHelp("A JSON file of further chips.", valueName: "file"))
    var chips: String?

    @Option(help: ArgumentHelp("Dense peak in TFLOP/s of the precision planned with.", valueName: "n"))
    var peakTflops: PlanQuantity?

    @Option(help: ArgumentHelp("Memory bandwidth in GB/s.", valueName: "n"))
    var bandwidthGbs: PlanQuantity?

    @Option(help: ArgumentHelp("Memory in GB.", valueName: "n"))
    var memoryGb: PlanQuantity?

    @Option(help: ArgumentHelp("Power of a device in watts.", valueName: "n"))
    var tdp: PlanQuantity?

    @Option(help: ArgumentHelp("Share of the peak that matrix products reach: the highest MFU.", valueName: "f"))
    var achievable: Double?

    /// Whether the machine that the program runs on is to be measured; not where a file says what was measured before.
    private var isMeasured: Bool {
        get throws {
            guard chip == "this" else { return false }
            return try !catalog.chips.contains { $0.id == "this" }
        }
    }

    var catalog: ChipCatalog {
        get throws { try chips.map { try ChipCatalog(path: $0) } ?? ChipCatalog() }
    }

    /// The chip with what the options change.
    ///
    /// - Parameters:
    ///   - precision: the arithmetic that `--peak-tflops` is the peak of.
    ///   - measure: measures the chip, where it is this machine.
    func resolved(
        _ precision: Chip.Precision, measure: () -> Chip = { ThisMachine.chip(types: []) }
    ) throws -> Chip {
        let name = chip ?? "custom"
        var chip: Chip
        if try isMeasured {
            chip = measure()
        } else {
            do {
                guard self.chip != nil || peakTflops != nil else {
                    throw InputError(
                        "no chip is given", remedy: "give --chip h100, or --peak-tflops and the other figures")
                }
                chip =
                    try self.chip == nil
                    ? Chip(id: name, name: name, confidence: .a, source: "the user") : catalog.chip(named: name)
            } catch let error as InputError {
                guard peakTflops != nil, self.chip != nil else { throw error }
                chip = Chip(id: name, name: name, confidence: .a, source: "the user")
            }
        }
        for (option, value) in [
            ("--peak-tflops", peakTflops), ("--bandwidth-gbs", bandwidthGbs), ("--memory-gb", memoryGb), ("--tdp", tdp),
        ] {
            if let value, !(value.value > 0 && value.value < 1e9) {
                throw InputError("\(option) must be above 0 and below 1,000,000,000")
            }
        }
        if let peak = peakTflops?.value {
            switch precision {
            case .bf16: chip.bfloat16 = peak
            case .fp8: chip.float8 = peak
            case .int8: chip.int8 = peak
            }
        }
        if let value = bandwidthGbs?.value { chip.bandwidthGBs = value }
        if let value = memoryGb?.value { chip.memoryGB = value }
        if let value = tdp?.value { chip.tdpWatts = value }
        if let achievable {
            guard achievable > 0, achievable <= 1 else {
                throw InputError("--achievable must be above 0 and at most 1")
            }
            chip.achievable = achievable
        }
        return chip
    }
}
