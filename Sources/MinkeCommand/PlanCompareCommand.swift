import ArgumentParser
import Minke
import MinkeFiles
import MinkePlanning

/// `minke plan compare`
struct PlanCompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "What a sparse model costs that is as good as a dense one, for one run or a country.",
        discussion: """
            A file is a run: {"model": "llama-3.1-8b", "tokens": "2T", "chip": "h100", "mfu": 0.38, "price": 2.5}, with \
            "params", "active" and "layers" where no model has the shape; or a config.json, with --tokens and --chip. \
            The sparse run's tokens follow from the loss.

            A scenario is a file of what holds for both and how often it happens: {"name": "a country", \
            "models_per_year": 4, "organisations": 25, "development": 5.6, "occupancy": 0.8, "grid_kg_per_kwh": 0.4, \
            "tokens": "2T", "chip": "h100", "price": 2.5}

              minke plan compare dense.json sparse.json
              minke plan compare dense.json sparse.json --scenario country.json --html country.html
              minke plan compare llama-3.1-8b moonlight --tokens 2T --chip h100
            """)

    @Argument(help: "The dense run: a file, or a known model's name.")
    var dense: String

    @Argument(help: "The sparse run, the same way.")
    var sparse: String

    @Option(help: ArgumentHelp("Tokens of the dense run, where its file does not say.", valueName: "n"))
    var tokens: PlanQuantity?

    @Option(help: ArgumentHelp("Chip of both, where the files do not say.", valueName: "name"))
    var chip: String?

    @Option(help: ArgumentHelp("A JSON file of further chips.", valueName: "file"))
    var chips: String?

    @Option(help: ArgumentHelp("Dollars an hour and device, where the files do not say.", valueName: "$/h"))
    var price: Double?

    @Option(help: ArgumentHelp("MFU of both, where the files do not say.", valueName: "f"))
    var mfu: Double?

    @Option(help: "epoch or hoffmann.")
    var law = "epoch"

    @Option(help: ArgumentHelp("Exponents of the leverage of sparseness: weak, stated, strong.", valueName: "e,e,e"))
    var leverage: String?

    @Option(help: ArgumentHelp("A file that scales the comparison to a year of many.", valueName: "file"))
    var scenario: String?

    @OptionGroup(title: "Output") var output: PlanOutput

    func run() throws {
        let sources = PlanSources(
            chips: try chips.map { try ChipCatalog(path: $0) } ?? ChipCatalog(), model: PlanModelArguments.shape)
        let scenario = try self.scenario.map { try Scenario(path: $0) }
        var defaults = JSON.Object()
        if let tokens { defaults["tokens"] = .number(tokens.value) }
        if let chip { defaults["chip"] = .string(chip) }
        if let price { defaults["price"] = .number(price) }
        if let mfu { defaults["mfu"] = .number(mfu) }
        let dense = try plan(self.dense, defaults, scenario, sources)
        // Its own tokens are only a place to start from.
        if defaults["tokens"] == nil { defaults["tokens"] = .number(dense.tokens) }
        let sparse = try plan(self.sparse, defaults, scenario, sources)
        var comparison = Comparison(dense: dense, sparse: sparse)
        guard let law = ScalingLaw.known.first(where: { $0.name == self.law }) else {
            let names = ScalingLaw.known.map(\.name).joined(separator: ", ")
            throw InputError("no scaling law is called \"\(self.law.prefix(40))\"", remedy: "known: \(names)")
        }
        comparison.law = law
        comparison.scenario = scenario
        if let leverage {
            let exponents = leverage.split(separator: ",", omittingEmptySubsequences: false).map {
                Quantity.parse(String($0))
            }
            guard exponents.count == 3, let low = exponents[0], let middle = exponents[1], let high = exponents[2]
            else {
                throw InputError("--leverage is not three numbers", remedy: "write 0.5,0.65,0.8")
            }
            comparison.anchor = SparseAnchor(low: low, middle: middle, high: high)
        }
        try output.write(comparison.report())
    }

    /// A run from a file or a model's name; a scenario's keys take the place of the file's.
    private func plan(
        _ path: String, _ defaults: JSON.Object, _ scenario: Scenario?, _ sources: PlanSources
    ) throws -> TrainingPlan {
        var json: JSON = ["model": .string(path)]
        if ModelShape.named(path) == nil {
            do { json = try JSON(parsing: FileSystem.readAll(path, limit: 16 << 20)) } catch let error as InputError {
                throw error.location == path ? error : error.located(at: path)
            }
        }
        if let scenario, var object = json.objectValue {
            if object["hidden_size"] != nil || object["text_config"] != nil { object = ["model": json] }
            for (key, value) in scenario.run { object[key] = value }
            json = .object(object)
        }
        return try TrainingPlan(json: json, at: path, defaults: defaults, sources: sources)
    }
}
