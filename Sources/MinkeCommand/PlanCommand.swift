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
              minke plan parallel --svg timeline.svg
              minke plan check

            What is known of chips, models and prices comes with its source: minke plan chips, models, prices.
            """,
        subcommands: [
            PlanTrainCommand.self, PlanServeCommand.self, PlanCompareCommand.self, PlanCheckCommand.self,
            PlanParallelCommand.self, PlanChipsCommand.self, PlanModelsCommand.self,
            PlanPricesCommand.self,
        ])
}

/// How a plan is written.
struct PlanOutput: ParsableArguments {
    @Flag(help: "Print one JSON object instead of tables.")
    var json = false

    @Option(help: ArgumentHelp("Also write a page with plots to this file.", valueName: "file"))
    var html: String?

    /// Options that name a fact, whose source stays what it is.
    private static let facts: Set = [
        "--model", "--params", "--chip", "--chips", "--precision", "--attention", "--law", "--api",
    ]

    /// The options on the command line that replace a figure.
    private static var chosen: Set<String> {
        let options = CommandLine.arguments.filter { $0.hasPrefix("--") }.map { String($0.prefix { $0 != "=" }) }
        return Set(options).subtracting(facts)
    }

    /// Prints the report and writes the page.
    func write(_ report: PlanReport) throws {
        let report = report.choosing(Self.chosen)
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

extension PlanQuantity: CustomStringConvertible {
    var description: String { Int(exactly: value).map { "\($0)" } ?? "\(value)" }
}

extension Chip.Precision: ExpressibleByArgument {}
extension AttentionCount: ExpressibleByArgument {}
