import MinkeFiles

extension JSON {
    /// The value as Python's `json.dumps(value, ensure_ascii=False)` writes it, which is what models were trained on.
    ///
    /// - Parameter indentation: blanks a level, on lines of their own; nil for one line.
    func pythonText(indentation: Int? = nil) -> String {
        var output = ""
        writePython(to: &output, indentation: indentation, level: 0)
        return output
    }

    private func writePython(to output: inout String, indentation: Int?, level: Int) {
        func list<Element>(
            _ elements: [Element], _ open: String, _ close: String, _ body: (Element, inout String) -> Void
        ) {
            output += open
            for (index, element) in elements.enumerated() {
                if index > 0 { output += indentation == nil ? ", " : "," }
                if let indentation { output += "\n" + String(repeating: " ", count: indentation * (level + 1)) }
                body(element, &output)
            }
            if let indentation, !elements.isEmpty {
                output += "\n" + String(repeating: " ", count: indentation * level)
            }
            output += close
        }
        switch self {
        case .string(let text): JSON.writePython(text, to: &output)
        case .array(let elements):
            list(elements, "[", "]") { $0.writePython(to: &$1, indentation: indentation, level: level + 1) }
        case .object(let object):
            list(Array(object), "{", "}") { pair, output in
                JSON.writePython(pair.key, to: &output)
                output += ": "
                pair.value.writePython(to: &output, indentation: indentation, level: level + 1)
            }
        case .number(let value) where value.isNaN: output += "NaN"
        case .number(let value) where value.isInfinite: output += value < 0 ? "-Infinity" : "Infinity"
        default: output += text()
        }
    }

    private static func writePython(_ text: String, to output: inout String) {
        output += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case "\u{8}": output += "\\b"
            case "\u{C}": output += "\\f"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        output += "\""
    }
}
