import Minke
import MinkeCheckpoints
import MinkeFiles
import MinkePlanning
import MinkeTensors

/// The machine that the program runs on, measured.
enum ThisMachine {
    /// Types of weights that are measured where no model says which it has.
    static let usualTypes: [StoredType] = [.q4K, .q50, .q6K, .q80, .bfloat16]

    /// The limits as ``ModelBenchmark`` measures them, the memory that is there, and what products with weights of
    /// these types and of this shape, and attention, reach: about a second, and another for each type.
    static func chip(types: [StoredType] = usualTypes, products: StoredBenchmark = StoredBenchmark()) -> Chip {
        let limits = ModelBenchmark.Limits.measure()
        var chip = Chip(
            id: "this", name: "this machine", kind: "cpu",
            memoryGB: Double(ResourceMeter.physicalMemoryBytes()) / 1e9, bandwidthGBs: limits.bandwidth / 1e9,
            float32: limits.float32 / 1e12, bfloat16: limits.bfloat16 / 1e12, int8: limits.int8.map { $0 / 1e12 },
            confidence: .a,
            source: "measured just now with \(CPU.shared.threadCount) threads of \(CPU.shared.instructionSet)")
        let products = types.compactMap { product($0, products) }
        if !products.isEmpty {
            chip.rates = ProcessorRates(products: products, attention: StoredBenchmark.latentOperationsPerSecond())
        }
        return chip
    }

    private static func product(_ type: StoredType, _ benchmark: StoredBenchmark) -> ProcessorRates.Product? {
        guard let format = type.formatCode, let rates = benchmark.bytesPerSecond(format: format) else {
            return nil
        }
        return ProcessorRates.Product(
            type: type.rawValue, bits: Double(type.blockBytes) * 8 / Double(type.blockElements),
            points: zip(StoredBenchmark.tokens, rates).map { .init(rows: Double($0), bytesPerSecond: $1) })
    }

    /// The machine as an entry for `--chips`, or as lines.
    static func text(_ chip: Chip, json: Bool) -> String {
        guard json else {
            let peaks = [("float32", chip.float32), ("bfloat16", chip.bfloat16), ("int8", chip.int8)]
            let lines = peaks.compactMap { name, peak in peak.map { "\(name)  \(Quantity.rate($0 * 1e12, "op/s"))" } }
            let rates =
                chip.rates.map { measured in
                    ["attention  \(Quantity.rate(measured.attention, "op/s"))"]
                        + measured.products.map { product in
                            let points = product.points.map {
                                "\(Quantity.significant($0.bytesPerSecond / 1e9)) of \(Quantity.fixed($0.rows, 0))"
                            }
                            return
                                "\(product.type)  weights passed in GB/s by tokens: \(points.joined(separator: ", "))"
                        }
                } ?? []
            return """
                memory  \(Quantity.significant(chip.memoryGB ?? 0, 4)) GB
                read  \(Quantity.significant(chip.bandwidthGBs ?? 0, 4)) GB/s
                \((lines + rates).joined(separator: "\n"))
                \(chip.source)
                """
        }
        var object: JSON.Object = ["id": .string(chip.id), "name": .string(chip.name), "source": .string(chip.source)]
        for (key, value) in [
            ("memory_gb", chip.memoryGB), ("bandwidth_gbs", chip.bandwidthGBs), ("fp32_tflops", chip.float32),
            ("bf16_tflops", chip.bfloat16), ("int8_tops", chip.int8),
        ] {
            object[key] = value.map { .number($0) }
        }
        for (key, value) in chip.rates?.json ?? [:] { object[key] = value }
        return JSON.object(object).text()
    }

    /// The machine as it does with this model: its types of weights, in the shape of its experts.
    static func chip(for shape: ModelShape, _ stored: StoredWeights?) -> Chip {
        let experts = shape.experts
        return chip(
            types: stored?.types ?? usualTypes,
            products: StoredBenchmark(
                columns: size(shape.hidden), rows: size(experts?.width ?? shape.denseWidth),
                matrices: size(experts?.perToken ?? 1)))
    }

    /// A size as one that can be measured: what is known of a model may be sizes that no machine has.
    private static func size(_ value: Double) -> Int { value > 0 ? Int(min(value, 1e6)) : 1 }

    /// The arithmetic that quantised weights are multiplied with here.
    static func precision(_ chip: Chip) -> Chip.Precision { chip.int8 == nil ? .bf16 : .int8 }
}
