import MinkeFiles

/// Takes an answer apart while it is generated: thoughts, content and tool calls.
///
/// The inverse of a chat template. Text is passed on as soon as it cannot be the beginning of a marker, in whole
/// characters. A tool call that does not follow the format from its beginning on is content; nothing is lost.
public struct AnswerParser: Sendable {
    /// A part of an answer, in the order in which it was written.
    public enum Event: Equatable, Sendable {
        case reasoning(String)
        case content(String)
        /// A call whose name is known.
        case toolCallBegan(index: Int, id: String, name: String)
        /// More of the JSON text of a call's arguments.
        case toolCallArguments(index: Int, String)
        /// A call is complete, or was cut off by the end of the answer.
        case toolCallEnded(index: Int)
    }

    /// What an answer is made of.
    public enum Part: Sendable {
        case reasoning, content, toolCalls
    }

    typealias Symbol = AnswerSymbols.Symbol

    enum Mode: Equatable {
        /// Nothing but white space came yet.
        case start
        case reasoning
        case content
        /// Behind the opening of a list of calls, or between two of them.
        case calls
        /// In front of a call's arguments.
        case header
        /// In arguments that are JSON text.
        case arguments(isFenced: Bool)
        /// Between the arguments of markup.
        case parameters
        /// In an argument's value.
        case value(isText: Bool)
    }

    let syntax: AnswerSyntax
    let symbols: AnswerSymbols
    let patterns: Patterns
    let parameterTypes: [String: [String: Bool]]
    private let makeID: @Sendable (Int) -> String
    var buffer: [Symbol] = []
    var mode: Mode
    /// What was taken of the present list of calls before a call of it was understood, to be given back as content.
    var unused: [Symbol] = []
    /// Whether line breaks are dropped until something else comes.
    var skipsSpace = false
    var parameters = ParameterState()
    /// Whether no more comes, so that nothing is held back.
    var isFinishing = false
    private var events: [Event] = []
    /// How many calls began.
    private(set) var callCount = 0

    /// - Parameters:
    ///   - tokenizer: what ``append(_:)-(Int32)`` takes ids of. Without one, markers are recognised by their spelling.
    ///   - prompt: what the model answers; it tells whether the answer begins inside thoughts.
    ///   - tools: the functions that were offered, which tell text from other values where the format does not.
    ///   - makeID: gives a call its id, by its index, where the format has none.
    public init(
        _ syntax: AnswerSyntax, tokenizer: Tokenizer?, prompt: ChatPrompt, tools: [JSON] = [],
        makeID: @escaping @Sendable (Int) -> String = { _ in AnswerParser.randomID() }
    ) {
        self.syntax = syntax
        self.makeID = makeID
        symbols = AnswerSymbols(syntax, tokenizer: tokenizer)
        patterns = Patterns(syntax, symbols)
        mode = AnswerSyntax.isThinking(behind: prompt) ? .reasoning : .start
        skipsSpace = mode == .reasoning && syntax.trimsThoughts
        var types: [String: [String: Bool]] = [:]
        for tool in tools {
            let function = tool["function"] ?? tool
            guard let name = function["name"]?.stringValue else { continue }
            for (key, schema) in function["parameters"]?["properties"]?.objectValue ?? [:] {
                if let type = schema["type"] { types[name, default: [:]][key] = type == "string" }
            }
        }
        parameterTypes = types
    }

    /// An id that no other call has.
    public static func randomID() -> String {
        let letters = Array("0123456789abcdefghijklmnopqrstuvwxyz")
        return "call_" + String((0..<24).map { _ in letters[Int.random(in: letters.indices)] })
    }

    /// The part of the answer that is being written.
    public var part: Part {
        switch mode {
        case .reasoning: .reasoning
        case .start, .content: .content
        case .calls, .header, .arguments, .parameters, .value: .toolCalls
        }
    }

    // MARK: Feeding

    /// Takes the next token and returns what is known with it.
    public mutating func append(_ id: Int32) -> [Event] { append(symbols.symbols(of: id)) }

    /// Takes more text, in which control tokens of the vocabulary do not count.
    public mutating func append(_ text: String) -> [Event] { append(text.utf8.map { Symbol($0) }) }

    /// Takes bytes of text, which may end inside a character.
    public mutating func append(bytes: some Sequence<UInt8>) -> [Event] { append(bytes.map { Symbol($0) }) }

    /// Returns what was held back, when no more comes.
    public mutating func finish() -> [Event] {
        isFinishing = true
        return append([])
    }

    private mutating func append(_ symbols: [Symbol]) -> [Event] {
        buffer += symbols
        while step() {}
        defer { events = [] }
        return events
    }

    /// Goes on by one piece; false where more must come first.
    private mutating func step() -> Bool {
        if skipsSpace { skipSpace() }
        if buffer.isEmpty, !isFinishing { return false }
        switch mode {
        case .start: return stepStart()
        case .reasoning: return stepReasoning()
        case .content: return stepContent()
        case .calls: return stepCalls()
        case .header: return stepHeader()
        case .arguments(let isFenced): return stepArguments(isFenced)
        case .parameters: return stepParameters()
        case .value(let isText): return stepValue(isText)
        }
    }

    // MARK: Thoughts and content

    private mutating func stepStart() -> Bool {
        let text = buffer.drop { Self.isSpace($0) }
        if text.isEmpty, !isFinishing { return false }
        if text.starts(with: patterns.thinkBegin) {
            buffer.removeFirst(buffer.count - text.count + patterns.thinkBegin.count)
            mode = .reasoning
            skipsSpace = syntax.trimsThoughts
            return true
        }
        if !isFinishing, patterns.thinkBegin.starts(with: text) { return false }
        mode = .content
        return true
    }

    private mutating func stepReasoning() -> Bool {
        // A token that opens calls ends thoughts; its spelling is but text there.
        let opening = patterns.open.filter { $0[0] >= 256 }
        let trims = syntax.trimsThoughts
        guard let match = pass([patterns.thinkEnd] + opening, holding: trims ? 2 : 0, { $0.emit(.reasoning($1)) })
        else {
            return false
        }
        if match == 0 {
            consume(patterns.thinkEnd.count)
            skipsSpace = trims
        }
        mode = .content
        return true
    }

    private mutating func stepContent() -> Bool {
        guard let match = pass(patterns.open, holding: patterns.breaksBeforeCalls, { $0.emit(.content($1)) }) else {
            return false
        }
        unused = Array(buffer[..<patterns.open[match].count])
        consume(unused.count)
        mode = syntax.calls == .tagged ? .header : .calls
        return true
    }

    /// Hands text to `sink` up to the first of `patterns`, and returns which one lies in front now.
    ///
    /// - Parameter holding: so many line breaks are held back, and dropped in front of a pattern.
    mutating func pass(_ patterns: [[Symbol]], holding: Int = 0, _ sink: (inout AnswerParser, String) -> Void) -> Int? {
        let search = SymbolSearch(patterns, in: buffer)
        let isOpen = search.match == nil && !isFinishing
        var count = search.match == nil && isFinishing ? buffer.count : search.count
        if isOpen, count == buffer.count {
            count -= incompleteSuffixLength(buffer.suffix(3).map { $0 < 256 ? UInt8($0) : 0 })
        }
        var kept = 0
        if isOpen || search.match != nil {
            while kept < holding, count > kept, buffer[count - kept - 1] == 0x0A { kept += 1 }
        }
        let text = symbols.text(buffer[..<(count - kept)])
        if !text.isEmpty { sink(&self, text) }
        consume(search.match == nil ? count - kept : count)
        return search.match?.index
    }

    // MARK: Helpers

    mutating func emit(_ event: Event) { events.append(event) }

    mutating func consume(_ count: Int) { buffer.removeFirst(count) }

    static func isSpace(_ symbol: Symbol) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(symbol) }

    mutating func skipSpace() {
        consume(buffer.prefix { $0 == 0x0A || $0 == 0x0D }.count)
        if !buffer.isEmpty { skipsSpace = false }
    }

    mutating func beginCall(_ name: String, id: String? = nil) {
        unused = []
        emit(.toolCallBegan(index: callCount, id: id ?? makeID(callCount), name: name))
        callCount += 1
    }

    mutating func emitArguments(_ text: String) {
        if !text.isEmpty { emit(.toolCallArguments(index: callCount - 1, text)) }
    }

    mutating func endCall() { emit(.toolCallEnded(index: callCount - 1)) }

    /// Gives back what looked like calls as content; what is still to be read goes on as content.
    mutating func giveBack() {
        let text = symbols.text(unused)
        unused = []
        if !text.isEmpty { emit(.content(text)) }
        mode = .content
    }
}
