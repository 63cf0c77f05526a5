extension ModelShape {
    /// Released models whose shapes are known, under the names that can be typed.
    public static let known: [(id: String, shape: ModelShape)] = [
        (
            "deepseek-v2-lite",
            deepSeek(
                "DeepSeek-V2-Lite", 2048, 27, 16, queryRank: nil, 102_400, 10_944, 1,
                Experts(routed: 64, shared: 2, perToken: 6, width: 1408))
        ),
        (
            "deepseek-v2",
            deepSeek(
                "DeepSeek-V2", 5120, 60, 128, queryRank: 1536, 102_400, 12_288, 1,
                Experts(routed: 160, shared: 2, perToken: 6, width: 1536))
        ),
        ("deepseek-v3", deepSeekV3("DeepSeek-V3")),
        ("deepseek-r1", deepSeekV3("DeepSeek-R1")),
        (
            "kimi-k2",
            deepSeek(
                "Kimi K2", 7168, 61, 64, queryRank: 1536, 163_840, 18_432, 1,
                Experts(routed: 384, shared: 1, perToken: 8, width: 2048))
        ),
        (
            "moonlight",
            deepSeek(
                "Moonlight-16B-A3B", 2048, 27, 16, queryRank: nil, 163_840, 11_264, 1,
                Experts(routed: 64, shared: 2, perToken: 6, width: 1408))
        ),
        (
            "glm-4.7-flash",
            glm(
                "GLM-4.7-Flash", 2048, 47, 20, queryRank: 768, 154_880, 10_240, 1,
                Experts(routed: 64, shared: 1, perToken: 4, width: 1536))
        ),
        ("deepseek-moe-16b", deepSeekMoE16B),
        ("deepseek-67b", dense("DeepSeek LLM 67B", 8192, 95, 64, groups: 8, 102_400, 22_016)),
        ("llama-2-7b", dense("Llama 2 7B", 4096, 32, 32, groups: 32, 32_000, 11_008)),
        ("llama-3.1-8b", dense("Llama 3.1 8B", 4096, 32, 32, groups: 8, 128_256, 14_336)),
        ("llama-3.1-70b", dense("Llama 3.1 70B", 8192, 80, 64, groups: 8, 128_256, 28_672)),
        ("llama-3.1-405b", dense("Llama 3.1 405B", 16_384, 126, 128, groups: 8, 128_256, 53_248)),
    ]

    /// The shape called `name`, in any case; nil where none is.
    public static func named(_ name: String) -> ModelShape? {
        known.first { $0.id == name.lowercased() || $0.shape.name.lowercased() == name.lowercased() }?.shape
    }

    private static func deepSeek(
        _ name: String, _ hidden: Double, _ layers: Double, _ heads: Double, queryRank: Double?,
        _ vocabulary: Double, _ denseWidth: Double, _ denseLayers: Double, _ experts: Experts
    ) -> ModelShape {
        var shape = ModelShape(
            name: name, hidden: hidden, layers: layers, heads: heads,
            attention: .latent(queryRank: queryRank, rank: 512, nope: 128, rope: 64, value: 128),
            vocabulary: vocabulary, denseWidth: denseWidth, denseLayers: denseLayers, experts: experts)
        shape.source = "the released config.json"
        return shape
    }

    private static func deepSeekV3(_ name: String) -> ModelShape {
        var shape = deepSeek(
            name, 7168, 61, 128, queryRank: 1536, 129_280, 18_432, 3,
            Experts(routed: 256, shared: 1, perToken: 8, width: 2048))
        shape.predictionModules = 1
        return shape
    }

    private static func glm(
        _ name: String, _ hidden: Double, _ layers: Double, _ heads: Double, queryRank: Double?,
        _ vocabulary: Double, _ denseWidth: Double, _ denseLayers: Double, _ experts: Experts
    ) -> ModelShape {
        var shape = deepSeek(
            name, hidden, layers, heads, queryRank: queryRank, vocabulary, denseWidth, denseLayers, experts)
        shape.attention = .latent(queryRank: queryRank, rank: 512, nope: 192, rope: 64, value: 256)
        return shape
    }

    private static let deepSeekMoE16B: ModelShape = {
        var shape = ModelShape(
            name: "DeepSeekMoE-16B", hidden: 2048, layers: 28, heads: 16,
            attention: .grouped(keyValueHeads: 16, headDimension: 128), vocabulary: 102_400, denseWidth: 10_944,
            denseLayers: 1, experts: Experts(routed: 64, shared: 2, perToken: 6, width: 1408))
        shape.source = "the released config.json"
        return shape
    }()

    /// Dense models with heads of 128. Their configurations are recalled; their sums agree with the names.
    private static func dense(
        _ name: String, _ hidden: Double, _ layers: Double, _ heads: Double, groups: Double, _ vocabulary: Double,
        _ width: Double
    ) -> ModelShape {
        var shape = ModelShape(
            name: name, hidden: hidden, layers: layers, heads: heads,
            attention: .grouped(keyValueHeads: groups, headDimension: 128), vocabulary: vocabulary, denseWidth: width)
        shape.confidence = .c
        shape.source = "the model's paper, recalled; the parameters add up to the stated size"
        return shape
    }
}
