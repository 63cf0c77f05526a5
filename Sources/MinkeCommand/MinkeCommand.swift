import ArgumentParser

@main
struct MinkeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "minke", abstract: "Trains and serves DeepSeek-style language models.",
        subcommands: [QuickstartCommand.self, TrainCommand.self, CompareCommand.self, BenchCommand.self])
}
