import ArgumentParser
import Minke
import MinkeConsole
import MinkeFiles
import MinkeTensors
import MinkeTraining

/// Options that every command which trains takes.
struct RunArguments: ParsableArguments {
    @Option(help: "A recipe: \(Preset.allCases.map(\.rawValue).joined(separator: ", ")).")
    var preset: String?

    @Option(help: "A JSON file of settings, applied over the preset.")
    var config: String?

    @Option(help: ArgumentHelp("Text to validate with (default: a share of the data).", valueName: "path"))
    var validation: [String] = []

    @Option(help: ArgumentHelp("Files' endings to take from folders, as in swift,md.", valueName: "list"))
    var include: String?

    @Option(help: "The field of .jsonl lines that holds the text.")
    var field = "text"

    @Option(help: ArgumentHelp("End after so long; the learning rate is fitted to it.", valueName: "s"))
    var maxSeconds: Double?

    @Option(help: ArgumentHelp("End after this many tokens.", valueName: "n"))
    var maxTokens: Int?

    @Option(help: ArgumentHelp("End at this validation loss, in nats per token.", valueName: "x"))
    var targetLoss: Double?

    @OptionGroup var compute: ComputeOptions

    @Option(help: ArgumentHelp("Dollars, as 0.04/core-hour or 1.2/machine-hour.", valueName: "p"))
    var price: String?

    @Flag(help: "Start anew over an existing folder.")
    var fresh = false

    @Flag(help: "Only the result, no progress.")
    var quiet = false

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    /// Settings in order: preset, file, `name=value`, seed.
    func configuration(assignments: [String], seed: Int?, defaultPreset: Preset) throws -> RunConfiguration {
        let preset = try Preset(named: preset, default: defaultPreset)
        return try configuration(
            over: preset.configuration(depth: depth(in: assignments)), assignments: assignments, seed: seed)
    }

    /// The number of layers that a setting asks for.
    func depth(in assignments: [String]) throws -> Int? {
        try assignments.last { $0.hasPrefix("depth=") }.map { text in
            guard let depth = Int(text.dropFirst(6)), (1...64).contains(depth) else {
                throw InputError("depth must be a whole number from 1 to 64")
            }
            return depth
        }
    }

    /// Settings over those of `recipe`, in order: file, `name=value`, seed.
    func configuration(over recipe: RunConfiguration, assignments: [String], seed: Int?) throws -> RunConfiguration {
        var run = recipe
        if let config { try run.apply(file: config) }
        for assignment in assignments where !assignment.hasPrefix("depth=") { try run.apply(assignment: assignment) }
        if let seed { run.seed = seed }
        try run.validate()
        if let maxTokens {
            guard maxTokens > 0 else { throw InputError("--max-tokens must be positive") }
            run.steps = min(1 << 40, (maxTokens - 1) / run.tokensPerStep + 1)
        }
        if let maxSeconds, !(maxSeconds > 0 && maxSeconds < 1e9) {
            throw InputError("--max-seconds must lie between 0 and 1e9")
        }
        if let targetLoss, !(targetLoss > 0 && targetLoss < 1e3) {
            throw InputError("--target-loss must be a positive number of nats per token")
        }
        return run
    }

    func request(_ paths: [String]) -> TrainingData.Request {
        TrainingData.Request(
            paths: paths, validationPaths: validation,
            options: Corpus.Options(
                include: include.map { $0.split(separator: ",").map(String.init) } ?? [], field: field))
    }

    func options(out: String) throws -> RunOptions {
        var options = RunOptions(out: out)
        options.isFresh = fresh
        options.maximumSeconds = maxSeconds
        options.targetLoss = targetLoss
        options.isQuiet = quiet
        if let price { options.price = try Price(parsing: price) }
        options.command = CommandLine.shellText
        return options
    }
}

extension Preset {
    init(named name: String?, default preset: Preset) throws {
        guard let name else {
            self = preset
            return
        }
        guard let preset = Preset(rawValue: name) else {
            let known = Preset.allCases.map(\.rawValue).joined(separator: ", ")
            throw InputError("unknown preset \"\(name)\"", remedy: "known: \(known)")
        }
        self = preset
    }
}

extension CommandLine {
    /// The command as it could be typed again.
    static var shellText: String {
        arguments.enumerated().map { index, argument in
            if index == 0 { return "minke" }
            let isPlain = argument.utf8.allSatisfy { byte in
                (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (0x2B...0x3A).contains(byte)
                    || [0x3D, 0x5F].contains(byte)
            }
            return isPlain && !argument.isEmpty
                ? argument
                : "'\(argument.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
        }.joined(separator: " ")
    }
}

/// `minke train`: from text to a model.
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train", abstract: "Trains a sparse model on text, or goes on where it stopped.",
        discussion: """
            Examples:
              minke train book.txt --out run
              minke train src/ --include swift,md --preset sparse depth=6 --out run
              minke train book.txt --auto --max-seconds 300 --out run
              minke train book.txt --auto --preset memory --max-seconds 300 --out run
              minke train corpus.jsonl --field body --out run learning_rate=0.002
              minke train book.txt --out run            (again: resumes)
              minke train book.txt --out run --dashboard

            Presets:
            \(Preset.allCases.map { "  \($0.rawValue): \($0.summary)" }.joined(separator: "\n"))

            DATA is files, folders or globs of text, .jsonl or .gz. Settings are name=value; the run's folder lists them
            all in run.json. Ctrl-C saves; the same command goes on.
            """)

    @Argument(help: "Text to train on, and settings as name=value.")
    var data: [String]

    @Option(help: "The folder of the run.")
    var out: String

    @Option(help: "Seed of weights and data order.")
    var seed: Int?

    @Flag(
        help: """
            Choose size, experts, batch and schedule for this machine, the text and --max-seconds, and say why. With \
            --preset memory the model has tables of n-grams.
            """)
    var auto = false

    @Flag(help: "Insist on resuming.")
    var resume = false

    @Flag(help: "Resume although settings or data differ.")
    var override = false

    @Flag(help: "Show in a browser how the run goes, at http://127.0.0.1:8090/.")
    var dashboard = false

    @Option(help: ArgumentHelp("The port of the dashboard; 0 takes a free one.", valueName: "n"))
    var dashboardPort: Int?

    @OptionGroup var arguments: RunArguments

    func run() throws {
        arguments.compute.apply()
        let (paths, assignments) = data.separatedAssignments
        guard !paths.isEmpty else { throw InputError("no data given", remedy: "name files, folders or globs of text") }
        let display = ProgressDisplay(quiet: arguments.quiet)
        let run =
            auto
            ? try automaticConfiguration(paths, assignments) { display.message($0) }
            : try arguments.configuration(assignments: assignments, seed: seed, defaultPreset: .sparse)
        if arguments.compute.threads == nil, !run.isWorthManyThreads { CPU.shared.threadCount = 1 }
        var options = try arguments.options(out: out)
        if arguments.maxTokens != nil || assignments.contains(where: { $0.hasPrefix("steps=") }) {
            options.maximumSteps = run.steps
        }
        if arguments.fresh { options.continuation = "the same command without --fresh goes on from there" }
        options.mustResume = resume
        options.overridesDifferences = override
        let page = try startDashboard()
        defer { page?.end() }
        let prepared = try TrainingData.prepare(
            arguments.request(paths), configuration: run, folder: FileSystem.join(out, "data")
        ) { display.message($0) }
        let trainer = try Trainer(run, data: prepared, options: options)
        let summary = try trainer.run()
        if arguments.json { print(JSON.object(summary.json).text()) } else { print(summary.text) }
    }

    private func startDashboard() throws -> RunDashboard? {
        guard dashboard || dashboardPort != nil else { return nil }
        let port = dashboardPort ?? 8090
        guard (0...65535).contains(port) else { throw InputError("--dashboard-port must be 0 to 65535") }
        try FileSystem.createDirectory(out)
        return try RunDashboard(folder: out, port: port)
    }

    /// The recipe for the machine and the time; that of the folder's run, if it has one, since a machine's speed is never
    /// measured twice the same.
    private func automaticConfiguration(
        _ paths: [String], _ assignments: [String], message: (String) -> Void
    ) throws -> RunConfiguration {
        let preset = try Preset(named: arguments.preset, default: .sparse)
        guard preset == .sparse || preset == .memory else {
            throw InputError("--auto chooses a size of the presets sparse and memory, not of \(preset.rawValue)")
        }
        guard let seconds = arguments.maxSeconds else {
            throw InputError("--auto needs to know the time", remedy: "add --max-seconds, as in --max-seconds 300")
        }
        let earlier = FileSystem.join(out, "run.json")
        if !arguments.fresh, FileSystem.exists(earlier) {
            var run = try Preset.sparse.configuration()
            try run.apply(file: earlier)
            message("going on with the recipe in \(earlier)")
            return try arguments.configuration(over: run, assignments: assignments, seed: seed)
        }
        let recipe = try AutomaticRecipe(
            seconds: seconds, textBytes: try Corpus(paths, options: arguments.request(paths).options).approximateBytes,
            machine: .measured(), depth: arguments.depth(in: assignments), hasMemory: preset == .memory)
        message(recipe.reason)
        return try arguments.configuration(over: recipe.configuration, assignments: assignments, seed: seed)
    }
}

extension [String] {
    /// Paths, and arguments of the form name=value that are not files.
    var separatedAssignments: (paths: [String], assignments: [String]) {
        let isAssignment = { (text: String) in text.contains("=") && !FileSystem.exists(text) }
        return (filter { !isAssignment($0) }, filter(isAssignment))
    }
}

extension RunSummary {
    /// What a person wants to know at the end.
    var text: String {
        let loss = HumanFormat.fixed(validationLoss, 4)
        let bits = HumanFormat.fixed(bitsPerByte, 3)
        return """
            validation loss \(loss) nats per token, \(bits) bits per byte after \(HumanFormat.grouped(steps)) steps
            \(HumanFormat.count(Double(cost.tokens))) tokens at \(HumanFormat.count(tokensPerSecond)) a second; \
            \(HumanFormat.duration(cost.cpuSeconds)) of CPU, \(HumanFormat.bytes(cost.peakMemoryBytes)) at the peak, \
            \(HumanFormat.dollars(cost.dollars))
            model and report.html are in \(out); talk to it: minke generate \(out) --prompt "…"
            """
    }
}
