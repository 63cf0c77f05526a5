import ArgumentParser
import Minke
import MinkeConsole

/// `minke generate`
struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Continue a text.",
        discussion: """
            The new text goes to standard output as it comes, a summary to standard error. Without a tokenizer.json in \
            the folder, token ids are given and printed.

            Filters apply in this order: repetition penalty, temperature, top-k, top-p, min-p.

              minke generate models/whale --prompt "Call me"
              minke generate models/whale --prompt "Call me" --temperature 0.8 --seed 1
              minke generate models/whale --prompt-file letter.txt --stop "Yours" --json
              minke generate models/whale --ids 1,2,3
            """)

    @Argument(help: "The model's folder or .gguf file.")
    var model: String

    @Option(help: ArgumentHelp("The text to continue.", valueName: "text"))
    var prompt: String?

    @Option(help: ArgumentHelp("A file with the text to continue.", valueName: "file"))
    var promptFile: String?

    @Option(help: ArgumentHelp("Token ids to continue, as 1,2,3.", valueName: "list"))
    var ids: String?

    @Option(help: ArgumentHelp("New tokens at most.", valueName: "n"))
    var maxTokens = 256

    @OptionGroup var sampling: SamplingArguments

    @Option(
        help: ArgumentHelp(
            "Let the model's prediction module propose tokens: on, off, or auto (where it is faster). The text is the same.",
            valueName: "when"))
    var speculate = Speculation.auto

    @Option(help: ArgumentHelp("A text that ends the generation; may be given several times.", valueName: "text"))
    var stop: [String] = []

    @Flag(help: "Go on after the model's end tokens.")
    var ignoreEos = false

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @Flag(help: "No summary.")
    var quiet = false

    @OptionGroup var load: LoadArguments
    @OptionGroup var compute: ComputeOptions

    func validate() throws {
        guard [prompt, promptFile, ids].filter({ $0 != nil }).count == 1 else {
            throw ValidationError("give one of --prompt, --prompt-file and --ids")
        }
        if maxTokens < 0 { throw ValidationError("--max-tokens must be 0 or more") }
        if stop.contains("") { throw ValidationError("--stop needs a text") }
    }

    func run() throws {
        compute.apply()
        let listed = try ids.map { try TokenArguments.list($0) }
        let model = try TextModel(contentsOf: model, options: load.options)
        if speculate == .on, !model.hasDraftModule {
            throw InputError("the model has no prediction module", at: self.model, remedy: "leave --speculate out")
        }
        let prompt = try listed ?? model.encode(text())
        let options = GenerationOptions(
            maximumTokens: maxTokens, sampling: sampling.options, stopStrings: stop, ignoresStopTokens: ignoreEos,
            speculation: speculate)
        let generation = try model.generate(ids: prompt, options: options) { piece in
            if !json { try Console.write(model.tokenizer == nil ? "\(piece.id) " : piece.text) }
            return true
        }
        if json { return try Console.line(generation.json.text()) }
        try Console.write("\n")
        if !quiet { Console.report(generation.summary) }
    }

    private func text() throws -> String {
        if let prompt { return prompt }
        return String(decoding: try FileSystem.readAll(promptFile ?? ""), as: UTF8.self)
    }
}

extension Generation {
    /// One object; `speculation` is in it where there was some.
    var json: JSON {
        var json: JSON.Object = [
            "ids": JSON(ids: ids), "text": .string(text), "prompt_tokens": .integer(promptTokens),
            "tokens_per_second": .number(tokensPerSecond), "stop_reason": .string(stopReason?.rawValue ?? ""),
        ]
        if let acceptanceRate {
            json["speculation"] = [
                "drafted": .integer(draftedTokens), "accepted": .integer(acceptedTokens),
                "acceptance_rate": .number(acceptanceRate),
            ]
        }
        if let experts { json["experts"] = experts.json }
        return .object(json)
    }

    /// One line for people.
    var summary: String {
        let reason =
            switch stopReason {
            case .stopToken: "end token"
            case .stopString: "stop text"
            case .length: "length"
            case .cancelled, nil: "interrupted"
            }
        let proposals =
            acceptanceRate.map { ", \(HumanFormat.percent($0)) of \(draftedTokens) proposals accepted" } ?? ""
        return "\(promptTokens) prompt tokens in \(HumanFormat.duration(promptSeconds)), \(ids.count) new tokens, "
            + "\(HumanFormat.rate(tokensPerSecond, "tok/s"))\(proposals)\(experts.map { ", \($0.text)" } ?? ""), ended by \(reason)"
    }
}

extension Speculation: ExpressibleByArgument {}
