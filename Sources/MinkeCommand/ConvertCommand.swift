import ArgumentParser
import Minke
import MinkeCheckpoints
import MinkeConsole

/// `minke convert`
struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Convert a model between Hugging Face folders and GGUF, and quantise it.",
        discussion: """
            IN is a folder (F32, F16, BF16, or FP8 with its scales) or a GGUF file. OUT is a GGUF file when its name ends
            in .gguf, else a folder, which takes f32, bf16 and f16.

              minke convert models/whale whale.gguf --type q4_k_m
              minke convert whale.gguf models/whale-again --type f32
              minke convert whale-f32.gguf whale-q8.gguf --type q8_0

            In GGUF files norms and routers stay F32. Rows that are no whole number of blocks take the next finer type that fits.
            """)

    @Argument(help: ArgumentHelp("A model's folder or a GGUF file.", valueName: "in"))
    var input: String

    @Argument(help: ArgumentHelp("The file or folder to write.", valueName: "out"))
    var output: String

    @Option(
        help: ArgumentHelp("\(TargetType.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "type"))
    var type: TargetType

    @Flag(help: "Replace a target that is there already.")
    var force = false

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    @Flag(help: "No progress on standard error.")
    var quiet = false

    @OptionGroup var compute: ComputeOptions

    func run() throws {
        compute.apply()
        guard FileSystem.exists(input) else { throw InputError("no such file or folder", at: input) }
        try checkOutput()
        Interruption.listen(toTermination: true)
        let progress = ConversionProgress(isQuiet: quiet)
        let converter = ModelConverter(to: type) { done, total in
            if Interruption.isRequested { throw InputError("interrupted; nothing was written", at: output) }
            progress.show(done, of: total)
        }
        defer { progress.end() }
        var report: ConversionReport
        switch (FileSystem.isDirectory(input), output.hasSuffix(".gguf")) {
        case (true, true): report = try converter.convert(folder: input, toGGUF: output)
        case (false, true): report = try converter.convert(gguf: input, toGGUF: output)
        case (true, false):
            report = try converter.convert(folder: input, toFolder: output)
            try Self.copyTokenizer(from: input, to: output)
        case (false, false):
            report = try converter.convert(gguf: input, toFolder: output)
            report.notes += try Self.writeTokenizer(of: GGUFFile(path: input), to: output)
        }
        progress.end()
        if json {
            try Console.line(JSON.object(report.json.objectValue ?? [:]).text())
        } else {
            for note in report.notes { Console.report("note: \(note)") }
            try Console.write(report.table)
        }
    }

    /// The source must survive, and so must what somebody else has written.
    private func checkOutput() throws {
        guard FileSystem.exists(output) else { return }
        guard !FileSystem.isSame(input, output) else {
            throw InputError("is both source and target", at: output, remedy: "name another target")
        }
        let result = output.hasSuffix(".gguf") ? output : FileSystem.join(output, "config.json")
        if !force, FileSystem.exists(result) {
            throw InputError("is there already", at: result, remedy: "--force replaces it")
        }
    }

    /// Everything that is about text, as it is.
    private static func copyTokenizer(from source: String, to target: String) throws {
        for name in [
            "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
            "generation_config.json",
        ] {
            let path = FileSystem.join(source, name)
            if FileSystem.exists(path) {
                try AtomicFile.write(FileSystem.readAll(path), to: FileSystem.join(target, name))
            }
        }
    }
}

extension ConvertCommand {
    /// Writes the tokenizer and chat template of a GGUF file into a folder; returns what hindered it.
    private static func writeTokenizer(of file: GGUFFile, to folder: String) throws -> [String] {
        let model = try file.metadata.string("tokenizer.ggml.model") ?? "none"
        guard model != "none", model != "no_vocab" else { return ["the file has no vocabulary: no tokenizer.json"] }
        let tokenizer: Tokenizer
        do {
            tokenizer = try Tokenizer(gguf: file)
        } catch let error as InputError {
            return ["no tokenizer.json: \(error)"]
        }
        let context = try file.metadata.string("general.architecture").flatMap {
            try file.metadata.integer("\($0).context_length")
        }
        try tokenizer.write(to: folder, maximumLength: context ?? 2048)
        if let template = file.chatTemplate {
            let path = FileSystem.join(folder, "tokenizer_config.json")
            var options = try JSON(parsing: FileSystem.readAll(path)).objectValue ?? [:]
            options["chat_template"] = .string(template)
            try AtomicFile.write(JSON.object(options).text(indented: true) + "\n", to: path)
        }
        return []
    }
}

extension TargetType: ExpressibleByArgument {}

/// One line on standard error: how far, how fast, how long still.
private final class ConversionProgress {
    private let isQuiet: Bool
    private let start = ContinuousClock.now
    private var lastShown: ContinuousClock.Instant?
    private var isShown = false

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    func show(_ done: Int, of total: Int) {
        let now = ContinuousClock.now
        let interval: Duration = Console.errorIsTerminal ? .milliseconds(100) : .seconds(10)
        guard !isQuiet, now - (lastShown ?? start) >= interval, done > 0 else { return }
        lastShown = now
        let seconds = (now - start) / .seconds(1)
        let left = seconds / Double(done) * Double(total - done)
        let line =
            "\(HumanFormat.fixed(100 * Double(done) / Double(max(total, 1)), 1)) % of "
            + "\(HumanFormat.count(Double(total))) weights, \(HumanFormat.count(Double(done) / seconds))/s, "
            + "\(HumanFormat.duration(left)) left"
        Console.show(Console.errorIsTerminal ? "\r\u{1B}[K" + line : line + "\n")
        isShown = Console.errorIsTerminal
    }

    /// Clears the line.
    func end() {
        if isShown { Console.show("\r\u{1B}[K") }
        isShown = false
    }
}

extension ConversionReport {
    /// A line for every kind of weights, and one for all.
    fileprivate var table: String {
        var rows = [["weights", "tensors", "elements", "types", "before", "after", "relative error"]]
        for part in parts {
            rows.append([
                part.kind.rawValue, "\(part.tensors)", HumanFormat.count(Double(part.elements)),
                part.types.map(\.rawValue).joined(separator: " "), HumanFormat.bytes(part.bytesBefore),
                HumanFormat.bytes(part.bytesAfter), Self.percent(part.relativeError),
            ])
        }
        rows.append([
            "all", "\(parts.reduce(0) { $0 + $1.tensors })", HumanFormat.count(Double(elements)), "",
            HumanFormat.bytes(bytesBefore), HumanFormat.bytes(bytesAfter), Self.percent(relativeError),
        ])
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).enumerated().map { column, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 || column == 3 ? cell.0 + space : space + cell.0
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }

    private static func percent(_ error: Double) -> String {
        error == 0 ? "0" : HumanFormat.significant(100 * error, 3) + " %"
    }
}
