import MinkeFiles

/// The filter `tojson`, as transformers defines it: Python's `json.dumps` without ASCII escapes.
struct JinjaJSON {
    private var itemSeparator = MarkedText(", ", isTemplate: true)
    private var keySeparator = MarkedText(": ", isTemplate: true)
    private var indentation: Int?
    private var sortsKeys = false

    /// - Parameter arguments: `ensure_ascii`, `indent`, `separators`, `sort_keys`, of which the first changes nothing.
    init(_ arguments: JinjaArgumentValues) {
        indentation = arguments.value(1, "indent")?.intValue.map { min(max(0, $0), 64) }
        if indentation != nil { itemSeparator = MarkedText(",", isTemplate: true) }
        if case .list(let separators)? = arguments.value(2, "separators"), separators.count == 2 {
            (itemSeparator, keySeparator) = (separators[0].string, separators[1].string)
        }
        sortsKeys = arguments.value(3, "sort_keys")?.isTrue ?? false
    }

    func text(of value: JinjaValue, line: Int) throws -> MarkedText {
        var output = MarkedText()
        try write(value, level: 0, line: line, to: &output)
        return output
    }

    private func write(_ value: JinjaValue, level: Int, line: Int, to output: inout MarkedText) throws {
        switch value {
        case .none: output.append(template: "null")
        case .bool(let value): output.append(template: value ? "true" : "false")
        case .integer, .number: output.append(template: value.string.text)
        case .text(let text): output.append(text.quotedForJSON)
        case .list(let values):
            try list(values, "[", "]", level, &output) { try write($0, level: level + 1, line: line, to: &$1) }
        case .object(let object):
            let pairs = sortsKeys ? object.pairs.sorted { $0.key < $1.key } : object.pairs
            try list(pairs, "{", "}", level, &output) { pair, output in
                output.append(pair.key.quotedForJSON)
                output.append(keySeparator)
                try write(pair.value, level: level + 1, line: line, to: &output)
            }
        case .undefined, .namespace, .macro, .function:
            throw InputError(
                "Object of type \(value.typeName) is not JSON serializable", at: "template line \(line)")
        }
        guard output.count <= MarkedText.maximumCount else {
            throw InputError("JSON of more than \(MarkedText.maximumCount) characters", at: "template line \(line)")
        }
    }

    private func list<Element>(
        _ elements: [Element], _ open: String, _ close: String, _ level: Int, _ output: inout MarkedText,
        _ body: (Element, inout MarkedText) throws -> Void
    ) throws {
        output.append(template: open)
        for (index, element) in elements.enumerated() {
            if index > 0 { output.append(itemSeparator) }
            breakLine(level + 1, &output)
            try body(element, &output)
        }
        if !elements.isEmpty { breakLine(level, &output) }
        output.append(template: close)
    }

    private func breakLine(_ level: Int, _ output: inout MarkedText) {
        if let indentation { output.append(template: "\n" + String(repeating: " ", count: indentation * level)) }
    }
}

extension MarkedText {
    mutating func append(template text: String) { append(MarkedText(text, isTemplate: true)) }

    /// What control characters are written as, by their codes.
    private static let controlEscapes: [[UInt32]] = (0..<0x20).map { (code: UInt8) in
        JSON.string(String(Unicode.Scalar(code))).pythonText().unicodeScalars.dropFirst().dropLast().map(\.value)
    }

    /// The text as a JSON string; escapes have the origin of what they stand for.
    fileprivate var quotedForJSON: MarkedText {
        var result: [UInt32] = [0x22]
        for unit in units {
            let value = Self.scalar(unit)
            if value >= 0x20 {
                if value == 0x22 || value == 0x5C { result.append(0x5C | unit & Self.contentBit) }
                result.append(unit)
            } else {
                for escape in Self.controlEscapes[Int(value)] { result.append(escape | unit & Self.contentBit) }
            }
        }
        return MarkedText(units: result + [0x22])
    }
}
