import ArgumentParser
import Minke
import MinkeConsole

extension TokenizerCommand {
    /// `minke tokenizer render`
    struct Render: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a conversation as the prompt that a model wants.",
            discussion: """
                FILE is a JSON array of messages, or an object with "messages" and, as wanted, "tools", \
                "add_generation_prompt" (true by default), "thinking" and other variables of the template. Control tokens \
                count only where the template writes them, never in messages.

                Without --template the template is the model's own, or else that of its family.

                  minke tokenizer render models/whale --messages chat.json
                  minke tokenizer render --template v3.1 --messages chat.json --json
                """)

        @Argument(help: "A model's folder, or a tokenizer.json; without it only the text is printed.")
        var model: String?

        @Option(
            help: ArgumentHelp(
                "A family (\(ChatFamily.allCases.map(\.rawValue).joined(separator: ", "))) or a file with a Jinja template.",
                valueName: "name"))
        var template: String?

        @Option(help: ArgumentHelp("The messages.", valueName: "file"))
        var messages: String

        @Flag(help: #"Print {"text": …, "ids": […]} instead of the text and a line of ids."#)
        var json = false

        func validate() throws {
            if model == nil, template == nil { throw ValidationError("give a model, or --template") }
        }

        func run() throws {
            let tokenizer = try model.map { try Tokenizer(path: $0) }
            let template = try chatTemplate(tokenizer)
            let prompt = try template.render(conversation())
            let ids = tokenizer?.encode(prompt)
            if json {
                var object: JSON.Object = ["text": .string(prompt.text)]
                if let ids { object["ids"] = JSON(ids: ids) }
                return try Console.line(JSON.object(object).text())
            }
            try Console.line(prompt.text)
            if let ids { try Console.line(ids.map(String.init).joined(separator: ",")) }
        }

        private func chatTemplate(_ tokenizer: Tokenizer?) throws -> ChatTemplate {
            if let template { return try ChatTemplate(named: template, tokenizer: tokenizer) }
            guard let model, let tokenizer, let own = try ChatTemplate(path: model, tokenizer: tokenizer) else {
                throw InputError("the model has no chat template", at: model, remedy: "name one with --template")
            }
            return own
        }

        private func conversation() throws -> ChatConversation {
            do {
                return try ChatConversation(parsing: JSON(parsing: FileSystem.readAll(messages)))
            } catch let error as InputError where error.location?.hasPrefix(messages) != true {
                throw error.located(at: messages)
            }
        }
    }
}
