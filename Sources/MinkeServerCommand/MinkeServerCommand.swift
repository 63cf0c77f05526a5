import ArgumentParser
import MinkeConsole
import MinkeServing

/// The server as a program of its own, so that `minke` is built without the server's libraries; `minke serve` starts it.
@main
struct MinkeServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "minke-server", abstract: "Serves models over HTTP.", subcommands: [BenchCommand.self])
}
