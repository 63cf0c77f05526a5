/// A regular expression as a tree.
indirect enum ExpressionNode {
    case set(ScalarSet)
    case sequence([ExpressionNode])
    case alternation([ExpressionNode])
    /// `maximum` is `nil` without bound. A possessive repetition never gives back what it took.
    case repetition(ExpressionNode, minimum: Int, maximum: Int?, isPossessive: Bool)
    /// A test of what follows: alternatives, each a run of single-scalar sets.
    case lookahead([[ScalarSet]], isNegated: Bool)
    case lineStart
    case lineEnd

    /// The scalars with which a match can begin, or `nil` when it can be empty.
    var firstScalars: ScalarSet? {
        switch self {
        case .set(let set): return set
        case .lookahead, .lineStart, .lineEnd: return nil
        case .alternation(let nodes):
            let sets = nodes.compactMap(\.firstScalars)
            return sets.count == nodes.count ? ScalarSet(sets.flatMap(\.ranges)) : nil
        case .sequence:
            return canBeEmpty ? nil : leadingScalars
        case .repetition(let node, let minimum, _, _): return minimum > 0 ? node.firstScalars : nil
        }
    }

    /// The scalars with which a match that is not empty can begin.
    private var leadingScalars: ScalarSet {
        switch self {
        case .set(let set): set
        case .lookahead, .lineStart, .lineEnd: .empty
        case .alternation(let nodes): ScalarSet(nodes.flatMap(\.leadingScalars.ranges))
        case .sequence(let nodes):
            ScalarSet(
                nodes.prefix((nodes.firstIndex { !$0.canBeEmpty } ?? nodes.count - 1) + 1)
                    .flatMap(\.leadingScalars.ranges))
        case .repetition(let node, _, _, _): node.leadingScalars
        }
    }

    var canBeEmpty: Bool {
        switch self {
        case .set: false
        case .lookahead, .lineStart, .lineEnd: true
        case .alternation(let nodes): nodes.contains { $0.canBeEmpty }
        case .sequence(let nodes): nodes.allSatisfy { $0.canBeEmpty }
        case .repetition(let node, let minimum, _, _): minimum == 0 || node.canBeEmpty
        }
    }

    /// The node as alternatives of single-scalar sets, or `nil` when it is more than that.
    var alternativesOfSets: [[ScalarSet]]? {
        switch self {
        case .set(let set): return [[set]]
        case .alternation(let nodes):
            let alternatives = nodes.compactMap(\.alternativesOfSets)
            return alternatives.count == nodes.count ? alternatives.flatMap { $0 } : nil
        case .sequence(let nodes):
            var run: [ScalarSet] = []
            for node in nodes {
                guard case .set(let set) = node else { return nil }
                run.append(set)
            }
            return [run]
        default: return nil
        }
    }
}
