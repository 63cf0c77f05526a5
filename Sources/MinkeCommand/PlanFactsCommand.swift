import ArgumentParser
import Minke
import MinkeFiles
import MinkePlanning

/// `minke plan check`
struct PlanCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Computes published figures from their published inputs.",
        discussion: "Example: minke plan check --json")

    @OptionGroup var output: PlanOutput

    func run() throws { try output.write(PublishedCheck.report()) }
}

/// `minke plan chips`
struct PlanChipsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chips", abstract: "Lists the chips that plans know.",
        discussion: """
              minke plan chips --json
              minke plan chips --chips mine.json

            A file of chips is an array: [{"id": "mychip", "bf16_tflops": 500, "fp8_tflops": 1000, \
            "bandwidth_gbs": 3000, "memory_gb": 96, "tdp": 600, "achievable": 0.8, "price": 1.5}]; of the keys only id \
            is needed. minke bench --machine --json writes such a file of the machine it runs on.
            """)

    @Option(help: ArgumentHelp("A JSON file of further chips.", valueName: "file"))
    var chips: String?

    @OptionGroup var output: PlanOutput

    func run() throws {
        let chips = try self.chips.map { try ChipCatalog(path: $0) } ?? ChipCatalog()
        func text(_ value: Double?) -> String { value.map { Quantity.significant($0, 4) } ?? "–" }
        func json(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
        try output.write(
            PlanReport(
                title: "Chips",
                headline: "dense TFLOP/s, GB, GB/s, watts, the share that products reach, $ an hour, confidence A to D",
                tables: [
                    PlanReport.Table(
                        "known",
                        columns: ["chip", "bf16", "fp8", "int8", "memory", "GB/s", "W", "reach", "$/h", "of", "conf."],
                        rows: chips.chips.map {
                            [
                                $0.id, text($0.bfloat16 ?? $0.float16), text($0.float8), text($0.int8),
                                text($0.memoryGB),
                                text($0.bandwidthGBs), text($0.tdpWatts), text($0.achievable), text($0.rent?.typical),
                                $0.rent?.date ?? "–", $0.confidence.rawValue,
                            ]
                        })
                ], assumptions: [],
                warnings: chips.chips.filter { $0.confidence == .d }.flatMap(\.cautions),
                figures: [
                    "chips": .array(
                        chips.chips.map {
                            [
                                "id": .string($0.id), "name": .string($0.name), "bf16_tflops": json($0.bfloat16),
                                "fp16_tflops": json($0.float16), "fp8_tflops": json($0.float8),
                                "int8_tops": json($0.int8), "memory_gb": json($0.memoryGB),
                                "bandwidth_gbs": json($0.bandwidthGBs), "tdp": json($0.tdpWatts),
                                "achievable": json($0.achievable), "price": json($0.rent?.typical),
                                "price_low": json($0.rent?.low), "price_high": json($0.rent?.high),
                                "price_date": $0.rent.map { .string($0.date) } ?? .null,
                                "confidence": .string($0.confidence.rawValue), "source": .string($0.source),
                                "notes": .string($0.notes),
                            ]
                        })
                ]))
    }
}

/// `minke plan models`
struct PlanModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "Lists the models and published runs that plans know.",
        discussion: "Example: minke plan models --json")

    @OptionGroup var output: PlanOutput

    func run() throws {
        let runs = TrainingRun.published
        func text(_ value: Double?, _ factor: Double = 1) -> String { value.map { Quantity.count($0 * factor) } ?? "–" }
        func json(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
        try output.write(
            PlanReport(
                title: "Models", headline: "shapes that --model knows, and runs whose figures were published",
                tables: [
                    PlanReport.Table(
                        "shapes", columns: ["name", "parameters", "multiplied", "cached values a token", "conf."],
                        rows: ModelShape.known.map { id, shape in
                            [
                                id, Quantity.count(shape.totalParameters), Quantity.count(shape.multipliedParameters),
                                Quantity.fixed(shape.cachedValues, 0), shape.confidence.rawValue,
                            ]
                        }),
                    PlanReport.Table(
                        "runs", columns: ["run", "year", "parameters", "active", "tokens", "hours", "chip", "conf."],
                        rows: runs.map {
                            [
                                $0.model, "\($0.year)", text($0.parametersB, 1e9), text($0.activeB, 1e9),
                                text($0.tokensT, 1e12), text($0.hoursM, 1e6), $0.hardware.isEmpty ? "–" : $0.hardware,
                                $0.confidence.rawValue,
                            ]
                        }),
                ], assumptions: [],
                warnings: runs.filter { $0.confidence == .d }.map { "\($0.model): \($0.notes)" },
                figures: [
                    "models": .array(
                        ModelShape.known.map { id, shape in
                            [
                                "id": .string(id), "parameters": .number(shape.totalParameters),
                                "active_parameters": .number(shape.multipliedParameters),
                                "cached_values_per_token": .number(shape.cachedValues),
                                "confidence": .string(shape.confidence.rawValue), "source": .string(shape.source),
                            ]
                        }),
                    "runs": .array(
                        runs.map {
                            [
                                "id": .string($0.id), "model": .string($0.model), "year": .integer($0.year),
                                "parameters_b": json($0.parametersB), "active_b": json($0.activeB),
                                "tokens_t": json($0.tokensT), "hours_m": json($0.hoursM),
                                "dollars_m": json($0.reportedDollarsM), "energy_mwh": json($0.energyMWh),
                                "hardware": .string($0.hardware), "confidence": .string($0.confidence.rawValue),
                                "source": .string($0.source), "notes": .string($0.notes),
                            ]
                        }),
                ]))
    }
}

/// `minke plan prices`
struct PlanPricesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prices", abstract: "Lists the prices of tokens that plans know.",
        discussion: "Example: minke plan prices --json")

    @OptionGroup var output: PlanOutput

    func run() throws {
        func json(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
        func text(_ value: Double?) -> String { value.map(Quantity.dollars) ?? "–" }
        let prices = TokenPrice.published
        try output.write(
            PlanReport(
                title: "Prices", headline: "dollars per million tokens; sources are in --json",
                tables: [
                    PlanReport.Table(
                        "known", columns: ["model", "provider", "of", "input", "cached", "output", "kind", "conf."],
                        rows: prices.map {
                            [
                                $0.model, $0.provider, $0.date, text($0.input), text($0.cachedInput), text($0.output),
                                $0.kind.rawValue, $0.confidence.rawValue,
                            ]
                        })
                ], assumptions: [], warnings: [],
                figures: [
                    "prices": .array(
                        prices.map {
                            [
                                "date": .string($0.date), "provider": .string($0.provider), "model": .string($0.model),
                                "input": json($0.input), "cached_input": json($0.cachedInput),
                                "output": .number($0.output), "kind": .string($0.kind.rawValue),
                                "confidence": .string($0.confidence.rawValue), "source": .string($0.source),
                                "notes": .string($0.notes),
                            ]
                        })
                ]))
    }
}
