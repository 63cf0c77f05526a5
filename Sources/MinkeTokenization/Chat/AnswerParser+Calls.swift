import MinkeFiles

/// Tool calls between tool tokens, and in markup.
extension AnswerParser {
    /// The texts of a format as symbols.
    struct Patterns: Sendable {
        let thinkBegin: [Symbol]
        let thinkEnd: [Symbol]
        /// What opens a list of calls; none where the format has no calls.
        var open: [[Symbol]] = []
        /// What begins a call, and closes the list.
        var begin: [Symbol] = []
        var close: [Symbol] = []
        /// What may end a call's header: first the way it should.
        var headerEnds: [[Symbol]] = []
        /// What ends arguments that are JSON, in a fence and without one.
        var fencedEnds: [[Symbol]] = []
        var plainEnds: [[Symbol]] = []
        /// In markup: an argument's beginning, what stands between its name and value, the value's end, the call's.
        var parameter: [Symbol] = []
        var beforeValue: [[Symbol]] = []
        var valueEnd: [Symbol] = []
        var callEnd: [Symbol] = []
        /// How many line breaks in front of calls belong to the format.
        var breaksBeforeCalls = 0

        init(_ syntax: AnswerSyntax, _ symbols: AnswerSymbols) {
            thinkBegin = symbols.pattern(ChatFamily.Mark.thinkBegin)
            thinkEnd = symbols.pattern(ChatFamily.Mark.thinkEnd)
            if let marks = syntax.callMarks {
                open = [symbols.pattern(marks.open)]
                begin = symbols.pattern(marks.begin)
                close = symbols.pattern(marks.close)
                let end = symbols.pattern(marks.end)
                headerEnds = [symbols.pattern(marks.separator), end, begin, close]
                plainEnds = [end, begin, close]
                fencedEnds = ["\n```", "\n```\n", "```"].map { symbols.pattern($0) + end } + plainEnds
            }
            switch syntax.calls {
            case .markup(let block):
                let bar = DSML.bar
                open = [symbols.pattern("<\(bar)\(block)>")]
                close = symbols.pattern("</\(bar)\(block)>")
                begin = symbols.pattern("<\(bar)invoke name=\"")
                headerEnds = [symbols.pattern("\">"), symbols.pattern("\n")]
                parameter = symbols.pattern("<\(bar)parameter name=\"")
                beforeValue = ["true", "false"].map { symbols.pattern("\" string=\"\($0)\">") }
                valueEnd = symbols.pattern("</\(bar)parameter>")
                callEnd = symbols.pattern("</\(bar)invoke>")
                breaksBeforeCalls = 2
            case .tagged:
                open = [symbols.pattern("<tool_call>")]
                parameter = symbols.pattern("<arg_key>")
                beforeValue = [symbols.pattern("<arg_value>")]
                valueEnd = symbols.pattern("</arg_value>")
                callEnd = symbols.pattern("</tool_call>")
                headerEnds = [parameter, callEnd, symbols.pattern("\n")]
                breaksBeforeCalls = 2
            default: break
            }
        }
    }

    /// Where a call in markup stands.
    struct ParameterState: Sendable {
        var function = ""
        var count = 0
        /// The value so far, where it must be whole to be understood.
        var value = ""
    }

    /// Names and keys longer than this are none.
    private static let maximumHeader = 512
    private static let fences = ["```json\n", "```\n"].map { Array($0.utf8).map { Symbol($0) } }

    // MARK: Between calls

    mutating func stepCalls() -> Bool {
        let rest = buffer.drop { Self.isSpace($0) }
        let space = buffer.count - rest.count
        if rest.starts(with: patterns.begin) {
            let count = space + patterns.begin.count
            // Space between calls belongs to the format.
            unused += unused.isEmpty ? buffer[space..<count] : buffer[..<count]
            consume(count)
            mode = .header
        } else if rest.starts(with: patterns.close) {
            guard unused.isEmpty else {
                giveBack()
                return true
            }
            consume(space + patterns.close.count)
            mode = .content
            skipsSpace = true
        } else if !isFinishing, [patterns.begin, patterns.close].contains(where: { $0.starts(with: rest) }) {
            return false
        } else if unused.isEmpty, rest.isEmpty {
            consume(space)
            mode = .content
        } else {
            giveBack()
        }
        return true
    }

    // MARK: Headers

    mutating func stepHeader() -> Bool {
        if syntax.calls == .tagged {
            let space = buffer.prefix { Self.isSpace($0) }
            unused += space
            consume(space.count)
        }
        let search = SymbolSearch(patterns.headerEnds, in: buffer)
        guard let match = search.match else { return waitForHeader() }
        let header = Self.trimmed(symbols.text(buffer[..<search.count]))
        let end = search.count + match.length
        switch syntax.calls {
        case .fenced, .separated:
            guard match.index == 0, !header.isEmpty else {
                giveBack()
                return true
            }
            return stepName(header, end)
        case .numbered:
            guard match.index == 0, let name = Self.numberedName(header) else {
                giveBack()
                return true
            }
            consume(end)
            beginCall(name, id: header)
            mode = .arguments(isFenced: false)
        case .markup:
            guard match.index == 0, !header.isEmpty else {
                giveBack()
                return true
            }
            consume(end)
            beginParameters(of: header)
        case .tagged:
            guard !header.isEmpty, !header.contains(where: \.isWhitespace) else {
                giveBack()
                return true
            }
            consume(search.count)
            beginParameters(of: header)
        case .none: giveBack()
        }
        return true
    }

    /// Waits for the rest of a header; what gets too long for one is content.
    private mutating func waitForHeader() -> Bool {
        if !isFinishing, buffer.count <= Self.maximumHeader { return false }
        giveBack()
        return true
    }

    /// A name in front of the separator, or behind it on a line of its own with the word `function` in front.
    private mutating func stepName(_ header: String, _ end: Int) -> Bool {
        let rest = buffer[end...]
        guard header == "function" else {
            consume(end)
            beginCall(header)
            mode = .arguments(isFenced: false)
            return true
        }
        guard let first = rest.first(where: { !Self.isSpace($0) }) else {
            return waitForHeader()
        }
        if first == UInt16(UInt8(ascii: "{")) {
            consume(end)
            beginCall(header)
            mode = .arguments(isFenced: false)
            return true
        }
        guard let line = rest.firstIndex(of: 0x0A) else {
            guard SymbolSearch(patterns.plainEnds, in: Array(rest)).match == nil else {
                giveBack()
                return true
            }
            return waitForHeader()
        }
        let name = Self.trimmed(symbols.text(rest[..<line]))
        let arguments = buffer[(line + 1)...]
        let fence = Self.fences.first { arguments.starts(with: $0) }
        if fence == nil, !isFinishing, Self.fences.contains(where: { $0.starts(with: arguments) }) { return false }
        if name.isEmpty || name.contains("<") {
            giveBack()
            return true
        }
        consume(line + 1 + (fence?.count ?? 0))
        beginCall(name)
        mode = .arguments(isFenced: fence != nil)
        return true
    }

    /// The name in `functions.name:0`.
    private static func numberedName(_ header: String) -> String? {
        var name = header[...]
        if name.hasPrefix("functions.") { name = name.dropFirst("functions.".count) }
        if let colon = name.lastIndex(of: ":"), name[name.index(after: colon)...].allSatisfy(\.isNumber) {
            name = name[..<colon]
        }
        return name.isEmpty ? nil : String(name)
    }

    private static func trimmed(_ text: String) -> String {
        let bytes = text.utf8.drop { isSpace(Symbol($0)) }
        let end = bytes.lastIndex { !isSpace(Symbol($0)) }
        return end.map { String(bytes[...$0]) ?? text } ?? ""
    }

    // MARK: Arguments as JSON

    mutating func stepArguments(_ isFenced: Bool) -> Bool {
        let ends = isFenced ? patterns.fencedEnds : patterns.plainEnds
        let match = pass(ends) { $0.emitArguments($1) }
        guard let match else {
            if isFinishing {
                endCall()
                mode = .content
            }
            return false
        }
        // A call may lack its end where another begins or the list closes.
        if match < ends.count - 2 { consume(ends[match].count) }
        endCall()
        mode = .calls
        return true
    }

    // MARK: Arguments in markup

    private mutating func beginParameters(of function: String) {
        beginCall(function)
        parameters = ParameterState(function: function)
        mode = .parameters
    }

    mutating func stepParameters() -> Bool {
        let rest = buffer.drop { Self.isSpace($0) }
        let space = buffer.count - rest.count
        if rest.starts(with: patterns.callEnd) {
            consume(space + patterns.callEnd.count)
            endParameters()
            mode = syntax.calls == .tagged ? .content : .calls
            skipsSpace = syntax.calls == .tagged
            return true
        }
        if rest.starts(with: patterns.parameter) {
            let header = Array(rest.dropFirst(patterns.parameter.count))
            let search = SymbolSearch(patterns.beforeValue, in: header)
            if let match = search.match {
                var key = symbols.text(header[..<search.count])
                if syntax.calls == .tagged {
                    key = Self.trimmed(key)
                    if key.hasSuffix("</arg_key>") { key = Self.trimmed(String(key.dropLast("</arg_key>".count))) }
                }
                consume(space + patterns.parameter.count + search.count + match.length)
                beginValue(key, isText: syntax.calls == .tagged ? nil : match.index == 0)
                return true
            }
            if !isFinishing, search.count <= Self.maximumHeader { return false }
        } else if !isFinishing, [patterns.callEnd, patterns.parameter].contains(where: { $0.starts(with: rest) }) {
            return false
        }
        // What follows is no argument: the call ends here.
        if rest.isEmpty { consume(space) }
        endParameters()
        mode = .content
        return true
    }

    private mutating func endParameters() {
        emitArguments(parameters.count == 0 ? "{}" : "}")
        endCall()
    }

    private mutating func beginValue(_ key: String, isText: Bool?) {
        let isText = isText ?? parameterTypes[parameters.function]?[key] ?? false
        emitArguments((parameters.count == 0 ? "{" : ", ") + JSON.string(key).text() + ": " + (isText ? "\"" : ""))
        parameters.count += 1
        parameters.value = ""
        mode = .value(isText: isText)
    }

    mutating func stepValue(_ isText: Bool) -> Bool {
        let match = pass([patterns.valueEnd]) { parser, text in
            if isText {
                parser.emitArguments(String(JSON.string(text).text().dropFirst().dropLast()))
            } else {
                parser.parameters.value += text
            }
        }
        if match == nil, !isFinishing { return false }
        if isText {
            emitArguments("\"")
        } else {
            // A value that is no JSON is a text.
            let value = parameters.value
            let isJSON = (try? JSON(parsing: value)) != nil
            emitArguments(isJSON ? Self.trimmed(value) : JSON.string(value).text())
        }
        if match == nil {
            endParameters()
            mode = .content
            return false
        }
        consume(patterns.valueEnd.count)
        mode = .parameters
        return true
    }
}
