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
        let peak = CPU.shared.measuredPeak(configuration.precision.elementType)
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
