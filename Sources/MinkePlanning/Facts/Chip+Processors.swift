extension Chip {
    /// Server and desktop processors. Peaks are arithmetic: cores × base clock × operations a cycle.
    static let processors: [Chip] = [
        Chip(
            id: "epyc-9654", name: "AMD EPYC 9654 (Genoa, Zen 4)", kind: "cpu", vendor: "AMD", year: 2022,
            memoryType: "DDR5-4800 x12", bandwidthGBs: 460.8, tdpWatts: 360, float32: 7.37, bfloat16: 14.75,
            int8: 29.49, confidence: .b,
            source: """
                TDP: mlco2/codecarbon codecarbon/data/hardware/cpu_power.csv; cores, clocks and lanes \
                recalled; 96 cores x 2.4 GHz base x 32 fp32 / 64 bf16 / 128 int8 op per cycle per \
                core; bandwidth = channels x MT/s x 8 B
                """, notes: "AVX-512 double-pumped, BF16 dot product and VNNI, no AMX"),
        Chip(
            id: "epyc-9755", name: "AMD EPYC 9755 (Turin, Zen 5)", kind: "cpu", vendor: "AMD", year: 2024,
            memoryType: "DDR5-6000 x12", bandwidthGBs: 576.0, tdpWatts: 500, float32: 22.12, bfloat16: 44.24,
            int8: 88.47, confidence: .b,
            source: """
                TDP: mlco2/codecarbon codecarbon/data/hardware/cpu_power.csv; cores, clocks and lanes \
                recalled; 128 cores x 2.7 GHz base x 64 fp32 / 128 bf16 / 256 int8 op per cycle per \
                core; bandwidth = channels x MT/s x 8 B
                """, notes: "full-width AVX-512, no AMX"),
        Chip(
            id: "epyc-9965", name: "AMD EPYC 9965 (Turin dense, Zen 5c)", kind: "cpu", vendor: "AMD", year: 2024,
            memoryType: "DDR5-6000 x12", bandwidthGBs: 576.0, tdpWatts: 500, float32: 27.65, bfloat16: 55.3,
            int8: 110.59, confidence: .b,
            source: """
                TDP: mlco2/codecarbon codecarbon/data/hardware/cpu_power.csv; cores, clocks and lanes \
                recalled; 192 cores x 2.25 GHz base x 64 fp32 / 128 bf16 / 256 int8 op per cycle per \
                core; bandwidth = channels x MT/s x 8 B
                """),
        Chip(
            id: "xeon-8480p", name: "Intel Xeon Platinum 8480+ (Sapphire Rapids)", kind: "cpu", vendor: "Intel",
            year: 2023, memoryType: "DDR5-4800 x8", bandwidthGBs: 307.2, tdpWatts: 350, float32: 7.17, bfloat16: 114.69,
            int8: 229.38, confidence: .b,
            source: """
                TDP: mlco2/codecarbon codecarbon/data/hardware/cpu_power.csv; cores, clocks and lanes \
                recalled; 56 cores x 2.0 GHz base x 64 fp32 / 1024 bf16 / 2048 int8 op per cycle per \
                core; bandwidth = channels x MT/s x 8 B
                """,
            notes: """
                AMX tiles; sustained AMX clocks are usually below base turbo, so treat as an upper \
                bound
                """),
        Chip(
            id: "xeon-6980p", name: "Intel Xeon 6980P (Granite Rapids)", kind: "cpu", vendor: "Intel", year: 2024,
            memoryType: "MRDIMM-8800 x12", bandwidthGBs: 844.8, tdpWatts: 500, float32: 16.38, bfloat16: 262.14,
            int8: 524.29, confidence: .b,
            source: """
                TDP: mlco2/codecarbon codecarbon/data/hardware/cpu_power.csv; cores, clocks and lanes \
                recalled; 128 cores x 2.0 GHz base x 64 fp32 / 1024 bf16 / 2048 int8 op per cycle per \
                core; bandwidth = channels x MT/s x 8 B
                """, notes: "AMX also fp16; 614.4 GB/s with DDR5-6400"),
        Chip(
            id: "ryzen-7950x", name: "AMD Ryzen 9 7950X (Zen 4)", kind: "cpu", vendor: "AMD", year: 2022,
            memoryType: "DDR5-5200 x2", bandwidthGBs: 83.2, tdpWatts: 170, float32: 2.3, bfloat16: 4.61, int8: 9.22,
            confidence: .b,
            source: """
                TDP: mlco2/codecarbon codecarbon/data/hardware/cpu_power.csv; cores, clocks and lanes \
                recalled; 16 cores x 4.5 GHz base x 32 fp32 / 64 bf16 / 128 int8 op per cycle per \
                core; bandwidth = channels x MT/s x 8 B
                """, notes: "typical desktop"),
    ]
}
