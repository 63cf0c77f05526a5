import ArgumentParser
import Logging
import Minke
import MinkeConsole
import MinkeServing
import NIOPosix
import ServiceLifecycle

/// `minke-server serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a model over HTTP with the interfaces of OpenAI, Anthropic and Ollama.",
        discussion: """
            Listens on this machine only; any other --host needs a key. A page to talk to is at the address itself, \
            figures for Prometheus at /metrics. SIGTERM and Ctrl-C let requests finish; a second one does not wait.

              minke serve models/whale
              minke serve models/whale.gguf --host 0.0.0.0 --api-key-file keys.txt --allowed-host ai.example.org
              curl localhost:8080/v1/chat/completions -d '{"messages": [{"role": "user", "content": "Hello"}]}'

            A systemd unit (/etc/systemd/system/minke.service):

              [Service]
              ExecStart=/usr/local/bin/minke-server serve /srv/whale --api-key-file /etc/minke/keys
              DynamicUser=yes
              Restart=on-failure
              TimeoutStopSec=40
              [Install]
              WantedBy=multi-user.target

            A container (the Dockerfile is in the repository):

              docker build -t minke . && docker run -p 8080:8080 -v ./models:/models:ro -e MINKE_API_KEY=… \\
                minke serve /models/whale --host 0.0.0.0
            """)

    @Argument(help: "The model's folder or .gguf file.")
    var model: String

    @OptionGroup(title: "Network") var network: NetworkArguments
    @OptionGroup(title: "Engine") var engine: EngineArguments
    @OptionGroup var load: LoadArguments
    @OptionGroup var compute: ComputeOptions

    func run() async throws {
        compute.apply()
        let configuration = try network.configuration()
        let logger = Logger(label: "minke") { _ in ServerLogHandler() }
        let server = try Server(
            configuration, logger: logger,
            onListening: { port in
                let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
                logger.info("listening", metadata: ["address": .string("http://\(host):\(port)")])
            }, load: loadModel)
        let group = ServiceGroup(services: [server], logger: Logger(label: "minke") { _ in SwiftLogNoOpLogHandler() })
        let signals = Task { await StopSignals.pass(to: group) }
        defer { signals.cancel() }
        try await group.run()
    }

    @Sendable private func loadModel() async throws -> ServedModel {
        let options = engine.options
        let engine = try await NIOThreadPool.singleton.runIfActive {
            Engine(try TextModel(contentsOf: model, options: load.options), options: options)
        }
        return ServedModel(routes: [], statistics: { engine.statistics }, shutDown: { await engine.shutdown() })
    }
}
