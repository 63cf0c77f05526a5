import Minke
import MinkeConsole

/// A conversation with a model: its messages, and how answers are shown.
struct ChatSession {
    private let template: ChatTemplate
    private let tokenizer: Tokenizer
    private let generator: TextGenerator
    private let variables: JSON.Object
    private let options: GenerationOptions
    /// Tokens that end an answer although the model's files do not say so.
    private let endTokens: Set<Int32>
    private let system: [ChatMessage]
    private var turns: [ChatMessage] = []

    private static let thinkBegin = "<think>"
    private static let thinkEnd = "</think>"

    /// - Parameter variables: what the template is told beside the messages, as `thinking`.
    init(
        _ model: TextModel, tokenizer: Tokenizer, template: ChatTemplate, system: String?, variables: JSON.Object,
        options: GenerationOptions
    ) {
        self.template = template
        self.tokenizer = tokenizer
        self.variables = variables
        self.options = options
        self.system = system.map { [ChatMessage(role: "system", content: $0)] } ?? []
        generator = TextGenerator(model)
        endTokens = tokenizer.turnEndTokens
    }

    /// Forgets what was said.
    mutating func reset() { turns = [] }

    /// Shows the model's answer to `text` as it comes.
    ///
    /// - Throws: ``InputError`` when there can be no answer; the conversation is then as it was before.
    mutating func answer(_ text: String) throws {
        let before = turns
        turns.append(ChatMessage(role: "user", content: text))
        do {
            let (prompt, ids) = try prompt()
            let answer = try generate(
                ids, isThinking: prompt.text.hasSuffix(Self.thinkBegin) || prompt.text.hasSuffix(Self.thinkBegin + "\n")
            )
            turns.append(answer)
        } catch {
            turns = before
            throw error
        }
    }

    /// The prompt, with the oldest turns left out if it would not fit.
    private mutating func prompt() throws -> (ChatPrompt, [Int32]) {
        let room = min(256, generator.contextLength / 4)
        var dropped = 0
        while true {
            let prompt = try template.render(ChatConversation(system + turns, variables: variables))
            let ids = tokenizer.encode(prompt)
            let next = turns.dropFirst().firstIndex { $0.role == "user" }
            if ids.count + room <= generator.contextLength || next == nil {
                if dropped > 0 {
                    let turns = dropped == 1 ? "the oldest turn is" : "the \(dropped) oldest turns are"
                    Console.report("(the context of \(generator.contextLength) tokens is full: \(turns) forgotten)")
                }
                return (prompt, ids)
            }
            turns.removeFirst(next ?? 0)
            dropped += 1
        }
    }

    /// Lets the model answer. Returns the message without end token, its thoughts apart.
    private func generate(_ ids: [Int32], isThinking: Bool) throws -> ChatMessage {
        _ = Interruption.take()
        let dims = Console.outputIsTerminal
        var isDim = false
        func setDim(_ wanted: Bool) throws {
            guard dims, wanted != isDim else { return }
            isDim = wanted
            try Console.write(wanted ? "\u{1B}[2m" : "\u{1B}[0m")
        }
        var text = ""
        try setDim(isThinking)
        var isEnded = false
        let generation = try generator.generate(ids, options: options) { piece in
            if endTokens.contains(piece.id) {
                isEnded = true
                return false
            }
            let token = tokenizer.token(for: piece.id)
            if token == Self.thinkBegin { try setDim(true) }
            // A control token that carries no text still parts thoughts from the answer.
            let isMark = token == Self.thinkBegin || token == Self.thinkEnd
            let shown = isMark && piece.text.isEmpty ? token ?? "" : piece.text
            text += shown
            try Console.write(shown)
            if token == Self.thinkEnd { try setDim(false) }
            return !Interruption.isRequested
        }
        try setDim(false)
        _ = Interruption.take()
        try Console.write("\n")
        if generation.stopReason == .length, !isEnded {
            Console.report("(the answer was cut off: as long as it may be)")
        }
        return Self.message(text, beganThinking: isThinking)
    }

    /// Parts thoughts and answer.
    private static func message(_ text: String, beganThinking: Bool) -> ChatMessage {
        guard beganThinking || text.hasPrefix(thinkBegin) else { return ChatMessage(role: "assistant", content: text) }
        let parts = text.split(separator: thinkEnd, maxSplits: 1, omittingEmptySubsequences: false)
        let thoughts = parts[0].hasPrefix(thinkBegin) ? parts[0].dropFirst(thinkBegin.count) : parts[0]
        return ChatMessage(
            role: "assistant", content: parts.count > 1 ? String(parts[1]) : "", reasoning: String(thoughts))
    }
}
