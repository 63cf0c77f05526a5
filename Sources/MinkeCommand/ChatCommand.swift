import ArgumentParser
import Minke
import MinkeConsole

/// `minke chat`
struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk with a model, or write a text together with it, line by line.",
        discussion: """
            A model with a chat template, its own or its family's, answers each line. Any other model continues the text: \
            each line is added to it as it is, and an empty line lets the model go on.

            The two characters \\n in a line stand for a line break. /reset begins anew, /help explains, Ctrl-C stops the \
            model (or leaves, at the prompt), Ctrl-D leaves.

              minke chat models/whale
              minke chat models/whale --system "Be brief." --thinking
              minke chat models/whale --temperature 0.8 --max-tokens 60 --stop "."
              printf 'Call me\\n' | minke chat models/whale --max-tokens 20
            """)

    @Argument(help: "The model's folder or .gguf file.")
    var model: String

    @Option(
        help: ArgumentHelp(
            "Tokens that the model writes at most at a time (default: 4096 of an answer, 128 of a text).",
            valueName: "n"))
    var maxTokens: Int?

    @Option(help: ArgumentHelp("What the model is told before the conversation.", valueName: "text"))
    var system: String?

    @Flag(help: "Let the model think before it answers, where its template can.")
    var thinking = false

    @Option(
        help: ArgumentHelp(
            "A family (\(ChatFamily.allCases.map(\.rawValue).joined(separator: ", "))), a file with a Jinja template, or none.",
            valueName: "name"))
    var template: String?

    @OptionGroup var sampling: SamplingArguments

    @Option(
        help: ArgumentHelp(
            "A text that ends the model's turn; may be given several times (default for a text: an empty line).",
            valueName: "text"))
    var stop: [String] = []

    @OptionGroup var load: LoadArguments
    @OptionGroup var compute: ComputeOptions

    func validate() throws {
        if let maxTokens, maxTokens < 1 { throw ValidationError("--max-tokens must be 1 or more") }
        if stop.contains("") { throw ValidationError("--stop needs a text") }
    }

    func run() throws {
        compute.apply()
        let textModel = try TextModel(contentsOf: model, options: load.options)
        Interruption.listen()
        if let tokenizer = textModel.tokenizer, let template = try chatTemplate(tokenizer) {
            return try converse(textModel, tokenizer, template)
        }
        if system != nil || thinking || (template ?? "none") != "none" {
            throw InputError("the model has no chat template", at: model, remedy: "name one with --template")
        }
        try write(with: textModel)
    }

    /// Calls `body` with each line that is no command.
    ///
    /// A line that fails does not end what people type, but it does end what a program sends.
    private func forEachLine(help: String, reset: () -> Void, _ body: (String) throws -> Void) throws {
        var lines = LineReader()
        while true {
            if Console.inputIsTerminal { Console.show("> ") }
            guard let bytes = try lines.next() else { break }
            let line = String(decoding: bytes, as: UTF8.self).replacing("\\n", with: "\n")
            switch line {
            case "/help": Console.report(help)
            case "/reset": reset()
            default:
                do {
                    try body(line)
                } catch let error as InputError {
                    guard Console.inputIsTerminal else { throw error }
                    Console.report("error: \(error) (/reset begins anew)")
                }
            }
        }
        if Console.inputIsTerminal { Console.report("") }
    }

    // MARK: Conversations

    /// The template to talk with; nil for a model that only continues text.
    private func chatTemplate(_ tokenizer: Tokenizer) throws -> ChatTemplate? {
        switch template {
        case "none": nil
        case let name?: try ChatTemplate(named: name, tokenizer: tokenizer)
        case nil: try ChatTemplate(path: model, tokenizer: tokenizer)
        }
    }

    private func converse(_ model: TextModel, _ tokenizer: Tokenizer, _ template: ChatTemplate) throws {
        // Templates call the switch by either name; `false` would turn off what some of them do by default.
        let variables: JSON.Object = thinking ? ["thinking": true, "enable_thinking": true] : [:]
        var session = ChatSession(
            model, tokenizer: tokenizer, template: template, system: system, variables: variables,
            options: GenerationOptions(
                maximumTokens: maxTokens ?? 4096, sampling: sampling.options,
                stopStrings: stop))
        try forEachLine(
            help: Self.conversationHelp,
            reset: {
                session.reset()
                Console.report("a new conversation begins")
            }
        ) { line in
            if !line.isEmpty { try session.answer(line) }
        }
    }

    private static let conversationHelp = """
        Type a message, and the model answers; \\n stands for a line break.
        /reset begins a new conversation, Ctrl-C stops the model, Ctrl-D leaves.
        """

    // MARK: Texts

    private func write(with model: TextModel) throws {
        let options = GenerationOptions(
            maximumTokens: maxTokens ?? 128, sampling: sampling.options, stopStrings: stop.isEmpty ? ["\n\n"] : stop)
        let generator = TextGenerator(model)
        let empty = try model.encode("")
        var text = empty
        try forEachLine(
            help: Self.help,
            reset: {
                text = empty
                Console.report("a new text begins")
            }
        ) { line in
            text += model.tokenizer?.encode(line, parsingSpecialTokens: false) ?? []
            text += try turn(generator, text, options)
        }
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
