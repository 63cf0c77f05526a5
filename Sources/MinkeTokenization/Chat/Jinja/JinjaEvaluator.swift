import MinkeFiles

/// Runs a template once.
///
/// What it may use is bounded: steps, the length of strings and output, and the depth of calls.
struct JinjaEvaluator {
    static let maximumSteps = 500_000
    static let maximumDepth = 180
    static let maximumNesting = 160
    static let maximumOutput = 4 << 20
    /// What a round of a loop counts for: making `loop` takes as long as so many nodes.
    static let roundSteps = 12
    /// Scopes that can be searched for a name in the time of one step.
    private static let scopesPerStep = 4

    /// What is done with characters, by how many of them take the time of one step.
    enum Work: Int {
        /// Copied, compared or searched.
        case copying = 64
        /// Put into sets, or used as keys.
        case hashing = 16
        /// Turned into Swift's strings, and those into others.
        case rewriting = 4
    }

    /// How a list of statements ended.
    enum Flow {
        case normal, breakLoop, continueLoop
    }

    /// Names by scope, the innermost last.
    var scopes: [[String: JinjaValue]]
    var steps = 0
    var depth = 0

    init(_ globals: [String: JinjaValue]) { scopes = [globals] }

    func failure(_ problem: String, line: Int) -> InputError { InputError(problem, at: "template line \(line)") }

    /// Counts work: a step is what a node of the template takes.
    mutating func count(_ work: Int = 1, line: Int) throws {
        steps += work
        if steps > Self.maximumSteps {
            throw failure("the template takes more than \(Self.maximumSteps) steps", line: line)
        }
    }

    mutating func count(_ work: Work, _ characters: Int, line: Int) throws {
        try count(characters / work.rawValue, line: line)
    }

    /// A text that was made, if it is not too long.
    mutating func checked(_ text: MarkedText?, line: Int) throws -> MarkedText {
        guard let text, text.count <= MarkedText.maximumCount else {
            throw failure("a string of more than \(MarkedText.maximumCount) characters", line: line)
        }
        try count(.copying, text.count, line: line)
        return text
    }

    /// The parts into which `body` cuts a text, given how many cuts it may make.
    mutating func parts(
        limit: Int = .max, line: Int, _ body: (_ limit: Int) throws -> [MarkedText]
    ) throws -> [MarkedText] {
        // As many parts as there are steps left end the template, so that no more need be made.
        let parts = try body(min(limit, max(0, Self.maximumSteps - steps)))
        try count(parts.count, line: line)
        return parts
    }

    /// Every `pattern` in a text, or the first `limit`, replaced.
    mutating func replace(
        _ pattern: MarkedText, in text: MarkedText, with replacement: MarkedText, limit: Int, line: Int
    ) throws -> MarkedText {
        if pattern.isEmpty { try count(text.count, line: line) }
        let parts = try parts(limit: limit, line: line) { text.parts(around: pattern, limit: $0) }
        return try checked(MarkedText.joined(parts, separator: replacement), line: line)
    }

    /// Counts all that is in `value`, whose parts may be shared, and refuses what is nested so deeply that walking it is
    /// dangerous, or holds a namespace, which could hold itself.
    ///
    /// - Parameter isWritten: whether the value is to become text; texts within it are quoted then, and copied once for
    ///   every list or dict that they are in.
    @discardableResult
    mutating func checkNesting(
        of value: JinjaValue, isWritten: Bool = false, line: Int, depth: Int = 0
    ) throws -> JinjaValue {
        if depth > Self.maximumNesting { throw failure("lists and dicts nested too deeply", line: line) }
        switch value {
        case .list(let values):
            try count(1 + values.count, line: line)
            for value in values {
                try checkNesting(of: value, isWritten: isWritten, line: line, depth: depth + 1)
            }
        case .object(let object):
            try count(1 + object.count, line: line)
            for (key, value) in object.pairs {
                try count(isWritten ? .rewriting : .hashing, key.count, line: line)
                try checkNesting(of: value, isWritten: isWritten, line: line, depth: depth + 1)
            }
        case .text(let text):
            try count(.copying, text.count * (1 + depth), line: line)
            if isWritten, depth > 0 { try count(.rewriting, text.count, line: line) }
        case .namespace where depth > 0: throw failure("a namespace cannot be part of another value", line: line)
        default: break
        }
        return value
    }

    mutating func deeper<Result>(line: Int, _ body: (inout JinjaEvaluator) throws -> Result) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw failure("calls and expressions nested too deeply", line: line) }
        return try body(&self)
    }

    // MARK: Statements

    mutating func run(_ statements: [JinjaStatement], into output: inout MarkedText) throws -> Flow {
        for statement in statements {
            let flow = try run(statement, into: &output)
            if flow != .normal { return flow }
        }
        return .normal
    }

    /// What `statements` write.
    mutating func text(of statements: [JinjaStatement]) throws -> MarkedText {
        var output = MarkedText()
        _ = try run(statements, into: &output)
        return output
    }

    private mutating func write(_ text: MarkedText, line: Int, into output: inout MarkedText) throws {
        // A scalar has four bytes at most, and a template that writes that many is at its limit anyway.
        guard output.count + text.count <= Self.maximumOutput else {
            throw failure("the template writes more than \(Self.maximumOutput) characters", line: line)
        }
        try count(line: line)
        try count(.copying, text.count, line: line)
        output.append(text)
    }

    private mutating func run(_ statement: JinjaStatement, into output: inout MarkedText) throws -> Flow {
        switch statement {
        case .data(let text): try write(text, line: 0, into: &output)
        case .print(let expression):
            let value = try evaluate(expression)
            try checkNesting(of: value, isWritten: true, line: expression.line)
            try write(value.string, line: expression.line, into: &output)
        case .branches(let branches):
            for (condition, body) in branches {
                if let condition, try !evaluate(condition).isTrue { continue }
                return try deeper(line: condition?.line ?? 0) { try $0.run(body, into: &output) }
            }
        case .loop(let loop): try deeper(line: loop.line) { try $0.run(loop, into: &output) }
        case .set(let target, let expression, let line): try assign(evaluate(expression), to: target, line: line)
        case .setBlock(let target, let body, let filters, let line):
            let text = try deeper(line: line) { try $0.scoped { try $0.text(of: body) } }
            try assign(apply(filters, to: .text(text)), to: target, line: line)
        case .filterBlock(let filters, let body):
            let line = filters.first?.line ?? 0
            let text = try deeper(line: line) { try $0.scoped { try $0.text(of: body) } }
            try write(apply(filters, to: .text(text)).string, line: line, into: &output)
        case .macro(let macro): scopes[scopes.count - 1][macro.name] = .macro(macro)
        case .with(let assignments, let body, let line):
            return try deeper(line: line) { evaluator in
                try evaluator.scoped { evaluator in
                    for (target, value) in assignments {
                        try evaluator.assign(evaluator.evaluate(value), to: target, line: line)
                    }
                    return try evaluator.run(body, into: &output)
                }
            }
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        case .group(let body): return try deeper(line: 0) { try $0.run(body, into: &output) }
        }
        return .normal
    }

    mutating func scoped<Result>(_ body: (inout JinjaEvaluator) throws -> Result) rethrows -> Result {
        scopes.append([:])
        defer { scopes.removeLast() }
        return try body(&self)
    }

    private mutating func apply(_ filters: [JinjaFilterCall], to value: JinjaValue) throws -> JinjaValue {
        var value = value
        for filter in filters {
            value = try apply(filter.name, to: value, values(filter.arguments), line: filter.line)
        }
        return value
    }

    // MARK: Assignment

    mutating func assign(_ value: JinjaValue, to target: JinjaTarget, line: Int) throws {
        switch target {
        case .name(let name): scopes[scopes.count - 1][name] = value
        case .attribute(let name, let key):
            guard case .namespace(let namespace)? = try lookup(name, line: line) else {
                throw failure("cannot assign attribute '\(key)' on a value that is no namespace", line: line)
            }
            try checkNesting(of: .list([value]), line: line)
            namespace.values[MarkedText(key, isTemplate: true)] = value
        case .tuple(let targets):
            let values = try elements(of: value, line: line)
            guard values.count == targets.count else {
                throw failure("cannot unpack \(values.count) values into \(targets.count) names", line: line)
            }
            for (target, value) in zip(targets, values) { try assign(value, to: target, line: line) }
        }
    }

    mutating func lookup(_ name: String, line: Int) throws -> JinjaValue? {
        try count(scopes.count / Self.scopesPerStep, line: line)
        for scope in scopes.reversed() { if let value = scope[name] { return value } }
        return nil
    }

    // MARK: Loops

    private mutating func run(_ loop: JinjaLoop, into output: inout MarkedText) throws {
        var items = try elements(of: evaluate(loop.sequence), line: loop.line)
        try count(items.count, line: loop.line)
        if let condition = loop.condition {
            items = try items.filter { item in
                try scoped { evaluator in
                    try evaluator.assign(item, to: loop.target, line: loop.line)
                    return try evaluator.evaluate(condition).isTrue
                }
            }
        }
        if items.isEmpty {
            _ = try scoped { try $0.run(loop.otherwise, into: &output) }
            return
        }
        for index in items.indices {
            let flow = try scoped { evaluator in
                evaluator.scopes[evaluator.scopes.count - 1]["loop"] = Self.loopVariable(items, index)
                try evaluator.assign(items[index], to: loop.target, line: loop.line)
                return try evaluator.run(loop.body, into: &output)
            }
            try count(Self.roundSteps, line: loop.line)
            if flow == .breakLoop { break }
        }
    }

    private static func loopVariable(_ items: [JinjaValue], _ index: Int) -> JinjaValue {
        var loop = JinjaObject()
        func set(_ key: String, _ value: JinjaValue) { loop[MarkedText(key, isTemplate: true)] = value }
        set("index", .integer(index + 1))
        set("index0", .integer(index))
        set("revindex", .integer(items.count - index))
        set("revindex0", .integer(items.count - index - 1))
        set("first", .bool(index == 0))
        set("last", .bool(index == items.count - 1))
        set("length", .integer(items.count))
        set("depth", .integer(1))
        set("depth0", .integer(0))
        set("previtem", index > 0 ? items[index - 1] : .undefined("there is no previous item"))
        set("nextitem", index + 1 < items.count ? items[index + 1] : .undefined("there is no next item"))
        return .object(loop)
    }

    /// What a loop over `value` sees.
    mutating func elements(of value: JinjaValue, line: Int) throws -> [JinjaValue] {
        switch value {
        case .list(let values): return values
        case .object(let object): return object.keys.map { .text($0) }
        case .text(let text):
            try count(text.count, line: line)
            return text.units.map { .text(MarkedText(units: [$0])) }
        case .undefined: return []
        default: throw failure("'\(value.typeName)' object is not iterable", line: line)
        }
    }
}
