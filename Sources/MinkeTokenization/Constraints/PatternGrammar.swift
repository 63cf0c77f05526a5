import MinkeFiles

/// Strings that match a regular expression, as JSON writes them.
extension JSONGrammar {
    /// A string that holds a match of `pattern`, in the syntax of ECMAScript.
    ///
    /// Characters are escaped only where they must be.
    /// - Throws: ``InputError`` for what no automaton can do: lookahead, back references, anchors in the middle.
    mutating func string(from start: State, matching pattern: String) throws -> State {
        let node = try ExpressionParser.parse(pattern, isECMAScript: true)
        let body = try grammar.literal("\"", from: start)
        return try grammar.literal("\"", from: try addSearch(node, from: body))
    }

    /// A match at any place, unless anchors say which.
    private mutating func addSearch(_ node: ExpressionNode, from start: State) throws -> State {
        if case .alternation(let nodes) = node {
            let end = try grammar.state()
            for node in nodes { grammar.join(try addSearch(node, from: start), to: end) }
            return end
        }
        var nodes = if case .sequence(let nodes) = node { nodes } else { [node] }
        if nodes.count == 1, case .alternation = nodes[0] { return try addSearch(nodes[0], from: start) }
        var state = start
        if case .lineStart? = nodes.first {
            nodes.removeFirst()
        } else {
            state = try addAnything(from: state)
        }
        var isAnchored = false
        if case .lineEnd? = nodes.last {
            nodes.removeLast()
            isAnchored = true
        }
        for node in nodes { state = try add(node, from: state) }
        return isAnchored ? state : try addAnything(from: state)
    }

    private mutating func addAnything(from start: State) throws -> State {
        let character = try character()
        return try grammar.repetition(from: start, minimum: 0, maximum: nil) { try $0.call(character, from: $1) }
    }

    private mutating func add(_ node: ExpressionNode, from start: State) throws -> State {
        switch node {
        case .set(let set): return try grammar.call(try scalar(of: set), from: start)
        case .sequence(let nodes): return try nodes.reduce(start) { try add($1, from: $0) }
        case .alternation(let nodes):
            let end = try grammar.state()
            for node in nodes { grammar.join(try add(node, from: start), to: end) }
            return end
        case .repetition(let node, let minimum, let maximum, let isPossessive):
            if isPossessive { throw InputError("the regular expression has a possessive repetition") }
            var last = start
            for _ in 0..<minimum { last = try add(node, from: last) }
            let end = try grammar.state()
            grammar.join(last, to: end)
            if let maximum {
                for _ in minimum..<max(minimum, maximum) {
                    last = try add(node, from: last)
                    grammar.join(last, to: end)
                }
            } else {
                let loop = try grammar.state()
                grammar.join(last, to: loop)
                grammar.join(try add(node, from: loop), to: loop)
                grammar.join(loop, to: end)
            }
            return end
        case .lookahead: throw InputError("the regular expression looks ahead, which is not supported")
        case .lineStart, .lineEnd:
            throw InputError("the regular expression has an anchor in the middle, which is not supported")
        }
    }

    /// The pattern of a `format`; nil for those that are mere annotations.
    static func pattern(ofFormat format: String) -> String? {
        let year = #"[0-9]{4}"#
        let leap = #"([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"#
        let date =
            "(\(year)-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)|\(leap)-02-29)"
        let time = #"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"#
        let octet = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
        let label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
        let host = #"\#(label)(\.\#(label)){0,3}"#
        let clock = "T([0-9]{1,4}H([0-9]{1,4}M([0-9]{1,4}S)?)?|[0-9]{1,4}M([0-9]{1,4}S)?|[0-9]{1,4}S)"
        let days = "[0-9]{1,4}D"
        let period = "([0-9]{1,4}Y([0-9]{1,4}M(\(days))?)?|[0-9]{1,4}M(\(days))?|\(days))"
        switch format {
        case "date": return "^\(date)$"
        case "time": return "^\(time)$"
        case "date-time": return "^\(date)T\(time)$"
        case "duration": return "^P(\(period)(\(clock))?|\(clock)|[0-9]{1,4}W)$"
        case "email": return #"^[A-Za-z0-9_+-]{1,32}(\.[A-Za-z0-9_+-]{1,32}){0,3}@\#(host)$"#
        case "hostname": return "^\(host)$"
        case "ipv4": return #"^\#(octet)(\.\#(octet)){3}$"#
        case "ipv6": return "^([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}$"
        case "uuid": return "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
        default: return nil
        }
    }
}
