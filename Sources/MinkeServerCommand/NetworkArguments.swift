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
    @Option(help: ArgumentHelp("The address to listen on; 0.0.0.0 for all.", valueName: "address"))
    var host = "127.0.0.1"

    @Option(help: ArgumentHelp("The port; 0 takes a free one.", valueName: "n"))
    var port = 8080

    @Option(
        help: ArgumentHelp(
            "A key that requests must show; may be given several times. Others see it in the list of processes.",
            valueName: "key"))
    var apiKey: [String] = []

    @Option(
        help: ArgumentHelp(
            "A file with keys, one a line. The variable MINKE_API_KEY may hold one, too.", valueName: "file"))
    var apiKeyFile: String?

    @Flag(help: "Let everybody use the server who reaches it, without a key.")
    var insecure = false

    @Option(
        help: ArgumentHelp(
            "A name by which the server may be called, besides its address; * for all. May be given several times.",
            valueName: "name"))
    var allowedHost: [String] = []

    @Option(
        help: ArgumentHelp(
            "A site whose pages may use the server, as https://example.org. May be given several times.",
            valueName: "origin"))
    var corsOrigin: [String] = []

    @Option(help: ArgumentHelp("The largest body of a request (default: 8MiB).", valueName: "size"))
    var maxBody: ByteCount?

    @Option(help: ArgumentHelp("Connections at most.", valueName: "n"))
    var maxConnections = 256

    @Option(help: ArgumentHelp("How long requests may go on when the server stops.", valueName: "s"))
    var drainSeconds = 30.0

    @Option(
        help: ArgumentHelp("Dollars an hour, as 0.04/core-hour or 1.20/machine-hour, for /metrics.", valueName: "p"))
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
    @Option(help: ArgumentHelp("Tokens of a prompt and its answer at most (default: the model's).", valueName: "n"))
    var context: Int?

    @Option(help: ArgumentHelp("Requests that are worked on at once.", valueName: "n"))
    var maxSequences = 8

    @Option(help: ArgumentHelp("Requests that may wait; further ones get 429.", valueName: "n"))
    var queue = 64

    @Option(
        help: ArgumentHelp("Memory for the cache of all requests (default: half of what is free).", valueName: "size"))
    var cacheSize: ByteCount?

    @Option(help: ArgumentHelp("Tokens of a prompt that are run at once, between steps of others.", valueName: "n"))
    var prefillChunk = 256

    @Flag(help: "Let requests of different keys share the cache of a common beginning.")
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
