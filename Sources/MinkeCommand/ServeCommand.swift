import ArgumentParser

/// `minke serve`
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a model over HTTP (by the program minke-server).",
        discussion: """
            Runs minke-server, which lies beside this program; all arguments are passed on, and `minke serve --help` \
            shows its options. It is built by `swift build -c release --product minke-server`.

              minke serve models/whale
              minke serve models/whale --port 8000
              minke serve --help
            """)

    // Only for the list of commands: the program becomes minke-server before it reads its arguments.
    @Argument(parsing: .captureForPassthrough, help: "What minke-server serve takes.")
    var arguments: [String] = []

    func run() throws { try ServerProgram.replace(with: ["serve"] + arguments) }

    /// The arguments for minke-server where these ask to serve, `--help` included; otherwise nil.
    static func serverArguments(_ arguments: [String]) -> [String]? { arguments.first == "serve" ? arguments : nil }
}
