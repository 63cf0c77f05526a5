extension JSON {
    /// The value as JSON text, on one line or indented by two spaces a level.
    ///
    /// NaN and infinities, which JSON cannot hold, are written as `null`.
    public func text(indented: Bool = false) -> String {
        var output = ""
        write(to: &output, indentation: indented ? 0 : nil)
        return output
    }

    private func write(to output: inout String, indentation: Int?) {
        switch self {
        case .null: output += "null"
        case .bool(let value): output += value ? "true" : "false"
        case .integer(let value): output += String(value)
        case .number(let value): output += value.isFinite ? "\(value)" : "null"
        case .string(let value): JSON.write(value, to: &output)
        case .array(let elements):
            JSON.writeList(elements, open: "[", close: "]", to: &output, indentation: indentation) {
                element, inner, output in
                element.write(to: &output, indentation: inner)
            }
        case .object(let object):
            JSON.writeList(Array(object), open: "{", close: "}", to: &output, indentation: indentation) {
                pair, inner, output in
                JSON.write(pair.key, to: &output)
                output += indentation == nil ? ":" : ": "
                pair.value.write(to: &output, indentation: inner)
            }
        }
    }

    private static func writeList<Element>(
        _ elements: [Element], open: String, close: String, to output: inout String, indentation: Int?,
        writeElement: (Element, Int?, inout String) -> Void
    ) {
        output += open
        let inner = indentation.map { $0 + 1 }
        for (index, element) in elements.enumerated() {
            if index > 0 { output += "," }
            if let inner { output += "\n" + String(repeating: "  ", count: inner) }
            writeElement(element, inner, &output)
        }
        if let indentation, !elements.isEmpty { output += "\n" + String(repeating: "  ", count: indentation) }
        output += close
    }

    private static func write(_ text: String, to output: inout String) {
        output += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case "\u{0}"..<"\u{20}", "\u{7F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        output += "\""
    }
}
