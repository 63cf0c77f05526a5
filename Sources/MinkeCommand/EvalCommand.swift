import ArgumentParser
import Minke
import MinkeConsole

/// `minke eval`
struct EvalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Measure how well a model predicts texts.",
        discussion: """
            Prints the loss per token (nats), the perplexity, and the bits per byte, which compare across tokenizers. \
            Texts are cut into windows of the context that do not overlap; every token but a text's first is predicted \
            once, and the first too where the tokenizer adds a beginning token.

            DATA is a file, a folder, or a pattern; .jsonl files have one text a line (key "text"), .gz is unpacked.

              minke eval models/whale book.txt
              minke eval models/whale texts/ --context 256 --max-bytes 1000000 --json
            """)

    @Argument(help: "The model's folder or .gguf file.")
    var model: String

    @Argument(help: "Files, folders or patterns.")
    var data: [String]

    @Option(help: ArgumentHelp("Tokens of a window (default: the model's context, at most 2048).", valueName: "n"))
    var context: Int?

    @Option(help: ArgumentHelp("Read this much text at most.", valueName: "n"))
    var maxBytes: Int?

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @OptionGroup var load: LoadArguments
    @OptionGroup var compute: ComputeOptions

    func validate() throws {
        if let context, context < 1 { throw ValidationError("--context must be 1 or more") }
        if let maxBytes, maxBytes < 1 { throw ValidationError("--max-bytes must be 1 or more") }
    }

    func run() throws {
        compute.apply()
        let corpus = try Corpus(data, options: Corpus.Options(maximumBytes: maxBytes))
        let evaluator = try Evaluator(
            try TextModel(contentsOf: model, options: load.options), contextLength: context)
        let start = ContinuousClock.now
        var progress = EvaluationProgress(start: start)
        evaluator.onProgress = { progress.show($0) }
        try corpus.forEachDocument { document in
            do {
                try evaluator.add(document.bytes)
            } catch let error as InputError {
                throw error.located(at: document.location)
            }
        }
        let evaluation = try evaluator.finish()
        progress.clear()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        try Console.line(json ? evaluation.json(seconds: seconds).text() : evaluation.text(seconds: seconds))
    }
}

/// A line on standard error now and then.
private struct EvaluationProgress {
    private var last: ContinuousClock.Instant

    init(start: ContinuousClock.Instant) { last = start }

    mutating func show(_ evaluation: Evaluation) {
        let interval: Duration = Console.errorIsTerminal ? .milliseconds(200) : .seconds(10)
        guard ContinuousClock.now - last >= interval else { return }
        last = ContinuousClock.now
        let text =
            "\(HumanFormat.bytes(evaluation.bytes)) evaluated, \(HumanFormat.fixed(evaluation.bitsPerByte, 4)) bits/byte"
        Console.errorIsTerminal ? Console.show("\r\u{1B}[K" + text) : Console.report(text)
    }

    func clear() {
        if Console.errorIsTerminal { Console.show("\r\u{1B}[K") }
    }
}

extension Evaluation {
    fileprivate func json(seconds: Double) -> JSON {
        [
            "loss": .number(loss), "perplexity": .number(perplexity), "bits_per_byte": .number(bitsPerByte),
            "tokens": .integer(tokens), "bytes": .integer(bytes), "seconds": .number(seconds),
        ]
    }

    fileprivate func text(seconds: Double) -> String {
        """
        loss per token  \(HumanFormat.fixed(loss, 4)) nats
        perplexity      \(HumanFormat.significant(perplexity, 5))
        bits per byte   \(HumanFormat.fixed(bitsPerByte, 4))
        tokens          \(HumanFormat.grouped(tokens))
        bytes           \(HumanFormat.grouped(bytes))
        time            \(HumanFormat.duration(seconds))
        """
    }
}
