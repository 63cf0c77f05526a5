import ArgumentParser
import Minke
import MinkeConsole
import MinkeServing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Options that say where the server listens, and to whom.
struct NetworkArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The address, 0.0.0.0 for all.", valueName: "address"))
    var host = "127.0.0.1"

    @Option(help: ArgumentHelp("The port; 0 takes a free one.", valueName: "n"))
    var port = 8080

    @Option(help: ArgumentHelp("A key that requests must show; `ps` shows it, too.", valueName: "key"))
    var apiKey: [String] = []

    @Option(help: ArgumentHelp("Keys, one a line; MINKE_API_KEY may hold one.", valueName: "file"))
    var apiKeyFile: String?

    @Flag(help: "Let everybody in who reaches the server.")
    var insecure = false

    @Option(help: ArgumentHelp("A further name of the server, * for all.", valueName: "name"))
    var allowedHost: [String] = []

    @Option(help: ArgumentHelp("A site whose pages may ask, as https://example.org.", valueName: "origin"))
    var corsOrigin: [String] = []

    @Option(help: ArgumentHelp("The largest body of a request (default: 8MiB).", valueName: "size"))
    var maxBody: ByteCount?

    @Option(help: ArgumentHelp("Connections at most.", valueName: "n"))
    var maxConnections = 256

    @Option(help: ArgumentHelp("How long it lets requests end.", valueName: "s"))
    var drainSeconds = 30.0

    @Option(help: ArgumentHelp("Dollars: 0.04/core-hour (default), 1.2/machine-hour.", valueName: "p"))
    var price: String?

    func validate() throws {
        if !(0...65535).contains(port) { throw ValidationError("--port must be 0 to 65535") }
        if !(1...65536).contains(maxConnections) { throw ValidationError("--max-connections must be 1 to 65536") }
        if !(0...86400).contains(drainSeconds) { throw ValidationError("--drain-seconds must be 0 to 86400") }
    }

    func configuration() throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.host = host
        configuration.port = port
        configuration.keys = try keys()
        configuration.isInsecure = insecure
        configuration.allowedHosts = allowedHost
        configuration.allowedOrigins = corsOrigin
        configuration.drain = .seconds(drainSeconds)
        if let maxBody { configuration.limits.bodyBytes = maxBody.bytes }
        configuration.limits.connections = maxConnections
        if let price { configuration.price = try Price(parsing: price) }
        return configuration
    }

    private func keys() throws -> [String] {
        var keys = apiKey
        if let apiKeyFile {
            let text = String(decoding: try FileSystem.readAll(apiKeyFile), as: UTF8.self)
            let lines = text.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.hasPrefix("#") }
            if lines.isEmpty { throw InputError("no key in it", at: apiKeyFile, remedy: "put one on a line") }
            keys += lines
        }
        if let value = getenv("MINKE_API_KEY") { keys.append(String(cString: value)) }
        return keys
    }
}

/// Options that say how requests share the model.
struct EngineArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Tokens of prompt and answer (default: the model's).", valueName: "n"))
    var context: Int?

    @Option(help: ArgumentHelp("Requests worked on at once.", valueName: "n"))
    var maxSequences = 8

    @Option(help: ArgumentHelp("Requests that may wait.", valueName: "n"))
    var queue = 64

    @Option(help: ArgumentHelp("Memory for the cache (default: half of what is free).", valueName: "size"))
    var cacheSize: ByteCount?

    @Option(help: ArgumentHelp("Tokens of prompts in one step.", valueName: "n"))
    var prefillChunk = 256

    @Flag(help: "Let keys share the cache of what begins alike.")
    var sharePrefixes = false

    func validate() throws {
        if let context, context < 1 { throw ValidationError("--context must be 1 or more") }
        if !(1...1024).contains(maxSequences) { throw ValidationError("--max-sequences must be 1 to 1024") }
        if !(0...1_000_000).contains(queue) { throw ValidationError("--queue must be 0 to 1000000") }
        if !(1...65536).contains(prefillChunk) { throw ValidationError("--prefill-chunk must be 1 to 65536") }
    }

    var options: EngineOptions {
        EngineOptions(
            contextLength: context, maximumSequences: maxSequences, queueLimit: queue, cacheBytes: cacheSize?.bytes,
            prefillChunk: prefillChunk, sharesPrefixesAcrossScopes: sharePrefixes)
    }
}
