import ArgumentParser
import Minke
import MinkeConsole
import MinkeFiles
import MinkePlanning

/// `minke plan`: what a model costs, before the money is spent.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Tells what a model costs to train and to serve.",
        discussion: """
            Every figure that a plan rests on is printed with its source, and can be changed.

              minke plan train --model deepseek-v3 --tokens 14.8T --chip h800 --count 2048 --mfu 0.391
              minke plan serve --model deepseek-v3 --chip h200 --count 16
              minke plan compare dense.json sparse.json
              minke plan check
            """,
        subcommands: [
            PlanTrainCommand.self, PlanServeCommand.self, PlanCompareCommand.self, PlanCheckCommand.self,
            PlanParallelCommand.self, PlanChipsCommand.self, PlanModelsCommand.self,
        ])
}

/// How a plan is written.
struct PlanOutput: ParsableArguments {
    @Flag(help: "Print one JSON object instead of tables.")
    var json = false

    @Option(help: ArgumentHelp("Also write a page with plots to this file.", valueName: "file"))
    var html: String?

    /// Prints the report and writes the page.
    func write(_ report: PlanReport) throws {
        if let html { try AtomicFile.write(report.html(), to: html) }
        try Console.line(json ? report.json.text() : report.text)
    }
}

/// A number as people write it: `14.8T`, `671B`, `2048`, `1e12`.
struct PlanQuantity: ExpressibleByArgument {
    let value: Double

    init?(argument: String) {
        guard let value = Quantity.parse(argument), value >= 0 else { return nil }
        self.value = value
    }
}

extension Chip.Precision: ExpressibleByArgument {}
extension AttentionCount: ExpressibleByArgument {}
