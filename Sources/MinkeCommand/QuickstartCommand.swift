import ArgumentParser
import Minke
import MinkeConsole
import MinkeFiles
import MinkeTraining

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `minke quickstart`: everything once, in about a minute and a half.
struct QuickstartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quickstart",
        abstract: "Trains a small sparse model and its dense twin on text at hand; shows what was saved.",
        discussion: """
            Examples:
              minke quickstart
              minke quickstart --data book.txt --seconds 60 --out tryout

            Without --data it reads the Swift sources at hand: this package, its checkouts, and the interfaces that came
            with the toolchain. The sparse model is that of --preset memory with tables of 65,536 rows; its twin has a
            dense feed-forward layer and no tables.
            """)

    @Option(help: "Text to train on instead (file, folder or glob).")
    var data: [String] = []

    @Option(help: "Training time of each of the two models, in seconds.")
    var seconds = 35.0

    @Option(help: "The folder of both runs.")
    var out = "minke-quickstart"

    @Option(help: "Seed of weights and data order.")
    var seed = 1

    @OptionGroup var compute: ComputeOptions

    @Flag(help: "Only the result, no progress.")
    var quiet = false

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    /// Experts and tables of what followed what: what saves time in minutes of training.
    private func recipe() throws -> RunConfiguration {
        var run = try Preset.memory.configuration()
        // The text at hand is short: few of more rows would ever be met.
        run.model.extensions.ngramTableRows = 1 << 16
        run.precision = AutomaticRecipe.Machine.measured().precision
        run.evaluationInterval = 50
        run.evaluationTokens = 65_536
        return run
    }

    func run() throws {
        compute.apply()
        guard seconds > 0 && seconds < 1e6 else { throw InputError("--seconds must lie between 0 and 1e6") }
        let display = ProgressDisplay(quiet: quiet)
        let paths = data.isEmpty ? TextAtHand.paths() : data
        guard !paths.isEmpty else {
            throw InputError("no Swift sources were found here", remedy: "name a text with --data")
        }
        display.message(
            data.isEmpty
                ? "reading Swift sources at hand (your own text: --data PATH)"
                : "reading \(data.joined(separator: ", "))")
        let run = try recipe()
        var options = RunOptions(out: out)
        options.isFresh = true
        options.continuation = "quickstart starts anew each time; minke train goes on where it stopped"
        options.isQuiet = quiet
        options.maximumSeconds = seconds
        options.command = CommandLine.shellText
        let request = TrainingData.Request(
            paths: paths,
            options: Corpus.Options(include: data.isEmpty ? ["swift", "swiftinterface"] : []))
        let prepared = try TrainingData.prepare(
            request, configuration: run, folder: FileSystem.join(out, "data")
        ) { display.message($0) }
        guard
            let comparison = try Comparison.run(
                run, data: prepared, seeds: [seed], options: options, message: { display.message($0) })
        else {
            if json { print(JSON.object(["ending": "interrupted", "out": .string(out)]).text()) }
            return
        }
        let report = FileSystem.join(out, "report.html")
        try AtomicFile.write(try comparison.report(command: options.command).html(), to: report)
        if json {
            var object = comparison.json
            object["sample"] = comparison.sample.map { .string($0) }
            object["report"] = .string(report)
            print(JSON.object(object).text())
            return
        }
        let model = comparison.pairs[0].sparse.out
        print(comparison.table)
        if let sample = comparison.sample { print("\nthe sparse model writes:\n\(sample.indented)") }
        print(
            """

            plots:            \(report)
            let it write:     minke generate \(model) --prompt "func "
            look inside:      minke inspect \(model)
            your own text:    minke train book.txt --out run
            """)
    }
}

extension String {
    fileprivate var indented: String {
        split(separator: "\n", omittingEmptySubsequences: false).map { "  | " + $0 }.joined(separator: "\n")
    }
}

/// Text that is on every machine which can build this package.
private enum TextAtHand {
    /// The package's own sources, the checkouts of its dependencies, and the toolchain's module interfaces.
    static func paths() -> [String] {
        var paths: [String] = []
        if let package = packageRoot() {
            for name in ["Sources", ".build/checkouts"] {
                let path = FileSystem.join(package, name)
                if FileSystem.isDirectory(path) { paths.append(path) }
            }
        }
        if let toolchain = toolchain() {
            let libraries = FileSystem.join(toolchain, "lib/swift")
            for platform in ["linux", "macosx", "host"] {
                let path = FileSystem.join(libraries, platform)
                if FileSystem.isDirectory(path) {
                    paths +=
                        (try? FileSystem.glob(path + "/*.swiftmodule/*.swiftinterface"))?
                        .filter { !$0.hasSuffix(".private.swiftinterface") } ?? []
                }
            }
        }
        return paths
    }

    /// The nearest folder above the current one, or above the binary, that holds this package.
    private static func packageRoot() -> String? {
        let starts = [workingDirectory(), executable().map { FileSystem.directory(of: $0) }].compactMap { $0 }
        for start in starts {
            var folder = start
            while folder.count > 1 {
                if FileSystem.exists(FileSystem.join(folder, "Sources/MinkeModel")) { return folder }
                folder = FileSystem.directory(of: folder)
            }
        }
        return nil
    }

    /// `usr` of the toolchain whose `swift` is first on the path.
    private static func toolchain() -> String? {
        guard let path = getenv("PATH").map({ String(cString: $0) }) else { return nil }
        for folder in path.split(separator: ":") {
            guard let real = resolved(FileSystem.join(String(folder), "swift")) else { continue }
            return FileSystem.directory(of: FileSystem.directory(of: real))
        }
        return nil
    }

    private static func workingDirectory() -> String? {
        guard let path = getcwd(nil, 0) else { return nil }
        defer { free(path) }
        return String(cString: path)
    }

    private static func executable() -> String? { CommandLine.arguments.first.flatMap(resolved) }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
