import MinkeTraining

/// A report with made-up but plausible numbers in every section.
enum SampleReport {
    static func make(steps: Int = 400, layers: Int = 3, experts: Int = 16) -> RunReport {
        var noise = Noise()
        let costs = [
            ("dense", Cost(cpuSeconds: 4_210, evaluationCPUSeconds: 130, wallSeconds: 560, flops: 9.1e14)),
            ("sparse", Cost(cpuSeconds: 1_730, evaluationCPUSeconds: 96, wallSeconds: 241, flops: 3.2e14)),
        ].map { name, cost in
            var cost = cost
            cost.tokens = 12_300_000
            cost.peakMemoryBytes = name == "dense" ? 910_000_000 : 1_240_000_000
            cost.joules = cost.cpuSeconds * 8
            cost.joulesSource = "estimate: 8 W per busy core"
            cost.dollars = Price.standard.dollars(cpuSeconds: cost.cpuSeconds, wallSeconds: cost.wallSeconds)
            return (name: name, cost: cost)
        }
        return RunReport(
            title: "Dense and sparse twins on Shakespeare",
            subtitle: "12.3M tokens, byte-level BPE of 4,096 tokens, seed 1, 8 cores",
            runs: [
                curve("dense", steps: steps, floor: 3.05, secondsPerStep: 10.5, flopsPerStep: 2.3e12, &noise),
                curve("sparse", steps: steps, floor: 2.98, secondsPerStep: 4.3, flopsPerStep: 0.8e12, &noise),
            ],
            comparison: RunReport.Comparison(
                rows: [
                    .init(metric: "CPU time", dense: "1h 10m", sparse: "28m 50s", saved: "59%"),
                    .init(metric: "computation", dense: "910 TFLOP", sparse: "320 TFLOP", saved: "65%"),
                    .init(metric: "energy", dense: "33.7 kJ", sparse: "13.8 kJ", saved: "59%"),
                    .init(metric: "money", dense: "$0.047", sparse: "$0.019", saved: "59%"),
                ],
                note: "Median of 3 seeds, to a validation loss of 3.10; the saving lies between 55% and 62%."),
            expertLoad: (0..<layers).map { layer in
                RunReport.ExpertLoad(
                    layer: layer + 1, steps: (0..<steps).map { $0 * 10 },
                    fractions: (0..<steps).map { step in
                        let spread = 1.6 / (1 + 6 * Double(step) / Double(max(steps, 1)))
                        return (0..<experts).map { expert in
                            let bias = Double((expert * 7 + layer * 3) % experts) / Double(max(experts - 1, 1)) - 0.5
                            return max(0, 1 + spread * (bias * 1.6 + 0.5 * noise.next())) / Double(experts)
                        }
                    })
            },
            routingEntropy: (0..<layers).map { layer in
                RunReport.RoutingEntropy(
                    layer: layer + 1, steps: (0..<steps).map { $0 * 10 },
                    values: (0..<steps).map { step in
                        0.985 - 0.12 / (1 + Double(step) / 25) - 0.01 * Double(layer % 5) + 0.004 * noise.next()
                    })
            },
            costs: CostTable(costs, price: .standard),
            configuration: [
                ("hidden_size", "256"), ("num_hidden_layers", "6"), ("num_attention_heads", "8"),
                ("kv_lora_rank", "64"), ("q_lora_rank", "none"), ("qk_rope_head_dim", "16"),
                ("n_routed_experts", "16"), ("n_shared_experts", "1"), ("num_experts_per_tok", "2"),
                ("vocab_size", "4096"), ("learning_rate", "0.002"), ("batch_tokens", "8192"),
            ],
            samples: [
                (1_000, "KING: the the and of <the> to & a"),
                (
                    4_000,
                    "KING RICHARD II:\nWhat say you now? What comfort have we now?\n\nDUKE OF YORK:\n\tMy lord, he comes."
                ),
            ],
            command:
                "minke compare --corpus shakespeare.txt --preset nano --seeds 3 --target-loss 3.10 --report report.html",
            notes: ["Energy and money are estimates; the other figures are measured."])
    }

    private static func curve(
        _ name: String, steps: Int, floor: Double, secondsPerStep: Double, flopsPerStep: Double, _ noise: inout Noise
    ) -> RunCurve {
        RunCurve(
            name: name,
            points: (0..<steps).map { step in
                let share = Double(step + 1) / Double(steps)
                let loss = floor + 5.3 / (1 + 40 * share) + 0.15 * (1 - share)
                let isValidated = step % max(1, steps / 20) == 0 || step == steps - 1
                return RunCurve.Point(
                    step: step * 10, tokens: Int(share * 12_300_000), cpuSeconds: secondsPerStep * Double(step + 1),
                    flops: flopsPerStep * Double(step + 1), trainLoss: loss - 0.05 + 0.12 * noise.next(),
                    validationLoss: isValidated ? loss : nil, bitsPerByte: isValidated ? loss * 0.47 : nil,
                    tokensPerSecond: (name == "dense" ? 21_000 : 50_000) * (1 + 0.06 * noise.next()))
            })
    }

    /// Repeatable numbers between -1 and 1.
    struct Noise {
        private var state: UInt64 = 42

        mutating func next() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 33) / Double(UInt32.max >> 2) - 1
        }
    }
}
