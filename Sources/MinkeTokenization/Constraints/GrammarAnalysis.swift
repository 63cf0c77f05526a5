import MinkeFiles

/// What must be known of a grammar before it is run: that it ends, and how deep it must call to do so.
struct GrammarAnalysis {
    /// By state: how many calls must be open at once, at least, to reach the end of its rule. `impossible` where none helps.
    let needs: [Int32]
    /// By byte: its class; bytes of one class are alike to every state.
    let classes: [UInt8]
    /// By class: one of its bytes.
    let representatives: [UInt8]

    static let impossible = Int32.max / 2

    /// - Throws: ``InputError`` where no text fits, or a rule calls itself before it takes a byte.
    init(_ grammar: Grammar, root: Grammar.Rule) throws {
        needs = Self.needs(grammar)
        guard needs[Int(grammar.start(of: root))] <= ConstraintAutomaton.maximumDepth else {
            throw InputError("no text can satisfy the schema", remedy: "it contradicts itself or nests without end")
        }
        try Self.refuseLeftRecursion(grammar)
        var isBoundary = [Bool](repeating: false, count: 257)
        for edge in grammar.edges.joined() {
            guard case .bytes(let range, _) = edge else { continue }
            isBoundary[Int(range.lowerBound)] = true
            isBoundary[Int(range.upperBound) + 1] = true
        }
        var classes: [UInt8] = []
        var representatives: [UInt8] = []
        for byte in 0..<256 {
            if byte == 0 || isBoundary[byte] { representatives.append(UInt8(byte)) }
            classes.append(UInt8(representatives.count - 1))
        }
        self.classes = classes
        self.representatives = representatives
    }

    /// The least solution, found by lowering what depends on a state whenever the state was lowered.
    private static func needs(_ grammar: Grammar) -> [Int32] {
        var needs = [Int32](repeating: impossible, count: grammar.edges.count)
        var dependents = [[Int32]](repeating: [], count: grammar.edges.count)
        for (state, edges) in grammar.edges.enumerated() {
            for edge in edges {
                switch edge {
                case .bytes(_, let target), .control(_, let target), .empty(let target):
                    dependents[Int(target)].append(Int32(state))
                case .call(let rule, let target):
                    dependents[Int(target)].append(Int32(state))
                    dependents[Int(grammar.start(of: rule))].append(Int32(state))
                }
            }
        }
        var queue = grammar.rules.map(\.end)
        for end in queue { needs[Int(end)] = 0 }
        while let changed = queue.popLast() {
            for state in dependents[Int(changed)] {
                var least = needs[Int(state)]
                for edge in grammar.edges[Int(state)] {
                    switch edge {
                    case .bytes(_, let target), .control(_, let target), .empty(let target):
                        least = min(least, needs[Int(target)])
                    case .call(let rule, let target):
                        least = min(least, max(needs[Int(grammar.start(of: rule))] + 1, needs[Int(target)]))
                    }
                }
                if least < needs[Int(state)] {
                    needs[Int(state)] = least
                    queue.append(state)
                }
            }
        }
        return needs
    }

    /// Rules reached from a rule's start without a byte must not lead back to it: expanding them would not end.
    private static func refuseLeftRecursion(_ grammar: Grammar) throws {
        // Which rules can be empty; one that calls others is taken to be empty when those it calls first can be.
        var isEmpty = [Bool](repeating: false, count: grammar.rules.count)
        var leading = [Set<Grammar.Rule>](repeating: [], count: grammar.rules.count)
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for rule in grammar.rules.indices {
                var seen: Set<Grammar.State> = [grammar.rules[rule].start]
                var queue = Array(seen)
                func visit(_ state: Grammar.State) { if seen.insert(state).inserted { queue.append(state) } }
                while let state = queue.popLast() {
                    if state == grammar.rules[rule].end, !isEmpty[rule] {
                        isEmpty[rule] = true
                        hasChanged = true
                    }
                    for edge in grammar.edges[Int(state)] {
                        switch edge {
                        case .empty(let target): visit(target)
                        case .call(let called, let target):
                            leading[rule].insert(called)
                            if isEmpty[Int(called)] { visit(target) }
                        default: break
                        }
                    }
                }
            }
        }
        // Rules that lead to no rule that is left are done; a cycle leaves a rest.
        var waiting = leading.map(\.count)
        var callers = [[Int]](repeating: [], count: leading.count)
        for (rule, called) in leading.enumerated() { for other in called { callers[Int(other)].append(rule) } }
        var queue = waiting.indices.filter { waiting[$0] == 0 }
        var done = 0
        while let rule = queue.popLast() {
            done += 1
            for caller in callers[rule] {
                waiting[caller] -= 1
                if waiting[caller] == 0 { queue.append(caller) }
            }
        }
        guard done == leading.count else {
            throw InputError(
                "a definition refers to itself directly", at: "$ref", remedy: "put an object or a list between")
        }
    }
}
