import ArgumentParser
import Minke
import MinkeFiles
import MinkeTraining

/// `minke compare`: the sparse model and its dense twin on the user's own data.
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Trains a sparse model and its dense twin to the same loss; prints what was saved.",
        discussion: """
            Examples:
              minke compare book.txt --out duel --max-seconds 60
              minke compare src/ depth=4 --include swift --out duel --seeds 1 2 3
              minke compare book.txt --out duel --target-loss 1.9 --json
              minke compare book.txt --preset memory --out duel --parts
              minke compare book.txt --out duel --twin num_hidden_layers=2

            Both get the same data, steps and rates, constant after the warm-up. Costs are
            those at which each first reached the worse of the two final losses, or
            --target-loss. Settings stand before --seeds.

            The twin is dense: every token works with all of its weights. Tables of
            n-grams, of which a token reads a few rows, are a form of sparsity, so it has
            none; normalised queries and the cap of the logits it keeps.

            The folder gets report.html, and cost-to-quality.svg with all curves.
            """)

    @Argument(help: "Text to train on, and settings as name=value.")
    var data: [String]

    @Option(help: "The folder of both runs.")
    var out: String

    @Option(parsing: .upToNextOption, help: "Seeds; the table shows the median and the range.")
    var seeds: [Int] = [1]

    @Option(
        parsing: .upToNextOption,
        help: """
            Settings of the twin as name=value; by default it has the depth and width of the sparse model, and the \
            arithmetic of its experts.
            """)
    var twin: [String] = []

    @Flag(help: "Also train without tables, and the twin with them.")
    var parts = false

    @Option(
        parsing: .upToNextOption,
        help: "Curves of others to draw, as name=FILE: lines of JSON with the keys of metrics.jsonl.")
    var peerCurve: [String] = []

    @OptionGroup var arguments: RunArguments

    func run() throws {
        arguments.compute.apply()
        let (paths, assignments) = data.separatedAssignments
        guard !paths.isEmpty else { throw InputError("no data given", remedy: "name files, folders or globs of text") }
        if let schedule = assignments.last(where: { $0.hasPrefix("schedule=") }), schedule != "schedule=constant" {
            throw InputError(
                "a comparison keeps the learning rate constant after its warm-up", at: schedule,
                remedy: "leave the schedule out")
        }
        let run = try arguments.configuration(assignments: assignments, seed: nil, defaultPreset: .sparse)
        try compare(run, request: arguments.request(paths), out: out, seeds: seeds, arguments: arguments)
    }

    private func compare(
        _ run: RunConfiguration, request: TrainingData.Request, out: String, seeds: [Int], arguments: RunArguments
    ) throws {
        var dense = run
        dense.model = run.model.denseTwin()
        for setting in twin { try dense.apply(assignment: setting) }
        try dense.validate()
        let peers = try peerCurve.map { try RunCurve(named: $0) }
        let display = ProgressDisplay(quiet: arguments.quiet)
        let data = try TrainingData.prepare(
            request, configuration: run, folder: FileSystem.join(out, "data")
        ) { display.message($0) }
        let options = try arguments.options(out: out)
        guard
            let comparison = try Comparison.run(
                run, twin: dense, showsParts: parts, data: data, seeds: seeds, options: options,
                message: { display.message($0) })
        else {
            if arguments.json { print(JSON.object(["ending": "interrupted", "out": .string(out)]).text()) }
            return
        }
        let report = FileSystem.join(out, "report.html")
        let page = try comparison.report(command: options.command, peers: peers)
        try AtomicFile.write(page.html(), to: report)
        try AtomicFile.write(page.costToQuality(), to: FileSystem.join(out, "cost-to-quality.svg"))
        if arguments.json {
            print(JSON.object(comparison.json).text())
        } else {
            print(comparison.table)
            print("\nplots: \(report)")
        }
    }
}
