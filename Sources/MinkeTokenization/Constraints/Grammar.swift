import MinkeFiles

/// A context-free language over bytes and control tokens, as rules that are automata and call each other.
///
/// Built piece by piece: every function that adds something leads from a state to the state behind it.
struct Grammar {
    typealias State = Int32
    typealias Rule = Int32

    enum Edge: Hashable {
        case bytes(ClosedRange<UInt8>, State)
        /// A control token by its id.
        case control(Int32, State)
        case empty(State)
        /// What the rule says, then on at the state.
        case call(Rule, State)
    }

    /// The edges that leave each state.
    private(set) var edges: [[Edge]] = []
    /// Where each rule begins and ends.
    private(set) var rules: [(start: State, end: State)] = []
    /// The rule whose end each state is, or -1.
    private(set) var ruleEnded: [Rule] = []

    /// Bounds the memory that a schema from outside can ask for.
    static let maximumStates = 200_000

    // MARK: States and edges

    mutating func state() throws -> State {
        guard edges.count < Self.maximumStates else {
            throw InputError(
                "a grammar of more than \(Self.maximumStates) states", remedy: "lower the bounds of lengths and counts")
        }
        edges.append([])
        ruleEnded.append(-1)
        return State(edges.count - 1)
    }

    mutating func add(_ edge: Edge, to state: State) { edges[Int(state)].append(edge) }

    mutating func bytes(_ range: ClosedRange<UInt8>, from start: State, to end: State) {
        add(.bytes(range, end), to: start)
    }

    mutating func join(_ start: State, to end: State) { add(.empty(end), to: start) }

    mutating func literal(_ bytes: some Sequence<UInt8>, from start: State) throws -> State {
        var last = start
        for byte in bytes {
            let next = try state()
            self.bytes(byte...byte, from: last, to: next)
            last = next
        }
        return last
    }

    mutating func literal(_ text: String, from start: State) throws -> State { try literal(text.utf8, from: start) }

    mutating func control(_ token: Int32, from start: State) throws -> State {
        let end = try state()
        add(.control(token, end), to: start)
        return end
    }

    // MARK: Rules

    mutating func newRule() throws -> Rule {
        let rule = Rule(rules.count)
        rules.append((try state(), try state()))
        ruleEnded[Int(rules[Int(rule)].end)] = rule
        return rule
    }

    /// A rule whose body `build` adds, from the state that it is given to the one that it returns.
    mutating func newRule(_ build: (inout Grammar, State) throws -> State) throws -> Rule {
        let rule = try newRule()
        let end = try build(&self, start(of: rule))
        join(end, to: self.end(of: rule))
        return rule
    }

    func start(of rule: Rule) -> State { rules[Int(rule)].start }
    func end(of rule: Rule) -> State { rules[Int(rule)].end }

    mutating func call(_ rule: Rule, from start: State) throws -> State {
        let end = try state()
        add(.call(rule, end), to: start)
        return end
    }

    // MARK: Combinations

    /// One of several continuations.
    mutating func alternatives(_ count: Int, from start: State, _ build: (inout Grammar, Int, State) throws -> State)
        throws -> State
    {
        let end = try state()
        for index in 0..<count {
            let first = try state()
            join(start, to: first)
            join(try build(&self, index, first), to: end)
        }
        return end
    }

    /// What `build` adds, `minimum` to `maximum` times; without a bound where that is nil.
    ///
    /// `build` must not add something that can be empty.
    mutating func repetition(
        from start: State, minimum: Int, maximum: Int?, _ build: (inout Grammar, State) throws -> State
    ) throws -> State {
        var last = start
        for _ in 0..<minimum { last = try build(&self, last) }
        let end = try state()
        if let maximum {
            join(last, to: end)
            for _ in minimum..<max(minimum, maximum) {
                last = try build(&self, last)
                join(last, to: end)
            }
        } else {
            let loop = try state()
            join(last, to: loop)
            join(try build(&self, loop), to: loop)
            join(loop, to: end)
        }
        return end
    }

    /// The automaton of a machine whose states are values: `next` gives the value behind a byte, nil where none is.
    mutating func machine<Value: Hashable>(
        from start: State, _ initial: Value, over alphabet: [UInt8], next: (Value, UInt8) -> Value?,
        isEnd: (Value) -> Bool
    ) throws -> State {
        let end = try state()
        var states = [initial: start]
        var queue = [initial]
        while let value = queue.popLast() {
            guard let state = states[value] else { continue }
            if isEnd(value) { join(state, to: end) }
            for byte in alphabet {
                guard let target = next(value, byte) else { continue }
                if states[target] == nil {
                    states[target] = try self.state()
                    queue.append(target)
                }
                if let place = states[target] { bytes(byte...byte, from: state, to: place) }
            }
        }
        return end
    }
}
