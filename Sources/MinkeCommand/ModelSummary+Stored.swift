import Minke
import MinkeTensors

/// What a checkpoint's files mean for running it here.
struct RunningCosts {
    let stored: StoredWeights
    /// Bytes that one token adds to the cache, as `--cache-type` bf16 keeps it.
    let cacheBytesPerToken: Int
    /// The machine's, in bytes a second.
    let bandwidth: Double
    /// The machine's, in bytes.
    let memory: Int
    /// What `--memory` means; nil where all fits or nothing was asked.
    let plan: MemoryPlan?
    /// The disk's, in bytes a second, where experts are to be read.
    let disk: Double?

    private let checkpoint: Checkpoint

    init(_ stored: StoredWeights, _ costs: ModelCosts, _ checkpoint: Checkpoint, plan: MemoryPlan?, disk: Double?) {
        self.checkpoint = checkpoint
        self.plan = plan
        self.disk = disk
        self.stored = stored
        cacheBytesPerToken = costs.cachedValuesPerToken * 2
        bandwidth = CPU.shared.measuredReadBandwidth()
        memory = ResourceMeter.physicalMemoryBytes()
    }

    /// - Throws: ``InputError`` when the model cannot run with the memory that was given.
    func requireEnoughMemory() throws { try plan?.requireEnough(for: checkpoint) }

    /// Bytes of experts that a token has to fetch from disk if all are chosen equally often.
    private var bytesFromDisk: Double {
        plan.map { (1 - $0.residentShare) * Double($0.expertBytesPerToken) } ?? 0
    }

    /// An estimate: decoding at an empty context does nothing but read weights at the measured bandwidth, after those that
    /// are missing came from disk.
    var tokensPerSecond: Double {
        1 / (Double(max(1, stored.bytesPerToken)) / bandwidth + (disk.map { bytesFromDisk / max(1, $0) } ?? 0))
    }

    private var planJSON: JSON {
        guard let plan else { return .null }
        return [
            "budget": .integer(plan.budget), "resident_bytes": .integer(plan.residentBytes),
            "is_enough": .bool(plan.isEnough), "cache_bytes": .integer(plan.cacheBytes),
            "is_streamed": .bool(plan.isStreamed),
            "experts": .integer(plan.experts), "experts_in_memory": .integer(plan.slots),
            "least_budget": .integer(plan.leastBudget), "bytes_from_disk_per_token": .number(bytesFromDisk),
            "disk_bytes_per_second": disk.map { .number($0) } ?? .null,
        ]
    }

    private var planText: String {
        guard let plan else { return "" }
        var place = "with \(HumanFormat.bytes(plan.budget)): "
        if !plan.isEnough { place += "too little; with \(HumanFormat.bytes(plan.leastBudget)), the least: " }
        guard plan.isStreamed, let disk else { return "\n\(place)all weights fit" }
        return """

            \(place)\(HumanFormat.bytes(plan.residentBytes)) of weights always in memory, \
            \(HumanFormat.bytes(plan.cacheBytes)) for the cache, and \(HumanFormat.grouped(plan.slots)) of \
            \(HumanFormat.grouped(plan.experts)) experts (\(HumanFormat.percent(plan.residentShare))); a token reads about \
            \(HumanFormat.bytes(Int(bytesFromDisk))) of others from disk, at \(HumanFormat.bytes(Int(disk)))/s measured
            """
    }

    var json: JSON {
        [
            "bytes": .integer(stored.bytes), "bytes_per_token": .integer(stored.bytesPerToken),
            "parts": .array(
                stored.parts.map {
                    [
                        "kind": .string($0.kind), "type": .string($0.type), "tensors": .integer($0.tensors),
                        "bytes": .integer($0.bytes),
                    ]
                }),
            "resident_bytes": .integer(stored.bytes), "memory_bytes": .integer(memory),
            "read_bytes_per_second": .number(bandwidth), "tokens_per_second_estimate": .number(tokensPerSecond),
            "plan": planJSON,
        ]
    }

    var text: String {
        let rows = stored.parts.map {
            [$0.kind, $0.type, HumanFormat.grouped($0.tensors), HumanFormat.bytes($0.bytes)]
        }
        let fits = stored.bytes < memory ? "" : ": more than this machine has"
        return """
            \(ModelSummary.table([["stored", "type", "tensors", "size"]] + rows))

            in memory: \(HumanFormat.bytes(stored.bytes)) of weights once all were used (of \
            \(HumanFormat.bytes(memory))\(fits)), and \(HumanFormat.bytes(cacheBytesPerToken * 4096)) of cache for each 4,096 \
            tokens in bf16\(planText)
            expect at most about \(HumanFormat.rate(tokensPerSecond, "tok/s")) when decoding: \
            \(HumanFormat.bytes(stored.bytesPerToken)) read a token, at \(HumanFormat.bytes(Int(bandwidth)))/s measured \
            (an estimate)
            """
    }
}
