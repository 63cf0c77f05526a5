/// Checks that every tag of a page is closed, in order, and that no text holds a stray `<` or `&`.
enum TagChecker {
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    static func check(_ page: String) throws {
        var open: [Substring] = []
        var rest = page[...]
        while let start = rest.firstIndex(where: { $0 == "<" || $0 == ">" || $0 == "&" }) {
            switch rest[start] {
            case ">": throw Problem(description: "stray > before \(rest[start...].prefix(40))")
            case "&":
                let entity = rest[start...].prefix { $0 != ";" }.dropFirst()
                guard ["amp", "lt", "gt", "quot", "#39"].contains(entity) else {
                    throw Problem(description: "unknown entity \(entity.prefix(20))")
                }
                rest = rest[start...].dropFirst()
            default:
                guard let end = rest[start...].firstIndex(of: ">") else {
                    throw Problem(description: "unclosed tag \(rest[start...].prefix(40))")
                }
                let tag = rest[start..<end].dropFirst()
                rest = rest[end...].dropFirst()
                let name = tag.drop { $0 == "/" }.prefix { !$0.isWhitespace && $0 != "/" }
                if tag.hasPrefix("!") || tag.hasSuffix("/") { continue }
                if tag.contains("<") || !tag.split(separator: "\"", omittingEmptySubsequences: false).count.isOdd {
                    throw Problem(description: "broken tag <\(tag)>")
                }
                if !tag.hasPrefix("/") {
                    open.append(name)
                    // A style sheet has its own > signs.
                    if name == "style" { rest = rest.drop { $0 != "<" } }
                } else if open.popLast() != name {
                    throw Problem(description: "</\(name)> closes another tag")
                }
            }
        }
        if !open.isEmpty { throw Problem(description: "never closed: \(open)") }
    }
}

extension Int {
    fileprivate var isOdd: Bool { !isMultiple(of: 2) }
}
