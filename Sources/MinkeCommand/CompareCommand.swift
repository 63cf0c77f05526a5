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
              minke compare src/ depth=4 steps=1000 --include swift --preset sparse --out duel --seeds 1 2 3
              minke compare book.txt --out duel --target-loss 1.9 --json

            Both models get the same data, steps and learning rates, constant after the warm-up. Costs are those at which
            each first reached the worse of the two final losses, or --target-loss. Settings stand before --seeds.
            """)

    @Argument(help: "Text to train on, and settings as name=value.")
    var data: [String]

    @Option(help: "The folder of both runs.")
    var out: String

    @Option(parsing: .upToNextOption, help: "Seeds; the table shows the median and the range.")
    var seeds: [Int] = [1]

    @Option(help: "Width of the twin's feed-forward layers; by default that of the experts a token uses.")
    var twinIntermediateSize: Int?

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
        let twin = try twinIntermediateSize.map { width in
            guard width > 0 else { throw InputError("--twin-intermediate-size must be positive") }
            return run.model.denseTwin(intermediateSize: width)
        }
        let display = ProgressDisplay(quiet: arguments.quiet)
        let data = try TrainingData.prepare(
            request, configuration: run, folder: FileSystem.join(out, "data")
        ) { display.message($0) }
        let options = try arguments.options(out: out)
        guard
            let comparison = try Comparison.run(
                run, twin: twin, data: data, seeds: seeds, options: options, message: { display.message($0) })
        else {
            if arguments.json { print(JSON.object(["ending": "interrupted", "out": .string(out)]).text()) }
            return
        }
        let report = FileSystem.join(out, "report.html")
        try AtomicFile.write(try comparison.report(command: options.command).html(), to: report)
        if arguments.json {
            print(JSON.object(comparison.json).text())
        } else {
            print(comparison.table)
            print("\nplots: \(report)")
        }
    }
}
