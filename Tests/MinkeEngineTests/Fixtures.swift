import MinkeEngine
import MinkeFiles
import MinkeGeneration
import MinkeModel
import MinkeTensors
import MinkeTokenization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

enum Fixtures {
    /// A shared fixture, or nil where the fixtures are absent.
    static func path(_ name: String) -> String? {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let base = getenv("MINKE_FIXTURES").map { String(cString: $0) } ?? FileSystem.join(root, "../shared/fixtures")
        let path = FileSystem.join(base, name)
        if FileSystem.exists(path) { return path }
        print("skipped: fixture \(name) is not there (set MINKE_FIXTURES to its parent folder)")
        return nil
    }

    static func configuration(
        _ family: ModelConfiguration.Family = .deepseekV3, context: Int = 2048
    ) -> ModelConfiguration {
        var configuration = ModelConfiguration(
            family: family, vocabSize: 259, hiddenSize: 32, numHiddenLayers: 2, numAttentionHeads: 2,
            intermediateSize: 48)
        configuration.qkRopeHeadDim = 8
        configuration.vHeadDim = 8
        configuration.maxPositionEmbeddings = context
        if family.isLatent {
            configuration.kvLoraRank = 16
            configuration.qkNopeHeadDim = 8
            configuration.nRoutedExperts = 4
            configuration.nSharedExperts = 1
            configuration.numExpertsPerTok = 2
            configuration.moeIntermediateSize = 16
            configuration.firstKDenseReplace = 1
        } else {
            configuration.qkRopeHeadDim = 16
            configuration.vHeadDim = 16
            configuration.ropeInterleave = false
        }
        return configuration
    }

    /// A small model with random weights, over bytes.
    static func model(
        _ family: ModelConfiguration.Family = .deepseekV3, context: Int = 2048, tokenizer: Tokenizer? = .bytes,
        cacheType: CacheType = .float32, change: (LanguageModel) -> Void = { _ in }
    ) throws -> TextModel {
        let model = try LanguageModel(
            configuration(family, context: context), weights: .random(seed: 7, Initialization(deviation: 0.3)))
        change(model)
        return TextModel(model, tokenizer: tokenizer, stopTokens: [258], cacheType: cacheType)
    }

    /// Bytes of cache for some tokens of the small latent model with 32-bit rows.
    static func cacheBytes(_ model: TextModel, tokens: Int) -> Int {
        model.withModel {
            let cache = $0.makeCache(capacity: model.configuration.maxPositionEmbeddings, type: model.cacheType)
            return cache.blockBytes * ((tokens + cache.tokensPerBlock - 1) / cache.tokensPerBlock)
        }
    }

    static func prompt(_ count: Int, _ seed: Int = 0) -> [Int32] {
        (0..<count).map { Int32(($0 * 37 + $0 * $0 * 11 + seed * 101 + 5) % 256) }
    }
}

/// All that happened to one request.
struct Answer: Sendable {
    var started: (cached: Int, queued: Duration)?
    var prompt: [EngineToken] = []
    var tokens: [EngineToken] = []
    var summary: EngineSummary?

    var ids: [Int32] { tokens.map(\.id) }
    var text: String { tokens.map(\.text).joined() }
    var cachedTokens: Int { summary?.cachedTokens ?? 0 }
}

extension EngineStream {
    func answer() async -> Answer {
        var answer = Answer()
        for await event in self {
            switch event {
            case .started(let cached, let queued): answer.started = (cached, queued)
            case .prompt(let tokens): answer.prompt += tokens
            case .token(let token): answer.tokens.append(token)
            case .finished(let summary): answer.summary = summary
            }
        }
        return answer
    }
}

extension Engine {
    func answer(_ request: EngineRequest) async throws -> Answer { await (try submit(request)).answer() }

    /// Answers to requests that are made at once, in their order: all are there before the next step.
    func answers(_ requests: [EngineRequest]) async throws -> [Answer] {
        let streams = try model.withModel { _ in try requests.map { try submit($0) } }
        return await withTaskGroup(of: (Int, Answer).self) { group in
            for (index, stream) in streams.enumerated() { group.addTask { (index, await stream.answer()) } }
            return await group.reduce(into: [Answer](repeating: Answer(), count: requests.count)) { $0[$1.0] = $1.1 }
        }
    }
}
