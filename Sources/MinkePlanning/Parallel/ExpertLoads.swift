import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// How many tokens each expert of each layer received.
public struct ExpertLoads: Equatable, Sendable {
    /// The number of each layer in its model.
    public let layers: [Int]
    /// Layers × experts: tokens, in any unit.
    public let values: [[Double]]
    /// Where the loads are from: a file and its steps, or the distribution.
    public let origin: String

    /// The most experts of a layer.
    public static let maximumExperts = 4096
    /// The most layers.
    public static let maximumLayers = 1024

    public var expertCount: Int { values.first?.count ?? 0 }

    /// - Throws: ``InputError`` for layers of no or different numbers of experts, or loads that are negative.
    public init(layers: [Int], values: [[Double]], origin: String) throws {
        guard let experts = values.first?.count, layers.count == values.count, layers.count <= Self.maximumLayers else {
            throw InputError("expert loads of \(values.count) layers", remedy: "give 1 to \(Self.maximumLayers) layers")
        }
        guard (1...Self.maximumExperts).contains(experts) else {
            throw InputError("\(experts) experts in a layer", remedy: "give 1 to \(Self.maximumExperts)")
        }
        for (layer, loads) in zip(layers, values) {
            guard loads.count == experts else {
                throw InputError("layer \(layer) has \(loads.count) experts, and layer \(layers[0]) has \(experts)")
            }
            guard loads.allSatisfy({ $0 >= 0 && $0 <= 1e300 / Double(experts) }) else {
                throw InputError("layer \(layer) has a load that is negative or not finite")
            }
        }
        self.layers = layers
        self.values = values
        self.origin = origin
    }

    /// Loads by Zipf's law: the expert of rank i gets a share as 1/i^exponent, and which expert has which rank is
    /// shuffled for each layer by the seed.
    public init(zipf exponent: Double, experts: Int, layers: Int = 1, seed: UInt64) throws {
        guard exponent >= 0, exponent <= 10 else {
            throw InputError("a Zipf exponent of \(exponent)", remedy: "give 0 (all alike) to 10")
        }
        guard (1...Self.maximumExperts).contains(experts), (1...Self.maximumLayers).contains(layers) else {
            throw InputError(
                "\(layers) layers of \(experts) experts",
                remedy: "at most \(Self.maximumLayers) layers of \(Self.maximumExperts)")
        }
        var random = PlanRandom(seed: seed)
        let values = (0..<layers).map { _ in
            var loads = (1...experts).map { 1_000_000 * pow(Double($0), -exponent) }
            for last in stride(from: experts - 1, to: 0, by: -1) {
                loads.swapAt(last, random.integer(below: last + 1))
            }
            return loads
        }
        try self.init(
            layers: Array(0..<layers), values: values, origin: "Zipf's law, exponent \(exponent), seed \(seed)")
    }

    /// Sums up what a training run recorded: the lines of its `metrics.jsonl` that have `expert_load`.
    ///
    /// - Parameters:
    ///   - lastSteps: sum only this many recorded steps, the last ones; nil for all.
    ///   - skippedSteps: leave out this many at the end first, to measure on them what the others foretell.
    /// - Throws: ``InputError`` when the file cannot be read, a line is not JSON, or no line has loads.
    public init(contentsOf path: String, lastSteps: Int? = nil, skippedSteps: Int = 0) throws {
        if let lastSteps, lastSteps < 1 {
            throw InputError("loads of the last \(lastSteps) steps", remedy: "give 1 or more")
        }
        if skippedSteps < 0 {
            throw InputError("loads without the last \(skippedSteps) steps", remedy: "give 0 or more")
        }
        let file = try MappedFile(path: path)
        file.advise(.sequential)
        do {
            self = try file.withBytes { try Self.sum($0, path: path, lastSteps: lastSteps, skippedSteps: skippedSteps) }
        } catch let error as InputError {
            throw error.location?.hasPrefix(path) == true ? error : error.located(at: path)
        }
    }

    private static func sum(
        _ bytes: UnsafeRawBufferPointer, path: String, lastSteps: Int?, skippedSteps: Int
    ) throws -> ExpertLoads {
        var lines: [(number: Int, range: Range<Int>)] = []
        var start = 0
        var number = 0
        while start < bytes.count {
            number += 1
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            let range = start..<(end ?? bytes.count)
            // A run that died may have left half a line.
            if end != nil || (try? JSON(parsing: UnsafeRawBufferPointer(rebasing: bytes[range]))) != nil {
                lines.append((number, range))
            }
            start = range.upperBound + 1
        }
        var sums: [Int: [Double]] = [:]
        var steps = 0
        var skipped = 0
        for line in lines.reversed() where steps < lastSteps ?? .max {
            let text = UnsafeRawBufferPointer(rebasing: bytes[line.range])
            if text.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }) { continue }
            do {
                guard let recorded = try JSON(parsing: text)["expert_load"] else { continue }
                guard skipped >= skippedSteps else {
                    skipped += 1
                    continue
                }
                try add(recorded, to: &sums)
            } catch let error as InputError {
                throw error.located(at: "line \(line.number)")
            }
            steps += 1
        }
        guard !sums.isEmpty || skipped == 0 else {
            throw InputError("has \(skipped) steps with expert loads, all of which are left out")
        }
        guard !sums.isEmpty else {
            throw InputError(
                "has no expert loads",
                remedy: "give the metrics.jsonl of a run of `minke train` on a model with experts")
        }
        let layers = sums.keys.sorted()
        return try ExpertLoads(
            layers: layers, values: layers.map { sums[$0] ?? [] },
            origin: "\(path), \(steps) recorded steps" + (skipped > 0 ? " before the last \(skipped)" : ""))
    }

    private static func add(_ recorded: JSON, to sums: inout [Int: [Double]]) throws {
        guard let layers = recorded.objectValue else { throw InputError("expert_load is not an object of layers") }
        for (key, value) in layers {
            guard let layer = Int(key), let elements = value.arrayValue else {
                throw InputError("expert_load \"\(key)\" is not a layer's list of loads")
            }
            let loads = elements.compactMap(\.doubleValue)
            guard loads.count == elements.count else {
                throw InputError("expert_load of layer \(layer) holds something other than numbers")
            }
            guard let sum = sums[layer] else {
                sums[layer] = loads
                continue
            }
            guard sum.count == loads.count else {
                throw InputError("layer \(layer) has \(loads.count) experts here and \(sum.count) on other lines")
            }
            sums[layer] = zip(sum, loads).map(+)
        }
    }
}
