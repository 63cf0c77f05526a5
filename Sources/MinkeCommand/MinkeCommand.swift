import ArgumentParser
import MinkeConsole
import MinkeFiles

/// The program: parses arguments, runs a subcommand, and turns what went wrong into one line and an exit code.
@main
struct MinkeCommand: ParsableCommand {
    static let version = ProgramVersion.text

    static let configuration = CommandConfiguration(
        commandName: "minke",
        abstract: "Trains and serves DeepSeek-style language models.",
        discussion: """
            A model is a Hugging Face folder (config.json, safetensors weights, tokenizer.json) or a GGUF file.

            Exit codes: 0 done, 1 failed with a line that says why, 64 wrong usage.
            """,
        version: version,
        subcommands: [
            QuickstartCommand.self, TrainCommand.self, CompareCommand.self, GenerateCommand.self, ChatCommand.self,
            EvalCommand.self, InspectCommand.self, ConvertCommand.self, LogitsCommand.self, TokenizerCommand.self,
            BenchCommand.self, PlanCommand.self, ServeCommand.self,
        ])

    static func main() {
        do {
            let arguments = Array(CommandLine.arguments.dropFirst())
            if let passed = ServeCommand.serverArguments(arguments) ?? BenchCommand.serverArguments(arguments) {
                try ServerProgram.replace(with: passed)
            }
            var command = try parseAsRoot()
            try command.run()
        } catch let error as InputError {
            Console.report("error: \(error)")
            exit(withError: ExitCode(1))
        } catch {
            exit(withError: error)
        }
    }
}
