extension TokenPrice {
    /// Prices of the stated month, in dollars per million tokens.
    public static let published: [TokenPrice] = [
        TokenPrice(
            date: "2024-05", provider: "deepseek", model: "deepseek-chat (V2)", input: 0.14, output: 0.28, contextK: 32,
            kind: .list, confidence: .c, source: "DeepSeek price page at V2 launch, recalled"),
        TokenPrice(
            date: "2024-08", provider: "deepseek", model: "deepseek-chat (V2 with disk cache)", input: 0.14,
            cachedInput: 0.014, output: 0.28, contextK: 128, kind: .list, confidence: .b,
            source: "litellm 1.109.1 table keeps deepseek-coder at these prices",
            notes: "disk context cache: hit price one tenth"),
        TokenPrice(
            date: "2025-02", provider: "deepseek", model: "deepseek-chat (V3)", input: 0.27, cachedInput: 0.07,
            output: 1.1, contextK: 64, kind: .list, confidence: .a, source: "api-docs.deepseek.com pricing-details-usd"),
        TokenPrice(
            date: "2025-02", provider: "deepseek", model: "deepseek-reasoner (R1)", input: 0.55, cachedInput: 0.14,
            output: 2.19, contextK: 64, kind: .list, confidence: .a, source: "api-docs.deepseek.com pricing-details-usd"
        ),
        TokenPrice(
            date: "2025-09", provider: "deepseek", model: "deepseek-chat/-reasoner (V3.1)", input: 0.56,
            cachedInput: 0.07, output: 1.68, contextK: 128, kind: .list, confidence: .c,
            source: "DeepSeek price page Sept 2025, recalled"),
        TokenPrice(
            date: "2025-12", provider: "deepseek", model: "deepseek-chat/-reasoner (V3.2)", input: 0.28,
            cachedInput: 0.028, output: 0.42, contextK: 128, kind: .list, confidence: .a,
            source: "RooCodeInc/Roo-Code deepseek.ts (updated 2025-12-09); litellm 1.109.1"),
        TokenPrice(
            date: "2026-05", provider: "deepseek", model: "deepseek-v4-flash", input: 0.14, cachedInput: 0.0028,
            output: 0.28, contextK: 1000, kind: .list, confidence: .b,
            source: "api-evangelist/deepseek plans (2026-05-04)"),
        TokenPrice(
            date: "2026-05", provider: "deepseek", model: "deepseek-v4-pro (75 % off until 2026-05-31)", input: 0.435,
            cachedInput: 0.003625, output: 0.87, contextK: 1000, kind: .promotion, confidence: .b,
            source: "api-evangelist/deepseek plans (2026-05-04)"),
        TokenPrice(
            date: "2026-05", provider: "deepseek", model: "deepseek-v4-pro (list)", input: 1.74, cachedInput: 0.0145,
            output: 3.48, contextK: 1000, kind: .list, confidence: .b,
            source: """
                the promotion price divided by 0.25; azure/tencent/baseten list 1.74/0.145/3.48 in \
                litellm 1.109.1
                """, notes: "hit price at list differs between sources (0.0145 vs 0.145)"),
        TokenPrice(
            date: "2026-11", provider: "deepseek", model: "deepseek-v4-flash / deepseek-flash (V4.1)", input: 0.3,
            cachedInput: 0.006, output: 1.2, contextK: 1000, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "deepseek", model: "deepseek-v4-pro", input: 1.32, cachedInput: 0.044,
            output: 3.96, contextK: 1000, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "deepinfra", model: "DeepSeek-V4-Flash-0731", input: 0.08, cachedInput: 0.016,
            output: 0.18, contextK: 1049, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)",
            notes: "cheapest reputable host of that open model"),
        TokenPrice(
            date: "2026-11", provider: "deepinfra", model: "DeepSeek-V4.1-Flash", input: 0.14, cachedInput: 0.0042,
            output: 0.42, contextK: 1049, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "deepinfra", model: "DeepSeek-V4-Pro-0813", input: 1.3, cachedInput: 0.1,
            output: 2.6, contextK: 1049, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "fireworks_ai", model: "deepseek-v4p1-flash", input: 0.3, cachedInput: 0.006,
            output: 1.2, contextK: 1049, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "together_ai", model: "DeepSeek-V4-Flash-0731", input: 0.14, cachedInput: 0.03,
            output: 0.28, contextK: 1049, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-4", input: 30.0, output: 60.0, contextK: 8, kind: .list,
            confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-3.5-turbo", input: 0.5, output: 1.5, contextK: 16,
            kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-4o", input: 2.5, cachedInput: 1.25, output: 10.0,
            contextK: 128, kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"
        ),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-4o-mini", input: 0.15, cachedInput: 0.075, output: 0.6,
            contextK: 128, kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"
        ),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-4.1", input: 2.0, cachedInput: 0.5, output: 8.0,
            contextK: 1048, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "o3", input: 2.0, cachedInput: 0.5, output: 8.0, contextK: 200,
            kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-5", input: 1.25, cachedInput: 0.125, output: 10.0,
            contextK: 272, kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"
        ),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-5-mini", input: 0.25, cachedInput: 0.025, output: 2.0,
            contextK: 272, kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"
        ),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-5-nano", input: 0.05, cachedInput: 0.005, output: 0.4,
            contextK: 272, kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"
        ),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-5.2", input: 1.75, cachedInput: 0.175, output: 14.0,
            contextK: 272, kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"
        ),
        TokenPrice(
            date: "2026-11", provider: "openai", model: "gpt-5.5", input: 5.0, cachedInput: 0.5, output: 30.0,
            contextK: 1050, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "anthropic", model: "claude-haiku-4-5", input: 1.0, cachedInput: 0.1,
            output: 5.0, contextK: 200, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "anthropic", model: "claude-sonnet-4-5", input: 3.0, cachedInput: 0.3,
            output: 15.0, contextK: 200, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "anthropic", model: "claude-opus-4-7", input: 5.0, cachedInput: 0.5,
            output: 25.0, contextK: 1000, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "gemini", model: "gemini-2.5-pro", input: 1.25, cachedInput: 0.125, output: 10.0,
            contextK: 1049, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "gemini", model: "gemini-2.5-flash", input: 0.3, cachedInput: 0.03, output: 2.5,
            contextK: 1049, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "gemini", model: "gemini-2.5-flash-lite", input: 0.1, cachedInput: 0.01,
            output: 0.4, contextK: 1049, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "moonshot", model: "kimi-k2.6", input: 0.95, cachedInput: 0.16, output: 4.0,
            contextK: 262, kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"
        ),
        TokenPrice(
            date: "2026-11", provider: "mistral", model: "mistral-large-latest", input: 0.5, cachedInput: 0.05,
            output: 1.5, contextK: 262, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "mistral", model: "mistral-small-latest", input: 0.15, cachedInput: 0.015,
            output: 0.6, contextK: 262, kind: .list, confidence: .a,
            source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "zai", model: "glm-5", input: 1.0, cachedInput: 0.2, output: 3.2, contextK: 200,
            kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2026-11", provider: "minimax", model: "MiniMax-M2", input: 0.3, cachedInput: 0.03, output: 1.2,
            contextK: 200, kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"
        ),
        TokenPrice(
            date: "2026-11", provider: "dashscope", model: "qwen-plus", input: 0.4, output: 1.2, contextK: 129,
            kind: .list, confidence: .a, source: "litellm 1.109.1 model price table (package of 2026-11)"),
        TokenPrice(
            date: "2025-02", provider: "deepseek", model: "self-cost decode (V3/R1, fleet average)", output: 0.3,
            kind: .cost, confidence: .a,
            source: "deepseek-ai/open-infra-index day 6: 14.8 K tok/s decode per 8xH800 node at $16/h",
            notes: "prefill: 73.7 K tok/s per node incl. cache hits = $0.060 per M input"),
    ]
}
