import ArgumentParser
import Minke
import MinkeConsole
import MinkeFiles
import MinkeServing
import Synchronization

/// `minke-server bench`: the load that a server bears.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Puts load on a server with OpenAI's interface and prints what its clients see.",
        discussion: """
            Requests are streamed chat completions of random words, greedy, each over a connection of its own. Clients \
            send one after the other; with --rate, requests arrive at random, whatever became of those before. Prompts \
            are made as long as wanted by what the server counts in two short ones. `minke bench --server URL` is the same.

              minke bench --server http://127.0.0.1:8080 --clients 8 --seconds 30
              minke bench --server http://127.0.0.1:8080 --sweep 1,4,8,16 --requests 32
              minke bench --server http://127.0.0.1:8080 --rate 2 --prompt-tokens 100-400 --shared-prefix 0.5 --json
            """)

    @Argument(help: ArgumentHelp("The server, as http://127.0.0.1:8080.", valueName: "url"))
    var server: String

    @Option(help: ArgumentHelp("Clients that send one request after the other (default: 1).", valueName: "n"))
    var clients: Int?

    @Option(help: ArgumentHelp("Numbers of clients, one run each, as 1,4,8,16.", valueName: "list"))
    var sweep: CountList?

    @Option(help: ArgumentHelp("Requests a second that arrive, instead of clients.", valueName: "r"))
    var rate: Double?

    @Option(help: ArgumentHelp("Regularity of arrivals: 1 is Poisson, below comes in bursts.", valueName: "b"))
    var burstiness = 1.0

    @Option(help: ArgumentHelp("Requests of a run (default: what fits into --seconds).", valueName: "n"))
    var requests: Int?

    @Option(help: ArgumentHelp("Seconds in which requests are sent (default: 30 without --requests).", valueName: "s"))
    var seconds: Double?

    @Option(help: ArgumentHelp("Tokens of a prompt, as 128 or 100-400.", valueName: "range"))
    var promptTokens = CountRange(128...128)

    @Option(help: ArgumentHelp("Tokens of an answer, as 64 or 32-256.", valueName: "range"))
    var outputTokens = CountRange(64...64)

    @Option(help: ArgumentHelp("Share of each prompt that all begin with, 0 to 1.", valueName: "share"))
    var sharedPrefix = 0.0

    @Option(help: ArgumentHelp("chat or completions.", valueName: "name"))
    var interface = LoadPlan.Interface.chat

    @Option(help: ArgumentHelp("The model's name (default: the first that the server lists).", valueName: "name"))
    var model: String?

    @Option(help: ArgumentHelp("Key that the server asks for.", valueName: "key"))
    var apiKey: String?

    @Option(help: ArgumentHelp("Time to the first token that counts for goodput, as 500ms or 2s.", valueName: "time"))
    var objectiveTtft = TimeSpan(seconds: 0.5)

    @Option(help: ArgumentHelp("Tokens a second of an answer that count for goodput.", valueName: "n"))
    var objectiveRate = 20.0

    @Option(help: ArgumentHelp("Time after which a request has failed, as 600s.", valueName: "time"))
    var timeout = TimeSpan(seconds: 600)

    @Option(help: ArgumentHelp("0 is greedy.", valueName: "t"))
    var temperature = 0.0

    @Option(
        help: ArgumentHelp(
            "Seed of prompts, lengths and arrivals; each further run of a sweep has the next.", valueName: "n"))
    var seed = 1

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    func validate() throws {
        if [clients != nil, sweep != nil, rate != nil].count(where: { $0 }) > 1 {
            throw ValidationError("give one of --clients, --sweep and --rate")
        }
    }

    func run() async throws {
        let paces =
            if let rate { [LoadPlan.Pace.rate(rate, burstiness: burstiness)] } else {
                (sweep?.values ?? [clients ?? 1]).map { LoadPlan.Pace.clients($0) }
            }
        var plan = LoadPlan(endpoint: try Endpoint(server))
        plan.interface = interface
        plan.model = model
        plan.apiKey = apiKey
        plan.requests = requests
        plan.seconds = seconds ?? (requests == nil ? 30 : nil)
        plan.promptTokens = promptTokens.range
        plan.outputTokens = outputTokens.range
        plan.sharedPrefix = sharedPrefix
        plan.temperature = temperature
        plan.seed = seed
        plan.timeout = timeout.seconds
        plan.objective = LoadPlan.Objective(timeToFirstToken: objectiveTtft.seconds, tokensPerSecond: objectiveRate)
        for pace in paces {
            plan.pace = pace
            try plan.validate()
        }
        let run = try await LoadRun(plan)
        var reports: [LoadReport] = []
        for (number, pace) in paces.enumerated() {
            let line = ProgressLine(pace)
            let report = try await run.paced(pace, seed: seed &+ number).report { line.show($0) }
            line.clear()
            reports.append(report)
            if !json { try Console.line(LoadTable.text(report, isFirst: reports.count == 1)) }
        }
        if json { try Console.line(JSON.object(["runs": .array(reports.map(\.json))]).text()) }
        if reports.contains(where: { $0.completed == 0 }) {
            throw InputError("no request was completed in a run", remedy: "the table says why they failed")
        }
    }
}

/// One line on standard error that says how far a run is: rewritten on a terminal, otherwise every tenth of a minute.
private final class ProgressLine: Sendable {
    private let name: String
    private let shown = Mutex(0.0)

    init(_ pace: LoadPlan.Pace) { name = LoadTable.name(pace) }

    func show(_ progress: LoadRun.Progress) {
        shown.withLock { shown in
            guard progress.seconds >= shown + (Console.errorIsTerminal ? 0.2 : 6) else { return }
            shown = progress.seconds
            let rate = HumanFormat.fixed(Double(progress.outputTokens) / max(progress.seconds, 1e-9), 1)
            let text =
                "\(name): \(HumanFormat.duration(progress.seconds)), \(progress.completed) completed, "
                + "\(progress.failed) failed, \(rate) tokens/s"
            if Console.errorIsTerminal { Console.show("\r\u{1B}[K" + text) } else { Console.report(text) }
        }
    }

    func clear() { if Console.errorIsTerminal { Console.show("\r\u{1B}[K") } }
}
