extension TrainingRun {
    /// Runs whose figures were published or estimated.
    public static let published: [TrainingRun] = [
        TrainingRun(
            id: "gpt3", model: "GPT-3 175B", organisation: "OpenAI", year: 2020, parametersB: 175, activeB: 175,
            tokensT: 0.3, reportedFLOPs: "3.14e23", hardware: "V100", reportedDollarsM: 4.32,
            dollarBasis: "cloud rental estimate", energyMWh: 1287, pue: 1.1, confidence: .b,
            source: """
                AI Index 2024 / Epoch estimate (yokaspace.com and sipoch.com reprints); flops \
                worldmetrics.org; energy recalled from Patterson et al. 2021
                """, notes: "GPU-hours not published"),
        TrainingRun(
            id: "palm540", model: "PaLM 540B", organisation: "Google", year: 2022, parametersB: 540, activeB: 540,
            tokensT: 0.78, reportedFLOPs: "2.5e24", hardware: "TPUv4", reportedDollarsM: 12.39,
            dollarBasis: "cloud rental estimate", reportedUtilization: "0.462", confidence: .b,
            source: """
                AI Index 2024 / Epoch estimate (yokaspace.com and sipoch.com reprints); MFU recalled \
                from the PaLM paper
                """),
        TrainingRun(
            id: "gpt4", model: "GPT-4", organisation: "OpenAI", year: 2023, reportedFLOPs: "2.0e25 (estimate)",
            hardware: "A100", reportedDollarsM: 78.4, dollarBasis: "cloud rental estimate", confidence: .d,
            source: "AI Index 2024 / Epoch estimate (yokaspace.com and sipoch.com reprints)",
            notes: "size, tokens and hours never published"),
        TrainingRun(
            id: "gemini-ultra", model: "Gemini 1.0 Ultra", organisation: "Google", year: 2023, hardware: "TPUv4",
            reportedDollarsM: 191.4, dollarBasis: "cloud rental estimate", confidence: .d,
            source: "AI Index 2024 / Epoch estimate (yokaspace.com and sipoch.com reprints)",
            notes: "size never published"),
        TrainingRun(
            id: "bloom", model: "BLOOM 176B", organisation: "BigScience", year: 2022, parametersB: 176, activeB: 176,
            tokensT: 0.366, hardware: "A100", hoursM: 1.08299, energyMWh: 433, pue: 1.2, confidence: .b,
            source: """
                checkpoint facts: stas00/ml-engineering fault-tolerance; hours and energy recalled \
                from Luccioni et al. 2022
                """, notes: "384 A100; 2.3 TB checkpoint in 40 s every 3 h = 0.37 % overhead"),
        TrainingRun(
            id: "llama1-65", model: "LLaMA 65B", organisation: "Meta", year: 2023, parametersB: 65.2, activeB: 65.2,
            tokensT: 1.4, hardware: "A100", hoursM: 1.022362, energyMWh: 449, pue: 1.1, confidence: .c,
            source: "LLaMA paper table, recalled"),
        TrainingRun(
            id: "llama2-7", model: "Llama 2 7B", organisation: "Meta", year: 2023, parametersB: 6.7, activeB: 6.7,
            tokensT: 2.0, hardware: "A100", hoursM: 0.18432, confidence: .c, source: "Llama 2 paper table, recalled"),
        TrainingRun(
            id: "llama2-70", model: "Llama 2 70B", organisation: "Meta", year: 2023, parametersB: 70, activeB: 70,
            tokensT: 2.0, hardware: "A100", hoursM: 1.72032, reportedDollarsM: 3.93,
            dollarBasis: "cloud rental estimate", confidence: .b,
            source: """
                Llama 2 paper table, recalled; cost AI Index 2024 / Epoch estimate (yokaspace.com and \
                sipoch.com reprints)
                """),
        TrainingRun(
            id: "llama31-8", model: "Llama 3.1 8B", organisation: "Meta", year: 2024, parametersB: 8, activeB: 8,
            tokensT: 15.0, hardware: "H100", hoursM: 1.46, confidence: .a,
            source: "model card figure quoted by aiportalx.com"),
        TrainingRun(
            id: "llama31-70", model: "Llama 3.1 70B", organisation: "Meta", year: 2024, parametersB: 70, activeB: 70,
            tokensT: 15.0, hardware: "H100", hoursM: 7.0, confidence: .b,
            source: "model card, recalled; consistent with 39.3 M total"),
        TrainingRun(
            id: "llama31-405", model: "Llama 3.1 405B", organisation: "Meta", year: 2024, parametersB: 405,
            activeB: 405, tokensT: 15.6, reportedFLOPs: "3.8e25", hardware: "H100", hoursM: 30.84,
            reportedUtilization: "0.38-0.43", confidence: .b,
            source: """
                39.3 M h total and 11,390 tCO2e: hive.blog reprint of the model card; MFU range: \
                aiportalx.com quoting the paper; tokens open-source-ai.tech
                """,
            notes: """
                466 interruptions in 54 days on 16,384 GPUs (419 unexpected), >90 % effective time, 3 \
                manual interventions
                """),
        TrainingRun(
            id: "tinyllama", model: "TinyLlama 1.1B", organisation: "SUTD", year: 2024, parametersB: 1.1, activeB: 1.1,
            tokensT: 3.0, hardware: "A100", hoursM: 0.03456, reportedUtilization: "0.56", confidence: .c,
            source: "TinyLlama README, recalled (16 A100-40 for 90 days)"),
        TrainingRun(
            id: "deepseek-67b", model: "DeepSeek LLM 67B", organisation: "DeepSeek", year: 2024, parametersB: 67,
            activeB: 67, tokensT: 2.0, hardware: "H800", hoursM: 0.6012, confidence: .a,
            source: "deepseek-ai/DeepSeek-V2 tech report: 300.6 K GPU-h per trillion tokens",
            notes: "hours = 300.6 K x 2 T"),
        TrainingRun(
            id: "deepseek-v2", model: "DeepSeek-V2", organisation: "DeepSeek", year: 2024, parametersB: 236,
            activeB: 21, tokensT: 8.1, hardware: "H800", hoursM: 1.3997, confidence: .a,
            source: "deepseek-ai/DeepSeek-V2 tech report: 172.8 K GPU-h per trillion tokens",
            notes: "hours = 172.8 K x 8.1 T; 42.5 % less than 67B dense"),
        TrainingRun(
            id: "deepseek-v3-pre", model: "DeepSeek-V3 pre-training", organisation: "DeepSeek", year: 2024,
            parametersB: 671, activeB: 37, tokensT: 14.8, hardware: "H800", hoursM: 2.664, reportedDollarsM: 5.328,
            dollarBasis: "$2 per H800-hour",
            reportedUtilization: "0.3894 causal / 0.4373 non-causal (recalled from arXiv 2505.09343)", confidence: .a,
            source: "deepseek-ai/DeepSeek-V3 README",
            notes: "no irrecoverable loss spike, no rollback; see economics.md for the check"),
        TrainingRun(
            id: "deepseek-v3-all", model: "DeepSeek-V3 all stages", organisation: "DeepSeek", year: 2024,
            parametersB: 671, activeB: 37, hardware: "H800", hoursM: 2.788, reportedDollarsM: 5.576,
            dollarBasis: "$2 per H800-hour", confidence: .a, source: "deepseek-ai/DeepSeek-V3 README",
            notes: "2.664 pre-training + 0.119 context extension + 0.005 post-training"),
        TrainingRun(
            id: "deepseek-r1", model: "DeepSeek-R1 (RL on top of V3)", organisation: "DeepSeek", year: 2025,
            parametersB: 671, activeB: 37, hardware: "H800", hoursM: 0.147, reportedDollarsM: 0.294,
            dollarBasis: "$2 per H800-hour", confidence: .b,
            source: "Nature 2025 supplement as reported by hyper.ai, asiadaily.org, techspot.com",
            notes: """
                101 K (R1-Zero) + 5 K (SFT data) + 41 K (R1); 512 GPUs in most reports, 648 in two; \
                excludes V3 itself
                """),
        TrainingRun(
            id: "deepseek-v32", model: "DeepSeek-V3.2-Exp continued training", organisation: "DeepSeek", year: 2025,
            parametersB: 671, activeB: 37, tokensT: 0.946, hardware: "H800", confidence: .c,
            source: """
                deepseek-ai/DeepSeek-V3.2-Exp report; token counts recalled (2.1 B warm-up + 943.7 B)
                """, notes: "hours not published; post-training budget above 10 % of pre-training (muxup.com)"),
        TrainingRun(
            id: "deepseek-v4-pro", model: "DeepSeek-V4-Pro", organisation: "DeepSeek", year: 2026, parametersB: 1600,
            activeB: 49, tokensT: 33.0, confidence: .b,
            source: """
                sizes and 32T+ tokens: abstract of arXiv 2606.19348 (researchtracker.win); 33 T: \
                labindex.pages.dev, The Register via 4o4-ai.pages.dev
                """,
            notes: """
                GPU-hours not established; one page claims 3.8 M H800-equivalents and also that \
                weights were not released, which is false: ignore
                """),
        TrainingRun(
            id: "deepseek-v4-flash", model: "DeepSeek-V4-Flash", organisation: "DeepSeek", year: 2026, parametersB: 284,
            activeB: 13, tokensT: 32.0, confidence: .b, source: "as above", notes: "GPU-hours not established"),
        TrainingRun(
            id: "kimi-k2", model: "Kimi K2", organisation: "Moonshot", year: 2025, parametersB: 1000, activeB: 32,
            tokensT: 15.5, confidence: .a, source: "MoonshotAI/Kimi-K2 README",
            notes: "claims zero training instability; hours not published"),
        TrainingRun(
            id: "moonlight", model: "Moonlight 16B-A3B", organisation: "Moonshot", year: 2025, parametersB: 16,
            activeB: 3, tokensT: 5.7, confidence: .a, source: "MoonshotAI/Moonlight report",
            notes: "no loss or gradient-norm spike reported"),
        TrainingRun(
            id: "qwen3-235", model: "Qwen3 235B-A22B", organisation: "Alibaba", year: 2025, parametersB: 235,
            activeB: 22, tokensT: 36.0, confidence: .c, source: "Qwen3 report, recalled", notes: "hours not published"),
        TrainingRun(
            id: "olmo3-7", model: "OLMo 3 7B (pre-training)", organisation: "Ai2", year: 2025, parametersB: 7,
            activeB: 7, tokensT: 5.93, hardware: "H100", hoursM: 0.234, energyMWh: 146, confidence: .b,
            source: "engineered.at summary of muxup.com 2025q4 correspondence; 7,700 tok/s/GPU",
            notes: "includes restarts; 0.62 kWh per GPU-hour"),
        TrainingRun(
            id: "olmo3-32", model: "OLMo 3 32B (pre-training)", organisation: "Ai2", year: 2025, parametersB: 32,
            activeB: 32, tokensT: 5.5, hardware: "H100", hoursM: 1.05, energyMWh: 681, confidence: .b,
            source: "as above; 1,900 tok/s/GPU",
            notes: """
                includes restarts; 0.65 kWh per GPU-hour; whole development 12.3 GWh, 82.2 % of it \
                not in the final run (arXiv 2605.01158 via newx.sg, emergentmind)
                """),
        TrainingRun(
            id: "nanochat-gpt2", model: "nanochat GPT-2-grade (d24/d26)", organisation: "Karpathy", year: 2026,
            parametersB: 1.6, reportedFLOPs: "4e19", hardware: "H100", hoursM: 1.32e-05, reportedDollarsM: 4.8e-05,
            dollarBasis: "$24/h for 8 H100, 2 h; spot about $15", confidence: .a,
            source: "karpathy/nanochat README (2026)",
            notes: "leaderboard best 1.65 h; CORE 0.2626 vs GPT-2 0.2565; val_bpb 0.718"),
        TrainingRun(
            id: "ling-mini-beta", model: "Ling-mini-beta 17.5B-A0.85B", organisation: "Ant", year: 2025,
            parametersB: 17.5, activeB: 0.85, tokensT: 1.0, confidence: .a, source: "arXiv 2507.17702 abstract",
            notes: "equals a 6.1 B dense model on the same 1 T tokens at >7x less compute"),
    ]
}
