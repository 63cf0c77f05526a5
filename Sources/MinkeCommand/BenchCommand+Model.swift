import ArgumentParser
import Minke
import MinkeConsole
import MinkeTensors

extension BenchCommand {
    /// `minke bench MODEL`: prompts and decoding of a model.
    struct Model: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Times prompts and decoding of a model against this machine's bandwidth and peak (the default).",
            discussion: """
                Decoding at a depth starts from a cache of noise of that length. Batches above 1 are measured at the \
                first depth. Depths beyond the model's context are left out unless they are asked for.

                  minke bench models/whale
                  minke bench models/whale --prefill 512,2048 --depth 0,4096 --batch 1,8 --json
                  minke bench --machine models/whale --json > machine.json

                With --server URL, clients ask a server instead, with other options: minke bench --server --help.
                """)

        @Argument(help: "The model's folder or .gguf file.")
        var model: String?

        @Flag(
            help: "Measure only the machine's limits, as a chip for minke plan --chips; with a model, in its shapes.")
        var machine = false

        @Option(help: ArgumentHelp("Lengths of prompts (default: 512).", valueName: "list"))
        var prefill: String?

        @Option(help: ArgumentHelp("Tokens before the decoded ones (default: 0,4096,16384).", valueName: "list"))
        var depth: String?

        @Option(help: ArgumentHelp("Sequences decoded together (default: 1,8).", valueName: "list"))
        var batch: String?

        @Option(help: ArgumentHelp("Measurements of each figure; the median counts.", valueName: "n"))
        var rounds = 3

        @Option(help: ArgumentHelp("Tokens decoded in one measurement.", valueName: "n"))
        var steps = 8

        @Flag(help: "Print one JSON object instead of a table.")
        var json = false

        @OptionGroup var load: LoadArguments
        @OptionGroup var compute: ComputeOptions

        func validate() throws {
            if model == nil && !machine { throw ValidationError("give a model, or --machine") }
        }

        func run() throws {
            compute.apply()
            guard let path = model, !machine else {
                let chip = try model.map {
                    try ThisMachine.chip(for: PlanModelArguments.shape($0), StoredWeights(path: $0))
                }
                return try Console.line(ThisMachine.text(chip ?? ThisMachine.chip(), json: json))
            }
            var benchmark = ModelBenchmark()
            benchmark.rounds = rounds
            benchmark.steps = steps
            let model = try TextModel(contentsOf: path, options: load.options)
            let context = model.configuration.maxPositionEmbeddings
            benchmark.prompts = try Self.numbers(prefill) ?? benchmark.prompts.map { min($0, context) }
            benchmark.depths = try Self.numbers(depth) ?? benchmark.depths.filter { $0 + steps <= context }
            benchmark.batches = try Self.numbers(batch) ?? benchmark.batches
            try benchmark.validate(for: model.configuration)
            let checkpoint = try Checkpoint(path: path)
            let isStreamed = model.withModel { $0.expertStatistics != nil }
            let before = try isStreamed ? ReadRate.measure(checkpoint) : nil
            let figures = try benchmark.run(model) { figure in
                if !json { try Console.line(figure.text) }
            }
            // The limits come last: their buffers are no part of the model's memory.
            let memory = ResourceMeter.peakMemoryBytes()
            let limits = ModelBenchmark.Limits.measure()
            // Disks of shared machines vary: the better of two measurements is what the figures have to show for.
            let disk = try before.map { max($0, try ReadRate.measure(checkpoint) ?? 0) }
            let report = ModelBenchmarkReport(
                figures: figures, benchmark: benchmark, limits: limits, disk: disk, peakMemory: memory,
                facts: model.withModel { ModelFacts($0, model.cacheType) })
            try Console.line(json ? report.json.text() : report.text)
        }

        /// A list as `0,4096`.
        private static func numbers(_ text: String?) throws -> [Int]? {
            try text.map { text in
                try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
                    guard let number = Int(part) else {
                        throw InputError("\"\(part.prefix(40))\" is not a number", remedy: "give a list as 0,4096")
                    }
                    return number
                }
            }
        }
    }
}

/// What a report tells of the model itself.
struct ModelFacts {
    let precision: Precision
    let weightBytes: Int
    let bytesPerToken: Int
    let cacheBytesPerToken: Int

    init(_ model: LanguageModel, _ cacheType: CacheType) {
        precision = model.options.precision
        weightBytes = model.weightBytes
        bytesPerToken = model.weightBytes(perPassOver: 1)
        cacheBytesPerToken = model.makeCache(capacity: 1, type: cacheType).bytesPerToken
    }
}

/// The figures of a model beside the machine's limits.
struct ModelBenchmarkReport {
    let figures: [ModelBenchmark.Figure]
    let benchmark: ModelBenchmark
    let limits: ModelBenchmark.Limits
    /// Bytes a second that the disk gives when experts are read in any order; nil where none are.
    let disk: Double?
    /// Bytes.
    let peakMemory: Int
    let facts: ModelFacts

    private func isPrompt(_ figure: ModelBenchmark.Figure) -> Bool {
        if case .prompt = figure.work { true } else { false }
    }

    /// The share of the disk's rate that reading experts reached.
    private func fractionOfDisk(_ figure: ModelBenchmark.Figure) -> Double? {
        guard let disk, let bytes = figure.bytesReadPerToken(rounds: benchmark.rounds, steps: benchmark.steps) else {
            return nil
        }
        return bytes * figure.speed.median / max(1, disk)
    }

    private func json(_ figure: ModelBenchmark.Figure) -> JSON {
        var json = figure.json(limits, facts.precision).objectValue ?? [:]
        if let fraction = fractionOfDisk(figure) { json["fraction_of_disk"] = .number(fraction) }
        return .object(json)
    }

    var json: JSON {
        [
            "prefill": .array(figures.filter(isPrompt).map(json)),
            "decode": .array(figures.filter { !isPrompt($0) }.map(json)),
            "bytes_per_token": .integer(facts.bytesPerToken), "weight_bytes": .integer(facts.weightBytes),
            "cache_bytes_per_token": .integer(facts.cacheBytesPerToken),
            "limits": [
                "read_bytes_per_second": .number(limits.bandwidth), "float32_flops": .number(limits.float32),
                "bfloat16_flops": .number(limits.bfloat16),
                "int8_ops": limits.int8.map { .number($0) } ?? .null,
                "disk_bytes_per_second": disk.map { .number($0) } ?? .null,
            ],
            "peak_memory": .integer(peakMemory), "precision": .string(facts.precision.rawValue),
            "threads": .integer(CPU.shared.threadCount), "instruction_set": .string(CPU.shared.instructionSet),
        ]
    }

    /// The part below the lines that came as they were measured.
    var text: String {
        var lines = ["", "share of the limits: of the read bandwidth, of the arithmetic peak"]
        lines += figures.map { figure in
            "  \(figure.name): \(HumanFormat.percent(figure.fractionOfBandwidth(limits))), "
                + HumanFormat.percent(figure.fractionOfPeak(limits, facts.precision))
        }
        if let disk {
            lines += [
                "", "experts read from disk, and the share of the disk's \(HumanFormat.bytes(Int(disk)))/s that took",
            ]
            lines += figures.map { figure in
                "  \(figure.name): \(figure.experts?.text ?? ""), \(HumanFormat.percent(fractionOfDisk(figure) ?? 0))"
            }
        }
        lines += [
            "", "weights    \(HumanFormat.bytes(facts.weightBytes)), \(HumanFormat.bytes(facts.bytesPerToken)) a token",
            "cache      \(HumanFormat.bytes(facts.cacheBytesPerToken)) for each token before",
            "memory     \(HumanFormat.bytes(peakMemory)) at most",
            "bandwidth  \(HumanFormat.bytes(Int(limits.bandwidth)))/s read by \(CPU.shared.threadCount) threads",
            "peak       \(HumanFormat.flops(limits.float32))/s float32, \(HumanFormat.flops(limits.bfloat16))/s bfloat16"
                + (limits.int8.map { ", \(HumanFormat.flops($0))/s int8" } ?? "") + " (\(CPU.shared.instructionSet))",
        ]
        return lines.joined(separator: "\n")
    }
}

extension ModelBenchmark.Figure {
    var name: String {
        switch work {
        case .prompt(let tokens): "prefill of \(HumanFormat.grouped(tokens))"
        case .decoding(let depth, 1): "decode at \(HumanFormat.grouped(depth))"
        case .decoding(let depth, let batch): "decode at \(HumanFormat.grouped(depth)), \(batch) sequences"
        }
    }

    /// One line for people.
    var text: String {
        let spread =
            "\(HumanFormat.significant(speed.slowest, 3)) to \(HumanFormat.significant(speed.fastest, 3))"
        return "\(name): \(HumanFormat.rate(speed.median, "tok/s")) (\(spread))"
    }
}
