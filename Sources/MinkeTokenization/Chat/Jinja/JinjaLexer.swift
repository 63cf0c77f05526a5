import MinkeFiles

/// The pieces of a template's source.
struct JinjaToken: Equatable {
    enum Kind: Hashable {
        /// Text outside of tags.
        case data(String)
        /// `{{` and `}}`.
        case printBegin, printEnd
        /// `{%` and `%}`.
        case blockBegin, blockEnd
        case name(String)
        case string(String)
        case integer(Int)
        case number(Double)
        case symbol(String)
        case end
    }

    let kind: Kind
    let line: Int
}

/// Cuts source into tokens, with `trim_blocks` and `lstrip_blocks` on as in the library that chat templates are written for.
struct JinjaLexer {
    private let source: [UInt32]
    private var position = 0
    private var line = 1
    private var tokens: [JinjaToken] = []
    /// Whether the text before `position` is the end of a line, or nothing.
    private var isAtLineStart = true

    static let maximumLength = 1 << 20

    init(_ text: String) throws {
        guard text.utf8.count <= Self.maximumLength else {
            throw InputError("the template is longer than \(Self.maximumLength) bytes")
        }
        var scalars: [UInt32] = []
        for scalar in text.unicodeScalars {
            if scalar == "\n", scalars.last == 0x0D { scalars.removeLast() }
            scalars.append(scalar.value)
        }
        scalars = scalars.map { $0 == 0x0D ? 0x0A : $0 }
        if scalars.last == 0x0A { scalars.removeLast() }
        source = scalars
    }

    static func tokens(of text: String) throws -> [JinjaToken] {
        var lexer = try JinjaLexer(text)
        try lexer.run()
        return lexer.tokens
    }

    private func failure(_ problem: String) -> InputError { InputError(problem, at: "template line \(line)") }

    private func starts(_ text: String, at place: Int? = nil) -> Bool {
        var place = place ?? position
        for scalar in text.unicodeScalars {
            guard place < source.count, source[place] == scalar.value else { return false }
            place += 1
        }
        return true
    }

    private func text(_ range: Range<Int>) -> String {
        var text = ""
        for value in source[range] { if let scalar = Unicode.Scalar(value) { text.unicodeScalars.append(scalar) } }
        return text
    }

    private mutating func advance(_ count: Int) {
        for value in source[position..<position + count] where value == 0x0A { line += 1 }
        position += count
    }

    private mutating func emit(_ kind: JinjaToken.Kind) { tokens.append(JinjaToken(kind: kind, line: line)) }

    // MARK: Text and tags

    private mutating func run() throws {
        while position < source.count {
            let start = position
            let open = (start..<source.count).first { place in
                source[place] == 0x7B && ["{{", "{%", "{#"].contains { starts($0, at: place) }
            }
            guard let open else {
                emit(.data(text(start..<source.count)))
                advance(source.count - start)
                break
            }
            let isPrint = starts("{{", at: open)
            emitData(start..<open, isPrint: isPrint, sign: open + 2 < source.count ? source[open + 2] : 0)
            if starts("{#") {
                try skipComment()
            } else {
                let isRaw = try tag(isPrint: isPrint)
                if isRaw { try raw() }
            }
        }
        emit(.end)
    }

    /// Emits the text before a tag, less the white space that the tag takes away, and goes to the tag.
    private mutating func emitData(_ range: Range<Int>, isPrint: Bool, sign: UInt32) {
        var end = range.upperBound
        if sign == 0x2D {
            while end > range.lowerBound, MarkedText.isWhiteSpace(source[end - 1]) { end -= 1 }
        } else if !isPrint, sign != 0x2B {
            var start = end
            while start > range.lowerBound, source[start - 1] != 0x0A, MarkedText.isWhiteSpace(source[start - 1]) {
                start -= 1
            }
            if start > range.lowerBound ? source[start - 1] == 0x0A : isAtLineStart { end = start }
        }
        if end > range.lowerBound { emit(.data(text(range.lowerBound..<end))) }
        advance(range.count)
    }

    /// Goes behind a tag's end, and behind the white space that it takes away.
    private mutating func close(sign: UInt32, length: Int, trimsNewline: Bool) {
        advance(length)
        let start = position
        if sign == 0x2D {
            while position < source.count, MarkedText.isWhiteSpace(source[position]) { advance(1) }
        } else if trimsNewline, sign != 0x2B, position < source.count, source[position] == 0x0A {
            advance(1)
        }
        isAtLineStart = position > start && source[position - 1] == 0x0A
    }

    private mutating func skipComment() throws {
        guard let end = (position + 2..<max(source.count, position + 2)).first(where: { starts("#}", at: $0) }) else {
            throw failure("a comment without its end")
        }
        let sign = source[end - 1]
        advance(end - position)
        close(sign: end - 1 >= 2 ? sign : 0, length: 2, trimsNewline: true)
    }

    /// Reads a tag from its beginning to its end. Returns whether it is `{% raw %}`.
    private mutating func tag(isPrint: Bool) throws -> Bool {
        let first = tokens.count
        emit(isPrint ? .printBegin : .blockBegin)
        advance(2)
        if position < source.count, source[position] == 0x2D || source[position] == 0x2B { advance(1) }
        var depth = 0
        let ending = isPrint ? "}}" : "%}"
        while true {
            while position < source.count, MarkedText.isWhiteSpace(source[position]) { advance(1) }
            guard position < source.count else { throw failure("a tag without its end") }
            // Of what may end a tag, `-`, `+`, `}` and `%` come first.
            if depth == 0, [0x2D, 0x2B, 0x7D, 0x25].contains(source[position]) {
                for (text, sign) in [("-" + ending, UInt32(0x2D)), ("+" + ending, 0x2B), (ending, 0)] where starts(text)
                {
                    if sign == 0x2B, isPrint { continue }
                    emit(isPrint ? .printEnd : .blockEnd)
                    let isRaw = tokens.count == first + 3 && tokens[first + 1].kind == .name("raw")
                    close(sign: sign, length: text.unicodeScalars.count, trimsNewline: !isPrint)
                    if isRaw { tokens.removeLast(3) }
                    return isRaw
                }
            }
            try token(&depth)
        }
    }

    /// The text up to `{% endraw %}`.
    private mutating func raw() throws {
        let start = position
        for open in start..<source.count where starts("{%", at: open) {
            var place = open + 2
            let sign = place < source.count ? source[place] : 0
            if sign == 0x2D || sign == 0x2B { place += 1 }
            while place < source.count, MarkedText.isWhiteSpace(source[place]) { place += 1 }
            guard starts("endraw", at: place) else { continue }
            emitData(start..<open, isPrint: false, sign: sign)
            position = place + 6
            while position < source.count, MarkedText.isWhiteSpace(source[position]) { position += 1 }
            let endSign = position < source.count ? source[position] : 0
            let length = endSign == 0x2D || endSign == 0x2B ? 3 : 2
            guard starts("%}", at: position + length - 2) else { throw failure("endraw without its end") }
            return close(sign: endSign, length: length, trimsNewline: true)
        }
        throw failure("raw without endraw")
    }

    // MARK: Inside of tags

    /// Names are looked up again and again.
    private static let longestName = 256

    private static let symbols = [
        "==", "!=", "<=", ">=", "//", "**", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ",", ":", "|", "(", ")",
        "[", "]", "{", "}",
    ]

    private mutating func token(_ depth: inout Int) throws {
        let start = position
        let value = source[position]
        guard let scalar = Unicode.Scalar(value) else { throw failure("an unexpected character") }
        if scalar == "\"" || scalar == "'" { return try string(quote: value) }
        if scalar == "_" || scalar.properties.isXIDStart {
            while position < source.count, let next = Unicode.Scalar(source[position]),
                next == "_" || next.properties.isXIDContinue
            {
                position += 1
            }
            guard position - start <= Self.longestName else {
                throw failure("a name of more than \(Self.longestName) characters")
            }
            return emit(.name(text(start..<position)))
        }
        if (0x30...0x39).contains(value) { return try number() }
        guard let symbol = Self.symbols.first(where: { starts($0) }) else {
            throw failure("unexpected character '\(scalar)'")
        }
        if ["(", "[", "{"].contains(symbol) { depth += 1 }
        if [")", "]", "}"].contains(symbol) {
            depth -= 1
            if depth < 0 { throw failure("unexpected '\(symbol)'") }
        }
        emit(.symbol(symbol))
        advance(symbol.utf8.count)
    }

    private mutating func number() throws {
        let start = position
        func isDigit(_ place: Int) -> Bool { place < source.count && (0x30...0x39).contains(source[place]) }
        while isDigit(position) || (starts("_") && isDigit(position + 1)) { position += 1 }
        var isInteger = true
        if starts("."), isDigit(position + 1) {
            isInteger = false
            position += 1
            while isDigit(position) { position += 1 }
        }
        if starts("e") || starts("E") {
            let signed = position + 1 < source.count && [0x2B, 0x2D].contains(source[position + 1])
            if isDigit(position + (signed ? 2 : 1)) {
                isInteger = false
                position += signed ? 2 : 1
                while isDigit(position) { position += 1 }
            }
        }
        let digits = text(start..<position).filter { $0 != "_" }
        if isInteger {
            guard let value = Int(digits) else { throw failure("the number \(digits.prefix(40)) is too large") }
            emit(.integer(value))
        } else {
            guard let value = Double(digits), value.isFinite else { throw failure("a number out of range") }
            emit(.number(value))
        }
    }

    private mutating func string(quote: UInt32) throws {
        var content = ""
        var place = position + 1
        func next() throws -> UInt32 {
            guard place < source.count else { throw failure("a string without its closing quote") }
            return source[place]
        }
        while try next() != quote {
            var value = source[place]
            place += 1
            if value == 0x5C {
                value = try next()
                place += 1
                switch value {
                case 0x6E: value = 0x0A
                case 0x74: value = 0x09
                case 0x72: value = 0x0D
                case 0x30: value = 0
                case 0x62: value = 0x08
                case 0x66: value = 0x0C
                case 0x0A: continue
                case 0x78, 0x75, 0x55:
                    let count = value == 0x78 ? 2 : value == 0x75 ? 4 : 8
                    guard place + count <= source.count, let code = UInt32(text(place..<place + count), radix: 16)
                    else { throw failure("an escape without its \(count) digits") }
                    value = code
                    place += count
                case 0x5C, 0x22, 0x27: break
                // As in Python, a backslash before any other character stands for itself.
                default: content += "\\"
                }
            }
            guard let scalar = Unicode.Scalar(value) else { throw failure("an escape that is no character") }
            content.unicodeScalars.append(scalar)
        }
        emit(.string(content))
        advance(place + 1 - position)
    }
}
