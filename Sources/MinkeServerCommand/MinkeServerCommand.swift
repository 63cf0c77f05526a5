import ArgumentParser
import MinkeConsole
import MinkeFiles

/// The server as a program of its own, so that `minke` is built without the server's libraries; `minke serve` starts it.
@main
struct MinkeServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "minke-server",
        abstract: "Serves models over HTTP.",
        subcommands: [ServeCommand.self, BenchCommand.self, DashboardCommand.self])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as InputError {
            Console.report("error: \(error)")
            exit(withError: ExitCode(1))
        } catch {
            exit(withError: error)
        }
    }
}
