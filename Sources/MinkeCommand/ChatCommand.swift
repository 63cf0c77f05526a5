import ArgumentParser
import Minke

/// `minke chat`
struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Write a text together with a model, line by line.",
        discussion: """
            Each line that you type is added to the text as it is, and the model continues it; an empty line lets it go \
            on. The two characters \\n in a line stand for a line break. /reset begins a new text, /help explains, \
            Ctrl-C stops the model (or leaves, at the prompt), Ctrl-D leaves.

            The model is not asked to answer: it continues, as a model does that was trained on plain text.

              minke chat models/whale
              minke chat models/whale --temperature 0.8 --max-tokens 60 --stop "."
              printf 'Call me\\n' | minke chat models/whale --max-tokens 20
            """)

    @Argument(help: "The model's folder or .gguf file.")
    var model: String

    @Option(help: ArgumentHelp("Tokens that the model adds at most at a time.", valueName: "n"))
    var maxTokens = 128

    @OptionGroup var sampling: SamplingArguments

    @Option(
        help: ArgumentHelp(
            "A text that ends the model's turn; may be given several times (default: an empty line).", valueName: "text"
        ))
    var stop: [String] = []

    @OptionGroup var load: LoadArguments
    @OptionGroup var compute: ComputeOptions

    func validate() throws {
        if maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more") }
        if stop.contains("") { throw ValidationError("--stop needs a text") }
    }

    func run() throws {
        compute.apply()
        let model = try TextModel(contentsOf: model, options: load.options)
        let options = GenerationOptions(
            maximumTokens: maxTokens, sampling: sampling.options, stopStrings: stop.isEmpty ? ["\n\n"] : stop)
        Interruption.listen()
        let generator = TextGenerator(model)
        let empty = try model.encode("")
        var text = empty
        var lines = LineReader()
        while true {
            if Console.inputIsTerminal { Console.show("> ") }
            guard let bytes = try lines.next() else { break }
            let line = String(decoding: bytes, as: UTF8.self).replacing("\\n", with: "\n")
            switch line {
            case "/help": Console.report(Self.help)
            case "/reset":
                text = empty
                Console.report("a new text begins")
            default:
                text += model.tokenizer?.encode(line, parsingSpecialTokens: false) ?? []
                do {
                    text += try turn(generator, text, options)
                } catch let error as InputError {
                    // The text is at its end, or was never begun; the conversation goes on.
                    guard Console.inputIsTerminal else { throw error }
                    Console.report("error: \(error) (/reset begins a new text)")
                }
            }
        }
        if Console.inputIsTerminal { Console.report("") }
    }

    /// Lets the model add to the text, and returns what it added, without an end token.
    private func turn(_ generator: TextGenerator, _ text: [Int32], _ options: GenerationOptions) throws -> [Int32] {
        _ = Interruption.take()
        let generation = try generator.generate(text, options: options) { piece in
            try Console.write(piece.text)
            return !Interruption.isRequested
        }
        _ = Interruption.take()
        try Console.write("\n")
        return generation.stopReason == .stopToken ? generation.ids.dropLast() : generation.ids
    }

    private static let help = """
        Type how the text goes on, and the model continues it. An empty line lets it go on by itself;
        \\n stands for a line break. /reset begins a new text, Ctrl-C stops the model, Ctrl-D leaves.
        """
}
