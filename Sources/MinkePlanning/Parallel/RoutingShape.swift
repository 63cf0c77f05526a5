import MinkeFiles

/// A layer of experts spread evenly over nodes, in order, and how a token chooses among them.
public struct RoutingShape: Equatable, Sendable {
    public let experts: Int
    /// K, the experts of a token.
    public let expertsPerToken: Int
    public let nodes: Int
    public let devicesPerNode: Int

    public var expertsPerNode: Int { experts / nodes }

    /// - Throws: ``InputError`` when the experts do not divide among the nodes, or are fewer than a token takes.
    public init(experts: Int, expertsPerToken: Int, nodes: Int, devicesPerNode: Int) throws {
        guard (1...ExpertLoads.maximumExperts).contains(experts) else {
            throw InputError("\(experts) experts", remedy: "give 1 to \(ExpertLoads.maximumExperts)")
        }
        guard (1...experts).contains(expertsPerToken) else {
            throw InputError("\(expertsPerToken) experts a token of \(experts)", remedy: "give 1 to \(experts)")
        }
        guard nodes >= 1, experts.isMultiple(of: nodes) else {
            throw InputError("\(experts) experts do not divide among \(nodes) nodes")
        }
        guard (1...1024).contains(devicesPerNode) else {
            throw InputError("\(devicesPerNode) devices a node", remedy: "give 1 to 1024")
        }
        self.experts = experts
        self.expertsPerToken = expertsPerToken
        self.nodes = nodes
        self.devicesPerNode = devicesPerNode
    }

    /// The nodes that a token's experts are on when any K experts are equally likely: N(1 − C(E−e, K)/C(E, K)), with e
    /// experts a node.
    public var expectedNodes: Double {
        var missing = 1.0
        for place in 0..<expertsPerToken {
            missing *= Double(max(0, experts - expertsPerNode - place)) / Double(experts - place)
        }
        return Double(nodes) * (1 - missing)
    }

    /// The device of a node that an expert is on.
    func device(of expert: Int) -> Int { expert % expertsPerNode * devicesPerNode / expertsPerNode }

    /// The experts of a token, by its affinities to all: of those on the M nodes whose K/M highest affinities have the
    /// greatest sum, the K highest (DeepSeek-V3, section 2.1.2).
    ///
    /// - Parameter nodeLimit: M; nil to choose among all.
    func chosen(_ affinities: [Double], nodeLimit: Int?) -> [Int] {
        guard let nodeLimit, nodeLimit < nodes else { return Self.top(expertsPerToken, Array(0..<experts), affinities) }
        let counted = min(expertsPerNode, (expertsPerToken + nodeLimit - 1) / nodeLimit)
        let scores = (0..<nodes).map { node in
            Self.top(counted, Array(node * expertsPerNode..<(node + 1) * expertsPerNode), affinities)
                .reduce(0) { $0 + affinities[$1] }
        }
        let kept = Self.top(nodeLimit, Array(0..<nodes), scores).sorted()
        return Self.top(
            expertsPerToken, kept.flatMap { $0 * expertsPerNode..<($0 + 1) * expertsPerNode }, affinities)
    }

    /// The candidates with the highest scores, highest first; equal ones in the order given.
    private static func top(_ count: Int, _ candidates: [Int], _ scores: [Double]) -> [Int] {
        var candidates = candidates
        for place in 0..<min(count, candidates.count) {
            var best = place
            for other in place + 1..<candidates.count where scores[candidates[other]] > scores[candidates[best]] {
                best = other
            }
            // Moves the others up by one, so that their order stays.
            candidates.insert(candidates.remove(at: best), at: place)
        }
        return Array(candidates.prefix(count))
    }
}
