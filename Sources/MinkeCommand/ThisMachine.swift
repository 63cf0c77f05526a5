import Minke
import MinkeFiles
import MinkePlanning
import MinkeTensors

/// The machine that the program runs on, measured.
enum ThisMachine {
    /// The limits as ``ModelBenchmark`` measures them, which takes about a second, and the memory that is there.
    static func chip() -> Chip {
        let limits = ModelBenchmark.Limits.measure()
        return Chip(
            id: "this", name: "this machine", kind: "cpu",
            memoryGB: Double(ResourceMeter.physicalMemoryBytes()) / 1e9, bandwidthGBs: limits.bandwidth / 1e9,
            float32: limits.float32 / 1e12, bfloat16: limits.bfloat16 / 1e12, int8: limits.int8.map { $0 / 1e12 },
            confidence: .a,
            source: "measured just now with \(CPU.shared.threadCount) threads of \(CPU.shared.instructionSet)")
    }

    /// The machine as an entry for `--chips`, or as lines.
    static func text(json: Bool) -> String {
        let chip = chip()
        guard json else {
            let rates = [("float32", chip.float32), ("bfloat16", chip.bfloat16), ("int8", chip.int8)]
            let lines = rates.compactMap { name, peak in peak.map { "\(name)  \(Quantity.rate($0 * 1e12, "op/s"))" } }
            return """
                memory  \(Quantity.significant(chip.memoryGB ?? 0, 4)) GB
                read  \(Quantity.significant(chip.bandwidthGBs ?? 0, 4)) GB/s
                \(lines.joined(separator: "\n"))
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
        return JSON.object(object).text()
    }

    /// The arithmetic that quantised weights are multiplied with here.
    static func precision(_ chip: Chip) -> Chip.Precision { chip.int8 == nil ? .bf16 : .int8 }

    /// Shares of the limits that `minke bench` found on DeepSeek-V2-Lite in Q4_K_M: up to 75 % of the bandwidth in
    /// decoding, and 37 % of the int8 peak for a prompt.
    static let bandwidthShare = 0.75
    static let computeShare = 0.37
    /// Bytes of quantised weights opened for each 8-bit operation that the peak would do meanwhile, for one sequence
    /// and for eight.
    static let weightBytesPerOperation = 0.019
    static let source = "minke bench of V2-Lite in Q4_K_M, 2026-11-24, on two cores with AVX-512 VNNI"

    /// Puts what was found here in the place of what servers do.
    static func apply(to plan: inout ServingPlan) {
        plan.bandwidthShare = bandwidthShare
        plan.bandwidthSource = source
        plan.computeShare = computeShare
        plan.computeSource = source
        if let peak = plan.chip.int8 {
            plan.weightRate = peak * 1e12 * weightBytesPerOperation
            plan.weightRateSource = "\(weightBytesPerOperation) B for each int8 operation of the peak: \(source)"
        }
    }
}
