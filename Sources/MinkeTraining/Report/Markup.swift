/// HTML or SVG source. Literals are taken as they stand; text interpolated into them is escaped.
///
/// ```swift
/// let cell: Markup = "<td>\(text)</td>"  // text may hold < or &; it stays text
/// ```
struct Markup: Equatable, Sendable, ExpressibleByStringInterpolation {
    private(set) var source: String

    init(stringLiteral value: String) { source = value }
    init(stringInterpolation: Interpolation) { source = stringInterpolation.source }

    static func + (left: Markup, right: Markup) -> Markup { "\(left)\(right)" }
    static func += (left: inout Markup, right: Markup) { left.source += right.source }

    struct Interpolation: StringInterpolationProtocol {
        fileprivate var source = ""

        init(literalCapacity: Int, interpolationCount: Int) { source.reserveCapacity(literalCapacity) }

        mutating func appendLiteral(_ literal: String) { source += literal }
        mutating func appendInterpolation(_ markup: Markup) { source += markup.source }
        mutating func appendInterpolation(_ list: [Markup]) { for markup in list { source += markup.source } }
        mutating func appendInterpolation(_ number: Int) { source += String(number) }
        /// A coordinate, to a tenth of a unit.
        mutating func appendInterpolation(_ coordinate: Double) { source += Markup.coordinate(coordinate) }
        mutating func appendInterpolation(_ text: String) { source += Markup.escaped(text) }
    }

    /// `value` to one decimal, as SVG wants it; what is not finite becomes 0.
    static func coordinate(_ value: Double) -> String {
        value.isFinite ? HumanFormat.trimmed(HumanFormat.fixed(value, 1)) : "0"
    }

    /// `text` as HTML text or attribute value. Control characters, which HTML forbids, become U+FFFD.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        escaped.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            case "\n", "\t": escaped.unicodeScalars.append(scalar)
            case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}": escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
