import ArgumentParser
import Logging
import Minke
import MinkeConsole
import MinkeServing
import MinkeTensors
import NIOCore
import NIOPosix
import ServiceLifecycle

/// `minke-server serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a model with the interfaces of OpenAI, Anthropic and Ollama.",
        discussion: """
            A page to talk to is at the address, figures for Prometheus at /metrics. Another --host needs a key. \
            --api-key, --allowed-host, --cors-origin, --name may be repeated. SIGTERM and Ctrl-C let requests \
            end; a second one does not wait.

              minke serve models/whale
              minke serve run --run run --port 9000
              minke serve whale.gguf --host 0.0.0.0 --api-key-file keys.txt
              curl localhost:8080/v1/completions -d '{"prompt": "The whale"}'

            A unit for systemd, /etc/systemd/system/minke.service:
              [Service]
              ExecStart=/usr/local/bin/minke serve /srv/whale
              EnvironmentFile=-/etc/minke.env
              DynamicUser=yes
              Restart=on-failure
              [Install]
              WantedBy=multi-user.target
            A container, with the repository's Dockerfile:
              docker build -t minke . && docker run -p 8080:8080 -v ./models:/models:ro \\
                -e MINKE_API_KEY=… minke serve /models/whale --host 0.0.0.0
            """)

    @Argument(help: "The model's folder or .gguf file.")
    var model: String

    @Option(help: ArgumentHelp("What requests call the model (default: as its file).", valueName: "name"))
    var name: [String] = []

    @Option(
        help: ArgumentHelp(
            "How chats are written: a Jinja file, none, or a family (\(ChatFamily.allCases.map(\.rawValue).joined(separator: ", "))).",
            valueName: "name"))
    var template: String?

    @Option(name: .customLong("run"), help: ArgumentHelp("A training run to show at /run.", valueName: "folder"))
    var runFolder: String?

    @OptionGroup var network: NetworkArguments
    @OptionGroup var engine: EngineArguments
    @OptionGroup var load: LoadArguments
    @OptionGroup var compute: ComputeOptions

    func run() async throws {
        TensorMemory.shareHeap()
        compute.apply()
        let configuration = try network.configuration()
        let pages = try makePages(configuration)
        let logger = Logger(label: "minke") { _ in ServerLogHandler() }
        let server = try Server(
            configuration, routes: pages, logger: logger,
            onListening: { port in
                let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
                logger.info("listening", metadata: ["address": .string("http://\(host):\(port)")])
            }, load: { try await loadModel(logger) })
        let group = ServiceGroup(services: [server], logger: Logger(label: "minke") { _ in SwiftLogNoOpLogHandler() })
        let signals = Task { await StopSignals.pass(to: group) }
        defer { signals.cancel() }
        try await group.run()
    }

    /// The pages; what they cost is told per core, whatever the price is for.
    private func makePages(_ configuration: ServerConfiguration) throws -> [APIRoute] {
        let cores = compute.threads ?? System.coreCount
        let price = configuration.price
        let settings = Pages.Settings(
            model: modelName,
            pricePerCoreHour: price.dollarsPerHour / (price.unit == .machineHour ? Double(cores) : 1), cores: cores,
            needsKey: !configuration.keys.isEmpty, version: ProgramVersion.text)
        return Pages.routes(settings, watching: try runFolder.map { try RunWatch(folder: $0) })
    }

    @Sendable private func loadModel(_ logger: Logger) async throws -> ServedModel {
        // On a thread of its own: it takes as long as the disk does, and requests are answered meanwhile.
        let service = try await NIOThreadPool.singleton.runIfActive { try makeService() }
        logger.info(
            "loaded",
            metadata: [
                "model": .string(service.name), "chats": .stringConvertible(service.chats),
                "context": .stringConvertible(service.engine.contextLength),
                "cache_tokens": .stringConvertible(service.engine.statistics.cacheTokensCapacity),
                "places": .stringConvertible(service.engine.options.maximumSequences),
            ])
        return ServedModel(
            routes: service.routes, statistics: { service.engine.statistics },
            shutDown: { await service.engine.shutdown() })
    }

    @Sendable private func makeService() throws -> ModelService {
        let text = try TextModel(contentsOf: model, options: load.options)
        let template = try text.tokenizer.flatMap { try chatTemplate($0) }
        return ModelService(
            Engine(text, options: engine.options), name: modelName, aliases: Array(name.dropFirst()), template: template
        )
    }

    /// What conversations are written with; nil for a model that only continues texts.
    private func chatTemplate(_ tokenizer: Tokenizer) throws -> ChatTemplate? {
        switch template {
        case "none": nil
        case let name?: try ChatTemplate(named: name, tokenizer: tokenizer)
        case nil: try ChatTemplate(path: model, tokenizer: tokenizer)
        }
    }

    /// What requests call the model: the last part of the path, without the ending of a file, if nothing else was given.
    private var modelName: String {
        if let name = name.first { return name }
        let parts = model.split(separator: "/").filter { $0 != "." }
        let last = parts.last.map(String.init) ?? "model"
        return last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last
    }
}
