/// What an answer is made of: bytes of text, and control tokens where the vocabulary has them as tokens.
///
/// A control token's spelling in ordinary text is bytes, and so never taken for the token.
struct AnswerSymbols: Sendable {
    /// A byte, or 256 and more for control tokens.
    typealias Symbol = UInt16

    private var symbols: [Int32: Symbol] = [:]
    private var texts: [[UInt8]] = []
    /// Texts of control tokens, longest first, with their symbols.
    private var controls: [(text: [UInt8], symbol: Symbol)] = []
    private let tokenizer: Tokenizer?

    /// - Parameter tokenizer: nil where only text is known; then control tokens are recognised by their spelling.
    init(_ syntax: AnswerSyntax, tokenizer: Tokenizer?) {
        self.tokenizer = tokenizer
        guard let tokenizer else { return }
        let added = Set(tokenizer.addedTokens.map(\.id))
        for text in syntax.controlTexts {
            guard let id = tokenizer.id(of: text), added.contains(id) else { continue }
            let symbol = Symbol(256 + texts.count)
            symbols[id] = symbol
            texts.append(Array(text.utf8))
            controls.append((Array(text.utf8), symbol))
        }
        controls.sort { $0.text.count > $1.text.count }
    }

    /// The symbols of a format's text, in which control tokens count.
    func pattern(_ text: String) -> [Symbol] {
        let bytes = Array(text.utf8)
        var pattern: [Symbol] = []
        var place = 0
        while place < bytes.count {
            if let control = controls.first(where: { bytes[place...].starts(with: $0.text) }) {
                pattern.append(control.symbol)
                place += control.text.count
            } else {
                pattern.append(Symbol(bytes[place]))
                place += 1
            }
        }
        return pattern
    }

    /// The token that a symbol stands for; nil for bytes.
    func control(_ symbol: Symbol) -> Int32? { symbol < 256 ? nil : symbols.first { $0.value == symbol }?.key }

    /// The symbols of a token; none for special tokens that are no part of the format.
    func symbols(of id: Int32) -> [Symbol] {
        if let symbol = symbols[id] { return [symbol] }
        guard let tokenizer, !tokenizer.isSpecial(id) else { return [] }
        return tokenizer.decodeBytes(CollectionOfOne(id)).map { Symbol($0) }
    }

    /// The bytes of symbols, control tokens spelled.
    func bytes(_ symbols: some Sequence<Symbol>) -> [UInt8] {
        symbols.flatMap { $0 < 256 ? [UInt8($0)] : texts[Int($0) - 256] }
    }

    func text(_ symbols: some Sequence<Symbol>) -> String { String(decoding: bytes(symbols), as: UTF8.self) }
}

/// A search for the first of several patterns in symbols that are still coming.
struct SymbolSearch {
    /// The pattern found and its length, if one is complete.
    var match: (index: Int, length: Int)?
    /// How many symbols precede the match, or the first place where one may be about to begin.
    var count: Int

    init(_ patterns: [[AnswerSymbols.Symbol]], in buffer: [AnswerSymbols.Symbol]) {
        for start in buffer.indices {
            let rest = buffer[start...]
            var isOpen = false
            for (index, pattern) in patterns.enumerated() where pattern[0] == buffer[start] {
                if rest.starts(with: pattern) {
                    match = (index, pattern.count)
                    count = start
                    return
                }
                if pattern.starts(with: rest) { isOpen = true }
            }
            if isOpen {
                count = start
                return
            }
        }
        count = buffer.count
    }
}
