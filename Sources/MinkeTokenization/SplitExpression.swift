import MinkeFiles

/// A regular expression compiled for ``ExpressionMatcher``.
final class SplitExpression: @unchecked Sendable {
    /// One step of the program.
    struct Instruction {
        enum Operation: UInt8 {
            /// Consumes one scalar of the set.
            case set
            /// Consumes up to `limit` scalars of the set, as many as there are, and may give some back.
            case loop
            /// The same, but gives nothing back.
            case possessiveLoop
            /// Goes on with the next instruction, and with `target` if that fails. With a set, goes to `target` at once
            /// when the next scalar is not in it.
            case branch
            case jump
            /// Goes on if `lookaheads[target]` holds here.
            case lookahead
            case lineStart
            case lineEnd
            case match
        }

        var operation: Operation
        /// Index of a set, or -1.
        var set: Int32 = -1
        var target: Int32 = 0
        var limit = Int.max
    }

    struct Lookahead {
        var alternatives: [[Int32]]
        var isNegated: Bool
    }

    let pattern: String
    /// Never changes after `init`, which is what makes sharing the expression safe.
    let program: UnsafeMutableBufferPointer<Instruction>
    let lookaheads: [Lookahead]
    let sets: ScalarTables
    /// The set of scalars that can begin a match.
    let firstSet: Int32

    /// - Throws: ``InputError`` for what is malformed, not supported, or too large.
    init(_ pattern: String) throws {
        let node = try ExpressionParser.parse(pattern)
        var compiler = Compiler()
        guard let first = node.firstScalars else {
            throw InputError(
                "the regular expression \(pattern.prefix(60)) can match the empty text, which splits nothing")
        }
        let firstSet = try compiler.index(of: first)
        try compiler.emit(node)
        try compiler.append(Instruction(operation: .match))
        self.pattern = pattern
        self.firstSet = firstSet
        lookaheads = compiler.lookaheads
        sets = ScalarTables(compiler.sets)
        program = .allocate(capacity: compiler.program.count)
        _ = program.initialize(from: compiler.program)
    }

    deinit { program.deallocate() }
}

private struct Compiler {
    typealias Instruction = SplitExpression.Instruction

    var program: [Instruction] = []
    var lookaheads: [SplitExpression.Lookahead] = []
    var sets: [ScalarSet] = []
    private var setIndices: [ScalarSet: Int32] = [:]

    /// Bounds on what one expression may cost; the largest known ones stay far below.
    static let maximumInstructions = 1_000
    static let maximumSets = 200

    mutating func index(of set: ScalarSet) throws -> Int32 {
        if let index = setIndices[set] { return index }
        if sets.count == Self.maximumSets {
            throw InputError("a regular expression with more than \(Self.maximumSets) different classes")
        }
        sets.append(set)
        setIndices[set] = Int32(sets.count - 1)
        return Int32(sets.count - 1)
    }

    mutating func append(_ instruction: Instruction) throws {
        if program.count == Self.maximumInstructions { throw InputError("a regular expression that is too large") }
        program.append(instruction)
    }

    mutating func emit(_ node: ExpressionNode) throws {
        switch node {
        case .set(let set): try append(Instruction(operation: .set, set: index(of: set)))
        case .sequence(let nodes): for node in nodes { try emit(node) }
        case .alternation(let nodes): try emit(alternatives: nodes)
        case .repetition(.set(let set), let minimum, let maximum, let isPossessive):
            let index = try index(of: set)
            for _ in 0..<minimum { try append(Instruction(operation: .set, set: index)) }
            if maximum != minimum {
                let limit = maximum.map { $0 - minimum } ?? .max
                try append(Instruction(operation: isPossessive ? .possessiveLoop : .loop, set: index, limit: limit))
            }
        case .repetition(let body, let minimum, let maximum, _):
            for _ in 0..<minimum { try emit(body) }
            if let maximum {
                let branches = try (minimum..<maximum).map { _ in
                    let branch = try emitBranch(before: body)
                    try emit(body)
                    return branch
                }
                for branch in branches { program[branch].target = Int32(program.count) }
            } else {
                let branch = try emitBranch(before: body)
                try emit(body)
                try append(Instruction(operation: .jump, target: Int32(branch)))
                program[branch].target = Int32(program.count)
            }
        case .lookahead(let alternatives, let isNegated):
            let indices = try alternatives.map { try $0.map { try index(of: $0) } }
            lookaheads.append(.init(alternatives: indices, isNegated: isNegated))
            try append(Instruction(operation: .lookahead, target: Int32(lookaheads.count - 1)))
        case .lineStart: try append(Instruction(operation: .lineStart))
        case .lineEnd: try append(Instruction(operation: .lineEnd))
        }
    }

    private mutating func emit(alternatives: [ExpressionNode]) throws {
        var jumps: [Int] = []
        for (index, node) in alternatives.enumerated() {
            guard index < alternatives.count - 1 else {
                try emit(node)
                break
            }
            let branch = try emitBranch(before: node)
            try emit(node)
            jumps.append(program.count)
            try append(Instruction(operation: .jump))
            program[branch].target = Int32(program.count)
        }
        for jump in jumps { program[jump].target = Int32(program.count) }
    }

    /// Appends a branch whose target is still to be set, and returns its place.
    private mutating func emitBranch(before node: ExpressionNode) throws -> Int {
        let set = try node.firstScalars.map { try index(of: $0) } ?? -1
        try append(Instruction(operation: .branch, set: set))
        return program.count - 1
    }
}
