extension Chip {
    /// Accelerators. Peaks are dense, with float32 sums where the vendor distinguishes; rents are of the stated month.
    static let accelerators: [Chip] = [
        Chip(
            id: "v100-sxm2-32", name: "NVIDIA V100 SXM2 32GB", kind: "gpu", vendor: "NVIDIA", year: 2017, memoryGB: 32,
            memoryType: "HBM2", bandwidthGBs: 900, tdpWatts: 300, float32: 15.7, float16: 125, interconnectGBs: 300,
            confidence: .c, source: "NVIDIA V100 datasheet, recalled",
            notes: """
                no bf16; fp16 tensor needs loss scaling; 16 GB version exists; rental figure not \
                established
                """),
        Chip(
            id: "t4", name: "NVIDIA T4", kind: "gpu", vendor: "NVIDIA", year: 2018, memoryGB: 16, memoryType: "GDDR6",
            bandwidthGBs: 300, tdpWatts: 70, float32: 8.1, float16: 65, int8: 130, confidence: .b,
            source: """
                fp16 65.13 and 16 GB: huggingface/huggingface.js packages/tasks/src/hardware.ts; rest \
                NVIDIA T4 datasheet, recalled
                """, notes: "no bf16; datasheets quote 300 or 320 GB/s; rental figure not established"),
        Chip(
            id: "a100-40-sxm", name: "NVIDIA A100 40GB SXM", kind: "gpu", vendor: "NVIDIA", year: 2020, memoryGB: 40,
            memoryType: "HBM2", bandwidthGBs: 1555, tdpWatts: 400, float32: 19.5, bfloat16: 312, float16: 312,
            int8: 624, achievable: 0.869, interconnectGBs: 600, confidence: .a,
            source: """
                stas00/ml-engineering compute/accelerator/README.md @744d01e (2026-08); memory \
                size/bandwidth of the 40 GB version recalled (C)
                """),
        Chip(
            id: "a100-80-sxm", name: "NVIDIA A100 80GB SXM", kind: "gpu", vendor: "NVIDIA", year: 2020, memoryGB: 80,
            memoryType: "HBM2e", bandwidthGBs: 2039, tdpWatts: 400, float32: 19.5, bfloat16: 312, float16: 312,
            int8: 624, achievable: 0.869, interconnectGBs: 600,
            rent: Rent(
                low: 0.8, typical: 1.39, high: 3.0, date: "2026-05",
                source: """
                    mercatus-ai.com 2026-05 (0.80-3.00); deploybase.ai RunPod price table 2026-03 \
                    (low=first price column, high=second) 1.39/2.45
                    """), confidence: .a,
            source: """
                stas00/ml-engineering compute/accelerator/README.md @744d01e (2026-08); jishuzhan.net \
                table (2039 GB/s, 400 W)
                """, notes: "measured matmul 271.2 of 312 TFLOP/s"),
        Chip(
            id: "l40s", name: "NVIDIA L40S", kind: "gpu", vendor: "NVIDIA", year: 2023, memoryGB: 48,
            memoryType: "GDDR6", bandwidthGBs: 864, tdpWatts: 350, float32: 91.6, bfloat16: 362, float16: 362,
            float8: 733, int8: 733, interconnectGBs: 64,
            rent: Rent(
                low: 0.79, typical: 0.79, high: 1.4, date: "2026-03",
                source: "deploybase.ai RunPod price table 2026-03 (low=first price column, high=second)"),
            confidence: .a,
            source: """
                stas00/ml-engineering compute/accelerator/README.md @744d01e (2026-08); \
                llmbook.apartsin.com G.1 (864 GB/s, 350 W, PCIe 64 GB/s)
                """),
        Chip(
            id: "h100-sxm", name: "NVIDIA H100 SXM 80GB", kind: "gpu", vendor: "NVIDIA", year: 2022, memoryGB: 80,
            memoryType: "HBM3", bandwidthGBs: 3350, tdpWatts: 700, float32: 67, bfloat16: 989.4, float16: 989.4,
            float8: 1978.9, int8: 1979, achievable: 0.803, interconnectGBs: 900,
            rent: Rent(
                low: 1.52, typical: 2.79, high: 5.0, date: "2026-05",
                source: """
                    techplained.aptechsolutions.io 2026-04: Vast spot 1.52, Lambda reserved 1.85, RunPod \
                    secure 2.79; aimultiple.com gpu-index 2026-05 median 2.95 over 37 providers; \
                    mercatus-ai.com 2026-05 1.99-5.00
                    """), confidence: .a,
            source: """
                stas00/ml-engineering compute/accelerator/README.md @744d01e (2026-08); hmc-tech.com \
                (989.43 dense)
                """, notes: "marketing 1979/3958 figures are WITH 2:4 sparsity; measured matmul 794.5 of 989"),
        Chip(
            id: "h800-sxm", name: "NVIDIA H800 SXM 80GB", kind: "gpu", vendor: "NVIDIA", year: 2023, memoryGB: 80,
            memoryType: "HBM3", bandwidthGBs: 3350, tdpWatts: 700, float32: 67, bfloat16: 989.4, float16: 989.4,
            float8: 1978.9, int8: 1979, achievable: 0.803, interconnectGBs: 400,
            rent: Rent(
                low: 2.0, typical: 2.0, high: 2.0, date: "2025-02",
                source: """
                    deepseek-ai/open-infra-index day 6 (assumes $2/h); DeepSeek-V3 cost table uses the \
                    same
                    """), confidence: .b,
            source: """
                H100 SXM figures (same die); NVLink cut to 400 GB/s recalled; FP64 cut not relevant \
                here
                """, notes: "$2/h is an accounting convention, not a quote"),
        Chip(
            id: "h20-sxm", name: "NVIDIA H20 96GB", kind: "gpu", vendor: "NVIDIA", year: 2024, memoryGB: 96,
            memoryType: "HBM3", bandwidthGBs: 4000, tdpWatts: 400, float32: 44, bfloat16: 148, float16: 148,
            float8: 296, int8: 296, interconnectGBs: 900, confidence: .c, source: "NVIDIA H20 product brief, recalled",
            notes: "one page seen in the search gives 550 W instead of 400 W; not resolved"),
        Chip(
            id: "h200-sxm", name: "NVIDIA H200 SXM 141GB", kind: "gpu", vendor: "NVIDIA", year: 2024, memoryGB: 141,
            memoryType: "HBM3e", bandwidthGBs: 4800, tdpWatts: 700, float32: 67, bfloat16: 989.4, float16: 989.4,
            float8: 1978.9, int8: 1979, achievable: 0.803, interconnectGBs: 900,
            rent: Rent(
                low: 2.5, typical: 3.59, high: 7.0, date: "2026-05",
                source: """
                    mercatus-ai.com 2026-05 2.50-7.00; deploybase.ai RunPod price table 2026-03 \
                    (low=first price column, high=second) 3.59/6.35
                    """), confidence: .a,
            source: """
                stas00/ml-engineering compute/accelerator/README.md @744d01e (2026-08); itkb.uw.cz \
                2026-06 (700 W)
                """),
        Chip(
            id: "b200-sxm", name: "NVIDIA B200 SXM 180GB", kind: "gpu", vendor: "NVIDIA", year: 2025, memoryGB: 180,
            memoryType: "HBM3e", bandwidthGBs: 8000, tdpWatts: 1000, float32: 75, bfloat16: 2250, float16: 2250,
            float8: 4500, int8: 4500, achievable: 0.776, interconnectGBs: 1800,
            rent: Rent(
                low: 2.68, typical: 5.98, high: 10.57, date: "2026-05",
                source: """
                    spheron.network 2026 from 2.68; deploybase.ai RunPod price table 2026-03 (low=first \
                    price column, high=second)
                    """), confidence: .a,
            source: """
                stas00/ml-engineering compute/accelerator/README.md @744d01e (2026-08); \
                zdszero.github.io HGX B200 table (180 GB, 7.7 TB/s HGX, 1000 W)
                """, notes: "announced 2024, volume 2025; HGX boards list 7.7 TB/s"),
        Chip(
            id: "rtx3090", name: "NVIDIA RTX 3090", kind: "gpu-consumer", vendor: "NVIDIA", year: 2020, memoryGB: 24,
            memoryType: "GDDR6X", bandwidthGBs: 936, tdpWatts: 350, float32: 35.6, bfloat16: 71.2, float16: 71.2,
            int8: 284, interconnectGBs: 32,
            rent: Rent(
                low: 0.22, typical: 0.22, high: 0.39, date: "2026-03",
                source: "deploybase.ai RunPod price table 2026-03 (low=first price column, high=second)"),
            confidence: .b,
            source: """
                fp32 35.58 and 24 GB: huggingface.js hardware.ts; 71.2 fp16: ctc.archdevil.net table; \
                bandwidth, TDP and INT8 recalled from NVIDIA GA102 whitepaper
                """, notes: "tensor figures with FP32 accumulation, dense; FP16-accumulate is twice as much"),
        Chip(
            id: "rtx4090", name: "NVIDIA RTX 4090", kind: "gpu-consumer", vendor: "NVIDIA", year: 2022, memoryGB: 24,
            memoryType: "GDDR6X", bandwidthGBs: 1008, tdpWatts: 450, float32: 82.58, bfloat16: 165.15, float16: 165.15,
            float8: 330.3, int8: 660.6, interconnectGBs: 32,
            rent: Rent(
                low: 0.34, typical: 0.34, high: 0.6, date: "2026-03",
                source: "deploybase.ai RunPod price table 2026-03 (low=first price column, high=second)"),
            confidence: .a, source: "waredb.com and hmc-tech.com (two tables agree)",
            notes: "FP32 accumulation; fp8 with FP16 accumulation 660.6"),
        Chip(
            id: "rtx5090", name: "NVIDIA RTX 5090", kind: "gpu-consumer", vendor: "NVIDIA", year: 2025, memoryGB: 32,
            memoryType: "GDDR7", bandwidthGBs: 1792, tdpWatts: 575, float32: 104.8, bfloat16: 209.5, float16: 209.5,
            float8: 419, int8: 838, interconnectGBs: 64,
            rent: Rent(
                low: 0.69, typical: 0.69, high: 1.22, date: "2026-03",
                source: "deploybase.ai RunPod price table 2026-03 (low=first price column, high=second)"),
            confidence: .b,
            source: """
                spheron.network datasheet (838.4 fp16 sparse FP16-acc, 1676.8 fp8 sparse, 3352 fp4 \
                sparse, 1792 GB/s, 575 W); dense = half; FP32-accumulate = half again for fp16/fp8; \
                dense FP32-accumulate figures are arithmetic from the sparse ones
                """),
        Chip(
            id: "mi300x", name: "AMD Instinct MI300X", kind: "gpu", vendor: "AMD", year: 2023, memoryGB: 192,
            memoryType: "HBM3", bandwidthGBs: 5300, tdpWatts: 750, float32: 163.4, bfloat16: 1307.4, float16: 1307.4,
            float8: 2614.9, int8: 2615, achievable: 0.514, interconnectGBs: 896, confidence: .a,
            source: """
                stas00/ml-engineering compute/accelerator/README.md @744d01e (2026-08) (rounded to \
                1300/2610 there; 1307/2615 in llmbook.apartsin.com G.1)
                """, notes: "rental figure not established; measured matmul 668 of 1300"),
        Chip(
            id: "ascend910b", name: "Huawei Ascend 910B", kind: "npu", vendor: "Huawei", year: 2023, memoryGB: 64,
            memoryType: "HBM2e", tdpWatts: 310, float16: 320, int8: 640, confidence: .d,
            source: """
                boardor.com (320 fp16, 64 GB, 310 W); jishuzhan.net gives 256 fp16, 768 GB/s, 350 W
                """,
            notes: """
                sources conflict on everything; several bins exist; do not use for a figure that \
                matters
                """),
        Chip(
            id: "ascend910c", name: "Huawei Ascend 910C", kind: "npu", vendor: "Huawei", year: 2025, memoryGB: 128,
            memoryType: "HBM2e", bandwidthGBs: 3200, bfloat16: 780, float16: 780, interconnectGBs: 784, confidence: .b,
            source: "techpowerup.com 335749 (780 bf16, 3200 GB/s); besthub.dev gives 800 fp16, 128 GB",
            notes: "two dies; TDP not established"),
        Chip(
            id: "m2-ultra-76", name: "Apple M2 Ultra (76-core GPU)", kind: "soc", vendor: "Apple", year: 2023,
            memoryGB: 192, memoryType: "LPDDR5 unified", bandwidthGBs: 800, float32: 27.2, float16: 27.2,
            confidence: .b, source: "huggingface.js hardware.ts (27.2, up to 192 GB); gearbest article (800 GB/s)",
            notes: """
                TDP not published per chip; the GPU has no separate matrix units, fp16 = fp32 rate \
                (hmc-tech.com)
                """),
        Chip(
            id: "m3-ultra-80", name: "Apple M3 Ultra (80-core GPU)", kind: "soc", vendor: "Apple", year: 2025,
            memoryGB: 512, memoryType: "LPDDR5 unified", bandwidthGBs: 819, float32: 28.6, float16: 28.6,
            confidence: .b,
            source: """
                hmc-tech.com M3 Max 40-core 14.32 TFLOPS; 819 GB/s and 512 GB recalled from Apple; 80 \
                cores x 128 lanes x 2 x 1.398 GHz (40-core M3 Max = 14.32 in hmc-tech.com)
                """),
        Chip(
            id: "m4-max-40", name: "Apple M4 Max (40-core GPU)", kind: "soc", vendor: "Apple", year: 2024,
            memoryGB: 128, memoryType: "LPDDR5X unified", bandwidthGBs: 546, float32: 17.2, float16: 17.2,
            confidence: .b,
            source: """
                hmc-tech.com; gamebastion/wccftech (546 GB/s, 128 GB); 40 cores x 128 x 2 x 1.678 GHz \
                (32-core = 13.74 in hmc-tech.com)
                """),
    ]
}
