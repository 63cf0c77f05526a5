import ArgumentParser
import Minke
import MinkeConsole

/// `minke tokenizer`
struct TokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer",
        abstract: "Encode, decode, render chats, or train a tokenizer.",
        subcommands: [Encode.self, Decode.self, Render.self, Train.self])

    /// `minke tokenizer encode`
    struct Encode: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Turn text into token ids.",
            discussion: """
                  minke tokenizer encode models/whale --text "Call me"
                  echo '{"text": "Call me"}' | minke tokenizer encode models/whale --jsonl
                """)

        @Argument(help: "A model's folder, or a tokenizer.json.")
        var model: String

        @Option(help: "Print the ids of this text, as 1,2,3.")
        var text: String?

        @Flag(help: #"Read lines {"text": …} from standard input, and print {"ids": […]} for each."#)
        var jsonl = false

        @Flag(inversion: .prefixedNo, help: "Whether control tokens written in the text become those tokens.")
        var special = true

        @Flag(help: "Put the token that begins a document in front.")
        var bos = false

        func validate() throws {
            if (text != nil) == jsonl { throw ValidationError("give one of --text and --jsonl") }
        }

        func run() throws {
            let tokenizer = try Tokenizer(path: model)
            let first = try bos ? [beginning(of: tokenizer)] : []
            let encoder = TokenEncoder(tokenizer)
            if let text {
                let ids = first + encoder.encode(text, parsingSpecialTokens: special)
                return try Console.line(ids.map(String.init).joined(separator: ","))
            }
            try TokenizerCommand.forEachLine { json, place in
                guard let text = json["text"]?.stringValue else {
                    throw InputError("there is no text", at: "\(place): text")
                }
                let ids = first + encoder.encode(text, parsingSpecialTokens: special)
                try Console.line(JSON.object(["ids": JSON(ids: ids)]).text())
            }
        }

        private func beginning(of tokenizer: Tokenizer) throws -> Int32 {
            guard let id = tokenizer.bosToken else {
                throw InputError("the tokenizer has no token that begins a document", at: model)
            }
            return id
        }
    }

    /// `minke tokenizer decode`
    struct Decode: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Turn token ids into text.",
            discussion: """
                  minke tokenizer decode models/whale --ids 1,2,3
                  echo '{"ids": [1, 2, 3]}' | minke tokenizer decode models/whale --jsonl
                """)

        @Argument(help: "A model's folder, or a tokenizer.json.")
        var model: String

        @Option(help: ArgumentHelp("Print the text of these ids.", valueName: "list"))
        var ids: String?

        @Flag(help: #"Read lines {"ids": […]} from standard input, and print {"text": …} for each."#)
        var jsonl = false

        @Flag(inversion: .prefixedNo, help: "Whether control tokens appear in the text.")
        var special = true

        func validate() throws {
            if (ids != nil) == jsonl { throw ValidationError("give one of --ids and --jsonl") }
        }

        func run() throws {
            let listed = try ids.map { try TokenArguments.list($0) }
            let tokenizer = try Tokenizer(path: model)
            if let listed {
                try check(listed, tokenizer, at: "--ids")
                return try Console.line(tokenizer.decode(listed, skippingSpecialTokens: !special))
            }
            try TokenizerCommand.forEachLine { json, place in
                let ids = try TokenArguments.list(json["ids"] ?? .null, at: "\(place): ids")
                try check(ids, tokenizer, at: "\(place): ids")
                let text = tokenizer.decode(ids, skippingSpecialTokens: !special)
                try Console.line(JSON.object(["text": .string(text)]).text())
            }
        }

        /// Ids without text are no mistake within the vocabulary: models pad it.
        private func check(_ ids: [Int32], _ tokenizer: Tokenizer, at place: String) throws {
            guard let id = ids.first(where: { $0 >= tokenizer.vocabularySize }) else { return }
            throw InputError(
                "the token \(id) lies beyond the vocabulary of \(tokenizer.vocabularySize) tokens", at: place)
        }
    }

    /// `minke tokenizer train`
    struct Train: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Learn a byte-level BPE tokenizer from text.",
            discussion: """
                DATA is a file, a folder, or a pattern; .jsonl files have one text a line (key "text"), .gz is unpacked. \
                Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json.

                  minke tokenizer train book.txt --vocabulary 4096 --out tokenizer
                """)

        @Argument(help: "Files, folders or patterns.")
        var data: [String]

        @Option(help: ArgumentHelp("Number of tokens, 256 bytes and 3 control tokens included.", valueName: "n"))
        var vocabulary: Int

        @Option(help: ArgumentHelp("The folder to write.", valueName: "folder"))
        var out: String

        @Option(help: ArgumentHelp("The longest sequence of the models to come, in tokens.", valueName: "n"))
        var context = 131_072

        @Flag(help: "Say nothing when done.")
        var quiet = false

        func run() throws {
            let trainer = BytePairTrainer()
            try Corpus(data).forEachDocument { trainer.addLines(of: $0.bytes) }
            let tokenizer = try trainer.train(vocabularySize: vocabulary)
            try tokenizer.write(to: out, maximumLength: context)
            if quiet { return }
            let count = "\(HumanFormat.grouped(tokenizer.vocabularySize)) tokens"
            let wanted = tokenizer.vocabularySize < vocabulary ? " (the text has no more pairs that occur twice)" : ""
            Console.report("\(count) from \(HumanFormat.grouped(trainer.wordCount)) different words\(wanted): \(out)")
        }
    }

    /// Calls `body` with every line of standard input that is not empty, read as JSON, and its place.
    fileprivate static func forEachLine(_ body: (JSON, String) throws -> Void) throws {
        var lines = LineReader()
        var number = 0
        while let line = try lines.next() {
            number += 1
            if line.isEmpty { continue }
            let place = "standard input: line \(number)"
            let json: JSON
            do {
                json = try JSON(parsing: line)
            } catch let error as InputError {
                throw error.located(at: place)
            }
            try body(json, place)
        }
    }
}
