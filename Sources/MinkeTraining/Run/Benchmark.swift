import MinkeFiles
import MinkeModel
import MinkeTensors

/// Speed of training and of matrix products on this machine.
public enum Benchmark {
    /// Times training steps of a configuration on the byte pairs of a text, hashed into the vocabulary as the PyTorch
    /// yardstick does it.
    ///
    /// - Returns: the figures that `minke bench train --json` prints.
    public static func training(
        _ configuration: RunConfiguration, text: UnsafeRawBufferPointer, steps: Int,
        progress: (Int, Double, Double) -> Void = { _, _, _ in }
    ) throws -> JSON.Object {
        let pairs = (0..<text.count / 2).map {
            (Int32(text[2 * $0]) * 97 + Int32(text[2 * $0 + 1])) % Int32(configuration.model.vocabSize)
        }
        let length = configuration.sequenceLength
        guard pairs.count > length + 1 else { throw InputError("the text is too short", remedy: "give a longer one") }
        var random = CounterRandom(seed: UInt64(configuration.seed), purpose: "benchmark")
        let batch = { () -> TrainingSession.Batch in
            let starts = (0..<configuration.batchSize).map { _ in random.integer(below: pairs.count - length - 1) }
            return (starts.flatMap { pairs[$0..<$0 + length] }, starts.flatMap { pairs[$0 + 1..<$0 + 1 + length] })
        }
        let initialization = WeightSource.random(seed: UInt64(configuration.seed), configuration.initialization)
        let session = TrainingSession(
            configuration, model: try LanguageModel(configuration.model, weights: initialization))
        var losses: [Double] = []
        var seconds: [Double] = []
        let start = ResourceMeter.monotonicSeconds()
        for index in 0..<steps + 2 {
            let before = ResourceMeter.monotonicSeconds()
            losses.append(session.advance([batch()], total: steps + 2).loss)
            // The first two steps allocate and pack; the peer's are not counted either.
            let last = ResourceMeter.monotonicSeconds() - before
            if index >= 2 { seconds.append(last) }
            progress(index, losses[index], last)
        }
        let wall = ResourceMeter.monotonicSeconds() - start
        seconds.sort()
        let tokens = Double(configuration.batchSize * length)
        let flops = ModelCosts(configuration.model).trainingFLOPs(length: length)
        let peak = configuration.precision.measuredPeak
        let median = seconds[seconds.count / 2]
        return [
            "tokens_per_second": .number(tokens / median), "tokens_per_second_best": .number(tokens / seconds[0]),
            "step_ms_median": .number(median * 1e3), "step_ms_min": .number(seconds[0] * 1e3),
            "peak_memory_bytes": .integer(ResourceMeter.peakMemoryBytes()), "loss_first": .number(losses[0]),
            "loss_last": .number(losses[losses.count - 1]), "losses": .array(losses.map { .number($0) }),
            "flops_per_token": .number(flops), "peak_flops": .number(peak),
            "fraction_of_peak": .number(tokens * flops / median / peak), "steps": .integer(steps),
            "seconds_wall": .number(wall), "precision": .string(configuration.precision.rawValue),
            "instruction_set": .string(CPU.shared.instructionSet), "threads": .integer(CPU.shared.threadCount),
            "parameters": .integer(ModelCosts(configuration.model).totalParameters),
        ]
    }
}

extension Benchmark {
    /// A product of the reference configuration: one weight of it, by name.
    private struct Shape {
        let name: String
        let rows: Int
        let columns: Int
        let depth: Int
        /// Matrices of this shape that are multiplied together: the experts of a layer.
        var groups = 1
        /// How often a training step does it.
        let count: Int
    }

    /// The weights of a configuration, with the rows that reach each of them in a step.
    private static func shapes(_ run: RunConfiguration) -> [Shape] {
        let m = run.model
        let tokens = run.batchSize * run.sequenceLength
        let n = m.numHiddenLayers
        let sparse = n - m.firstKDenseReplace
        let perExpert = tokens * m.numExpertsPerTok / max(1, m.nRoutedExperts)
        let queries = m.numAttentionHeads * m.qkHeadDim
        let latent = m.qLoraRank ?? queries
        return [
            Shape(
                name: "q_a + kv_a", rows: tokens, columns: latent + m.kvLoraRank + m.qkRopeHeadDim,
                depth: m.hiddenSize, count: n),
            Shape(name: "q_b", rows: tokens, columns: queries, depth: latent, count: n),
            Shape(
                name: "kv_b", rows: tokens, columns: m.numAttentionHeads * (m.qkNopeHeadDim + m.vHeadDim),
                depth: m.kvLoraRank, count: n),
            Shape(
                name: "o", rows: tokens, columns: m.hiddenSize, depth: m.numAttentionHeads * m.vHeadDim, count: n),
            Shape(
                name: "shared gate + up", rows: tokens, columns: 2 * m.moeIntermediateSize * m.nSharedExperts,
                depth: m.hiddenSize, count: sparse),
            Shape(
                name: "shared down", rows: tokens, columns: m.hiddenSize,
                depth: m.moeIntermediateSize * m.nSharedExperts, count: sparse),
            Shape(
                name: "expert gate + up", rows: perExpert, columns: 2 * m.moeIntermediateSize, depth: m.hiddenSize,
                groups: m.nRoutedExperts, count: sparse),
            Shape(
                name: "expert down", rows: perExpert, columns: m.hiddenSize, depth: m.moeIntermediateSize,
                groups: m.nRoutedExperts, count: sparse),
            Shape(
                name: "dense gate + up", rows: tokens, columns: 2 * m.intermediateSize, depth: m.hiddenSize,
                count: n - sparse),
            Shape(
                name: "dense down", rows: tokens, columns: m.hiddenSize, depth: m.intermediateSize, count: n - sparse),
            Shape(name: "head", rows: 512, columns: m.vocabSize, depth: m.hiddenSize, count: tokens / 512),
        ]
    }

    /// Times the matrix products of a configuration against the measured peak: y = x·Wᵀ, dx = dy·W, dW = dyᵀ·x.
    ///
    /// - Returns: the figures that `minke bench matmul --json` prints; `fraction` is of the peak, by best round, and the
    ///   totals weigh each product by its share of a step.
    public static func products(
        _ run: RunConfiguration, rounds: Int, progress: (JSON.Object) -> Void = { _ in }
    ) -> JSON.Object {
        let (type, inCodes) = (run.precision.elementType, run.precision.usesCodes)
        let peak = run.precision.measuredPeak
        var rows: [JSON] = []
        var totals = [String: (operations: Double, seconds: Double)]()
        for shape in shapes(run) where !(inCodes && shape.name == "head") {
            let results = [
                (
                    "forward",
                    ProductBenchmark.forward(
                        rows: shape.rows, columns: shape.columns, depth: shape.depth, groups: shape.groups, type: type,
                        inCodes: inCodes, rounds: rounds)
                ),
                (
                    "input_gradient",
                    ProductBenchmark.forward(
                        rows: shape.rows, columns: shape.depth, depth: shape.columns, groups: shape.groups, type: type,
                        inCodes: inCodes, rounds: rounds)
                ),
                (
                    "weight_gradient",
                    ProductBenchmark.weightGradient(
                        rows: shape.rows, columns: shape.columns, depth: shape.depth, groups: shape.groups, type: type,
                        inCodes: inCodes, rounds: rounds)
                ),
            ]
            var row: JSON.Object = [
                "name": .string(shape.name), "rows": .integer(shape.rows), "columns": .integer(shape.columns),
                "depth": .integer(shape.depth),
            ]
            for (name, result) in results {
                row[name] = [
                    "gflops": .number(result.best / 1e9), "gflops_median": .number(result.median / 1e9),
                    "fraction": .number(result.best / peak),
                ]
                let operations = result.operations * Double(shape.count)
                let total = totals[name] ?? (0, 0)
                totals[name] = (total.operations + operations, total.seconds + operations / result.best)
            }
            progress(row)
            rows.append(.object(row))
        }
        var summary = JSON.Object()
        for (name, total) in totals.sorted(by: { $0.key < $1.key }) {
            summary[name] = .number(total.operations / total.seconds / peak)
        }
        return [
            "peak_gflops": .number(peak / 1e9), "peak_float32_gflops": .number(CPU.shared.measuredPeak(.float32) / 1e9),
            "precision": .string(run.precision.rawValue), "threads": .integer(CPU.shared.threadCount),
            "instruction_set": .string(CPU.shared.instructionSet), "products": .array(rows),
            "fraction_of_peak": .object(summary),
        ]
    }
}
