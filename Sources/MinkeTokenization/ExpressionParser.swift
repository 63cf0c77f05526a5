import MinkeFiles

/// Reads the subset of Oniguruma's regular expressions that `tokenizer.json` files use, or of ECMAScript's that schemas do.
///
/// What is not supported (back references, lookbehind, lazy repetition, word boundaries, …) is refused by name.
struct ExpressionParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0
    private var ignoresCase = false
    /// Whether classes are ASCII's, brackets inside them plain, and lazy repetitions those that take as much.
    private let isECMAScript: Bool

    static let maximumLength = 20_000
    static let maximumDepth = 50
    static let maximumRepetition = 255

    static func parse(_ pattern: String, isECMAScript: Bool = false) throws -> ExpressionNode {
        guard pattern.unicodeScalars.count <= maximumLength else {
            throw InputError("a regular expression of more than \(maximumLength) characters")
        }
        var parser = ExpressionParser(scalars: Array(pattern.unicodeScalars), isECMAScript: isECMAScript)
        let node = try parser.alternation()
        if parser.position < parser.scalars.count { throw parser.failure("a ')' without its '('") }
        return node
    }

    private init(scalars: [Unicode.Scalar], isECMAScript: Bool) {
        self.scalars = scalars
        self.isECMAScript = isECMAScript
    }

    private func failure(_ problem: String) -> InputError {
        var pattern = ""
        for scalar in scalars.prefix(60) { pattern.unicodeScalars.append(scalar) }
        let ellipsis = scalars.count > 60 ? "…" : ""
        return InputError("the regular expression \(pattern)\(ellipsis) has \(problem) (character \(position))")
    }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ text: String) -> Bool {
        let expected = Array(text.unicodeScalars)
        guard scalars[position...].starts(with: expected) else { return false }
        position += expected.count
        return true
    }

    // MARK: Alternatives, sequences, groups

    private mutating func alternation() throws -> ExpressionNode {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw failure("groups nested deeper than \(Self.maximumDepth) levels") }
        let outerIgnoresCase = ignoresCase
        defer { ignoresCase = outerIgnoresCase }
        var alternatives = [try sequence()]
        while take("|") { alternatives.append(try sequence()) }
        return alternatives.count == 1 ? alternatives[0] : .alternation(alternatives)
    }

    private mutating func sequence() throws -> ExpressionNode {
        var nodes: [ExpressionNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            if !isECMAScript, take("(?i)") {
                ignoresCase = true
            } else {
                nodes.append(try repeated(try atom()))
            }
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func atom() throws -> ExpressionNode {
        guard let scalar = next else { throw failure("an unexpected end") }
        position += 1
        switch scalar {
        case "(": return try group()
        case "[": return .set(try characterClass())
        case "\\": return .set(try escape())
        case ".":
            let ends: [ClosedRange<UInt32>] = isECMAScript ? [0x0D...0x0D, 0x2028...0x2029] : []
            return .set(ScalarSet([0x0A...0x0A] + ends).complement)
        case "^": return .lineStart
        case "$": return .lineEnd
        case "*", "+", "?": throw failure("a '\(scalar)' that follows nothing")
        default: return .set(try literal(scalar...scalar))
        }
    }

    private mutating func group() throws -> ExpressionNode {
        var lookahead: Bool?
        let outerIgnoresCase = ignoresCase
        defer { ignoresCase = outerIgnoresCase }
        if take("?:") {
        } else if take("?i:") {
            ignoresCase = true
        } else if take("?=") {
            lookahead = false
        } else if take("?!") {
            lookahead = true
        } else if next == "?" {
            throw failure("a kind of group that is not supported")
        }
        let body = try alternation()
        guard take(")") else { throw failure("a '(' without its ')'") }
        guard let isNegated = lookahead else { return body }
        guard let alternatives = body.alternativesOfSets else {
            throw failure("a lookahead with more than plain characters and classes, which is not supported")
        }
        return .lookahead(alternatives, isNegated: isNegated)
    }

    // MARK: Repetition

    private mutating func repeated(_ atom: ExpressionNode) throws -> ExpressionNode {
        guard let bounds = try repetitionBounds() else { return atom }
        var isPossessive = false
        if isECMAScript {
            // What is matched as a whole does not depend on which repetition is tried first.
            _ = take("?")
        } else if next == "?" {
            throw failure("a lazy repetition, which is not supported")
        }
        if !bounds.isInterval, !isECMAScript, take("+") { isPossessive = true }
        if try repetitionBounds() != nil { throw failure("a repetition of a repetition, which is not supported") }
        switch atom {
        case .set: break
        case .lookahead, .lineStart, .lineEnd: throw failure("a repetition of something without length")
        default:
            if isPossessive { throw failure("a possessive repetition of a group, which is not supported") }
            if atom.canBeEmpty { throw failure("a repetition of something that can be empty") }
        }
        return .repetition(atom, minimum: bounds.minimum, maximum: bounds.maximum, isPossessive: isPossessive)
    }

    private mutating func repetitionBounds() throws -> (minimum: Int, maximum: Int?, isInterval: Bool)? {
        if take("*") { return (0, nil, false) }
        if take("+") { return (1, nil, false) }
        if take("?") { return (0, 1, false) }
        let start = position
        guard take("{") else { return nil }
        let minimum = try number()
        let hasComma = take(",")
        let maximum = hasComma ? try number() : minimum
        guard take("}"), minimum != nil || maximum != nil else {
            // A brace that opens no interval is a plain character.
            position = start
            return nil
        }
        if let maximum, maximum < minimum ?? 0 { throw failure("a repetition with its bounds the wrong way round") }
        return (minimum ?? 0, maximum, true)
    }

    private mutating func number() throws -> Int? {
        var value: Int?
        while let digit = next, digit.isASCII,
            let value10 = digit.properties.numericType == .decimal ? digit.value - 48 : nil
        {
            value = (value ?? 0) * 10 + Int(value10)
            let limit = isECMAScript ? 1_000 : Self.maximumRepetition
            if value ?? 0 > limit { throw failure("a repetition beyond \(limit)") }
            position += 1
        }
        return value
    }

    // MARK: Characters and classes

    private func literal(_ range: ClosedRange<Unicode.Scalar>) throws -> ScalarSet {
        let set = ScalarSet([range.lowerBound.value...range.upperBound.value])
        guard ignoresCase else { return set }
        guard let variants = set.ignoringCase else { throw failure("a range that is too long to ignore case") }
        return variants
    }

    /// The inside of `[…]`, after its opening bracket.
    private mutating func characterClass() throws -> ScalarSet {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.maximumDepth { throw failure("classes nested deeper than \(Self.maximumDepth) levels") }
        let isNegated = take("^")
        var intersection: ScalarSet?
        var ranges: [ClosedRange<UInt32>] = []
        var isEmpty = true
        while let scalar = next, scalar != "]" {
            if !isECMAScript, take("&&") {
                intersection = intersection?.intersection(ScalarSet(ranges)) ?? ScalarSet(ranges)
                ranges = []
                continue
            }
            isEmpty = false
            if !isECMAScript, scalar == "[", position + 1 < scalars.count, scalars[position + 1] == ":" {
                throw failure("a POSIX class, which is not supported")
            }
            ranges += try (!isECMAScript && take("[") ? characterClass() : classItem()).ranges
        }
        guard take("]") else { throw failure("a '[' without its ']'") }
        if isEmpty { throw failure("an empty class") }
        let set = intersection?.intersection(ScalarSet(ranges)) ?? ScalarSet(ranges)
        return isNegated ? set.complement : set
    }

    /// One character, escape or range of a class.
    private mutating func classItem() throws -> ScalarSet {
        let lower = try classCharacter()
        guard case .scalar(let first) = lower else { return lower.set }
        guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
            return try literal(first...first)
        }
        position += 1
        if !isECMAScript, next == "[" { throw failure("a range that ends in a class") }
        guard case .scalar(let last) = try classCharacter() else { throw failure("a range that ends in a class") }
        guard first <= last else { throw failure("a range with its ends the wrong way round") }
        return try literal(first...last)
    }

    private enum ClassCharacter {
        case scalar(Unicode.Scalar)
        case category(ScalarSet)

        var set: ScalarSet {
            switch self {
            case .scalar(let scalar): ScalarSet(scalar)
            case .category(let set): set
            }
        }
    }

    private mutating func classCharacter() throws -> ClassCharacter {
        guard let scalar = next else { throw failure("a '[' without its ']'") }
        position += 1
        return scalar == "\\" ? try escapedCharacter() : .scalar(scalar)
    }

    // MARK: Escapes

    private mutating func escape() throws -> ScalarSet {
        switch try escapedCharacter() {
        case .scalar(let scalar): try literal(scalar...scalar)
        case .category(let set): set
        }
    }

    /// What follows a backslash.
    private mutating func escapedCharacter() throws -> ClassCharacter {
        guard let scalar = next else { throw failure("a backslash at its end") }
        position += 1
        switch scalar {
        case "n": return .scalar("\n")
        case "r": return .scalar("\r")
        case "t": return .scalar("\t")
        case "f": return .scalar("\u{0C}")
        case "v": return .scalar("\u{0B}")
        case "a": return .scalar("\u{07}")
        case "e": return .scalar("\u{1B}")
        case "s": return .category(whiteSpace)
        case "S": return .category(whiteSpace.complement)
        case "d": return .category(try digits())
        case "D": return .category(try digits().complement)
        case "w": return .category(try wordCharacters())
        case "W": return .category(try wordCharacters().complement)
        case "p": return .category(try bracedProperty())
        case "P": return .category(try bracedProperty().complement)
        case "x": return .scalar(try hexadecimal(digits: 2))
        case "u": return .scalar(try hexadecimal(digits: 4))
        case "a"..."z", "A"..."Z", "0"..."9": throw failure("the escape \\\(scalar), which is not supported")
        default: return .scalar(scalar)
        }
    }

    private var whiteSpace: ScalarSet {
        isECMAScript
            ? ScalarSet([0x85...0x85]).complement.intersection(.whiteSpace).union(ScalarSet("\u{FEFF}")) : .whiteSpace
    }

    private func digits() throws -> ScalarSet { isECMAScript ? ScalarSet([0x30...0x39]) : try property("Nd") }

    private func wordCharacters() throws -> ScalarSet {
        if isECMAScript { return ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]) }
        return try ["L", "M", "Nd", "Nl", "Pc"].map(property).reduce(.otherWordCharacters) { $0.union($1) }
    }

    private func property(_ name: String) throws -> ScalarSet {
        if ignoresCase, ["Lu", "Ll", "Lt"].contains(name) {
            throw failure("\\p{\(name)} where case is ignored, which is not supported")
        }
        guard let set = ScalarSet.property(named: name) else {
            throw failure("the unknown property \\p{\(name.prefix(40))}")
        }
        return set
    }

    private mutating func bracedProperty() throws -> ScalarSet {
        guard take("{") else { throw failure("a \\p without '{'") }
        let isNegated = take("^")
        guard let end = scalars[position...].firstIndex(of: "}") else { throw failure("a \\p{ without '}'") }
        var name = ""
        name.unicodeScalars.append(contentsOf: scalars[position..<end])
        let set = try property(name)
        position = end + 1
        return isNegated ? set.complement : set
    }

    private mutating func hexadecimal(digits: Int) throws -> Unicode.Scalar {
        let isBraced = take("{")
        var value: UInt32 = 0
        var count = 0
        while let digit = next.flatMap({ Character($0).hexDigitValue }), count < (isBraced ? 6 : digits) {
            value = value << 4 | UInt32(digit)
            count += 1
            position += 1
        }
        guard count > 0, isBraced ? take("}") : count == digits, let scalar = Unicode.Scalar(value) else {
            throw failure("a hexadecimal escape that names no character")
        }
        return scalar
    }
}
