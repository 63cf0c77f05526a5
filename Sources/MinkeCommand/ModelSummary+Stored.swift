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

    init(_ stored: StoredWeights, _ costs: ModelCosts) {
        self.stored = stored
        cacheBytesPerToken = costs.cachedValuesPerToken * 2
        bandwidth = CPU.shared.measuredReadBandwidth()
        memory = ResourceMeter.physicalMemoryBytes()
    }

    /// An estimate: decoding at an empty context does nothing but read weights at the measured bandwidth.
    var tokensPerSecond: Double { bandwidth / Double(max(1, stored.bytesPerToken)) }

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
            tokens in bf16
            expect at most about \(HumanFormat.rate(tokensPerSecond, "tok/s")) when decoding: \
            \(HumanFormat.bytes(stored.bytesPerToken)) read a token, at \(HumanFormat.bytes(Int(bandwidth)))/s measured \
            (an estimate)
            """
    }
}
