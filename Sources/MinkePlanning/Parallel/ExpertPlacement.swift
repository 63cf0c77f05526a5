import MinkeFiles

/// Which expert is where: replicas of experts on devices, by the rule of DeepSeek's EPLB.
///
/// Busy experts get more than one replica, among which their tokens are shared evenly, and replicas are packed on
/// devices so that these are equally busy. Where the nodes divide the groups of experts, whole groups are packed on
/// nodes first, so that routing limited to a few groups stays within a few nodes (*hierarchical*); otherwise replicas
/// go anywhere (*global*).
public struct ExpertPlacement: Equatable, Sendable {
    public enum Policy: String, Sendable {
        case hierarchical, global
    }

    /// The machines that experts are placed on.
    public struct Layout: Equatable, Sendable {
        public let replicas: Int
        public let groups: Int
        public let nodes: Int
        public let devices: Int

        /// - Parameters:
        ///   - replicas: replicas of all experts of a layer together, a multiple of the devices.
        ///   - groups: groups of experts that routing chooses among.
        ///   - devices: devices of all nodes together.
        /// - Throws: ``InputError`` when the counts do not divide each other.
        public init(replicas: Int, groups: Int, nodes: Int, devices: Int) throws {
            guard nodes >= 1, devices >= 1, groups >= 1, devices <= 65_536, replicas <= 1 << 20 else {
                throw InputError(
                    "a placement of \(replicas) replicas of \(groups) groups on \(devices) devices of \(nodes) nodes",
                    remedy: "give counts of at least 1, at most 65536 devices and 1048576 replicas")
            }
            guard devices.isMultiple(of: nodes) else {
                throw InputError("\(devices) devices do not divide among \(nodes) nodes")
            }
            guard replicas >= devices, replicas.isMultiple(of: devices) else {
                throw InputError("\(replicas) replicas do not divide among \(devices) devices")
            }
            self.replicas = replicas
            self.groups = groups
            self.nodes = nodes
            self.devices = devices
        }
    }

    public let layout: Layout
    public let policy: Policy
    /// The expert that each replica is of, device after device.
    public let experts: [Int]
    /// Replicas of each expert.
    public let counts: [Int]

    /// Places the experts of one layer.
    ///
    /// - Parameter loads: tokens of each expert.
    /// - Throws: ``InputError`` when there are fewer replicas than experts, or groups do not divide the experts.
    public init(loads: [Double], layout: Layout) throws {
        guard !loads.isEmpty, loads.count <= layout.replicas else {
            throw InputError("\(layout.replicas) replicas are fewer than \(loads.count) experts")
        }
        guard loads.count.isMultiple(of: layout.groups) else {
            throw InputError("\(loads.count) experts do not divide into \(layout.groups) groups")
        }
        self.layout = layout
        let isHierarchical = layout.groups.isMultiple(of: layout.nodes)
        policy = isHierarchical ? .hierarchical : .global
        let nodes = isHierarchical ? layout.nodes : 1
        let groupSize = isHierarchical ? loads.count / layout.groups : loads.count
        let groupLoads = (0..<loads.count / groupSize).map { group in
            loads[group * groupSize..<(group + 1) * groupSize].reduce(0, +)
        }
        var experts: [Int] = []
        var counts = [Int](repeating: 0, count: loads.count)
        for groups in Self.packed(groupLoads, into: nodes) {
            let here = groups.flatMap { $0 * groupSize..<($0 + 1) * groupSize }
            let replicas = Self.replicated(here.map { loads[$0] }, to: layout.replicas / nodes).map { here[$0] }
            for expert in replicas { counts[expert] += 1 }
            let shares = replicas.map { loads[$0] / Double(counts[$0]) }
            for device in Self.packed(shares, into: layout.devices / nodes) {
                experts += device.map { replicas[$0] }
            }
        }
        self.experts = experts
        self.counts = counts
    }

    /// Packs objects into packs of equal numbers and weights as equal as a greedy rule gets them: heaviest first, each
    /// into the lightest pack that has room. Objects keep the order in which they came; equal ones go by their index.
    ///
    /// - Returns: the objects of each pack. One object a pack stays where it is, as moving it balances nothing.
    static func packed(_ weights: [Double], into packs: Int) -> [[Int]] {
        let room = weights.count / packs
        if room == 1 { return weights.indices.map { [$0] } }
        var result = [[Int]](repeating: [], count: packs)
        var sums = [Double](repeating: 0, count: packs)
        var heap = LightestFirst(packs)
        for object in weights.indices.sorted(by: { (weights[$1], $0) < (weights[$0], $1) }) {
            guard let pack = heap.lightest else { break }
            result[pack].append(object)
            sums[pack] += weights[object]
            heap.update(weight: sums[pack], isFull: result[pack].count == room)
        }
        return result
    }

    /// Gives one more replica, again and again, to the expert whose replicas are busiest.
    ///
    /// - Returns: the expert of each replica: all experts once in order, then the further replicas as they were given.
    static func replicated(_ loads: [Double], to replicas: Int) -> [Int] {
        var experts = Array(loads.indices)
        var counts = [Double](repeating: 1, count: loads.count)
        while experts.count < replicas {
            var busiest = 0
            for expert in loads.indices where loads[expert] / counts[expert] > loads[busiest] / counts[busiest] {
                busiest = expert
            }
            experts.append(busiest)
            counts[busiest] += 1
        }
        return experts
    }
}

/// Packs in the order of their weights, then of their numbers; full ones are taken out.
private struct LightestFirst {
    private var heap: [(weight: Double, pack: Int)]

    init(_ packs: Int) { heap = (0..<packs).map { (0, $0) } }

    var lightest: Int? { heap.first?.pack }

    /// Gives the lightest pack its new weight, or takes it out.
    mutating func update(weight: Double, isFull: Bool) {
        if isFull {
            heap.swapAt(0, heap.count - 1)
            heap.removeLast()
        } else {
            heap[0].weight = weight
        }
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            if least == place { return }
            heap.swapAt(place, least)
            place = least
        }
    }
}
