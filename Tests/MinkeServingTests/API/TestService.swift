import MinkeEngine
import MinkeFiles
import MinkeGeneration
import MinkeModel
import MinkeTokenization
import Testing

@testable import MinkeServing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A service around a small model with random weights, whose vocabulary has the control tokens of V3.1.
struct TestService {
    let service: ModelService

    static let controlTokens =
        Tokenizer.defaultSpecialTokens + [
            "<｜User｜>", "<｜Assistant｜>", "<think>", "</think>", "<｜search▁begin｜>", "<｜tool▁calls▁begin｜>",
            "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>",
            "<｜tool▁outputs▁begin｜>", "<｜tool▁outputs▁end｜>", "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>",
            "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>",
        ]

    static let tokenizer: Tokenizer = {
        let trainer = BytePairTrainer(preTokenizer: .deepSeek, specialTokens: controlTokens)
        for _ in 0..<5 { trainer.add("the whale swam to the harbour, the whale's calf swam too; 1234 größere 鯨は泳ぐ\n") }
        do {
            return try trainer.train(vocabularySize: 340)
        } catch {
            fatalError("\(error)")
        }
    }()

    static let clock = ServiceClock(nanoseconds: { 1_700_000_000_123_456_789 }, makeID: { "1" })

    static func model(context: Int = 1024) throws -> TextModel {
        var configuration = ModelConfiguration(
            family: .deepseekV3, vocabSize: tokenizer.vocabularySize, hiddenSize: 32, numHiddenLayers: 2,
            numAttentionHeads: 2, intermediateSize: 48)
        configuration.qkRopeHeadDim = 8
        configuration.vHeadDim = 8
        configuration.maxPositionEmbeddings = context
        configuration.kvLoraRank = 16
        configuration.qkNopeHeadDim = 8
        configuration.nRoutedExperts = 4
        configuration.nSharedExperts = 1
        configuration.numExpertsPerTok = 2
        configuration.moeIntermediateSize = 16
        configuration.firstKDenseReplace = 1
        let model = try LanguageModel(configuration, weights: .random(seed: 7, Initialization(deviation: 0.3)))
        return TextModel(model, tokenizer: tokenizer)
    }

    init(
        _ options: EngineOptions = EngineOptions(prefillChunk: 16), context: Int = 1024, family: ChatFamily? = .v31
    ) throws {
        service = ModelService(
            Engine(try Self.model(context: context), options: options), name: "whale", aliases: ["orca"],
            template: family.map { ChatTemplate($0) }, clock: Self.clock)
    }

    /// The token of a text that is one token.
    static func id(_ text: String) -> Int32 { tokenizer.encode(text)[0] }

    func route(_ path: String, _ method: APIRoute.Method = .post) throws -> APIRoute {
        try #require(service.routes.first { $0.path == path && $0.method == method })
    }

    func reply(
        _ path: String, _ body: JSON, scope: String = "", record: RequestRecord = RequestRecord(),
        parameter: String? = nil, method: APIRoute.Method = .post
    ) async throws -> APIReply {
        try await route(path, method).handle(
            APIRequest(id: "r", body: body, parameter: parameter, scope: scope, record: record))
    }

    /// The JSON of a reply.
    func json(_ path: String, _ body: JSON, scope: String = "", record: RequestRecord = RequestRecord()) async throws
        -> JSON
    {
        guard case .json(let json) = try await reply(path, body, scope: scope, record: record) else {
            throw APIError.invalid("not JSON")
        }
        return json
    }

    /// The whole text of a streamed reply.
    func stream(_ path: String, _ body: JSON, scope: String = "", record: RequestRecord = RequestRecord()) async throws
        -> String
    {
        var body = body.objectValue ?? [:]
        body["stream"] = true
        guard case .stream(_, let frames) = try await reply(path, .object(body), scope: scope, record: record) else {
            throw APIError.invalid("not a stream")
        }
        var text = ""
        for await frame in frames { text += try #require(String(validating: frame, as: UTF8.self)) }
        return text
    }

    /// The error that a request gets.
    func failure(_ path: String, _ body: JSON) async -> APIError? {
        do {
            _ = try await reply(path, body)
            return nil
        } catch {
            return error as? APIError
        }
    }

    /// Events of a stream as JSON, without `[DONE]`.
    static func events(_ text: String) throws -> [JSON] {
        try text.split(separator: "\n\n").compactMap { frame in
            let data = try #require(frame.split(separator: "\n").last { $0.hasPrefix("data: ") }).dropFirst(6)
            return data == "[DONE]" ? nil : try JSON(parsing: String(data))
        }
    }

    /// A shared fixture, or nil where the fixtures are absent.
    static func fixture(_ name: String) -> String? {
        let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let base = getenv("MINKE_FIXTURES").map { String(cString: $0) } ?? FileSystem.join(root, "../shared/fixtures")
        let path = FileSystem.join(base, name)
        if FileSystem.exists(path) { return path }
        print("skipped: fixture \(name) is not there (set MINKE_FIXTURES to its parent folder)")
        return nil
    }
}

extension JSON {
    /// The value at a path of keys and indices.
    subscript(path: Any...) -> JSON {
        path.reduce(self) { value, step in
            switch step {
            case let key as String: value.objectValue?[key] ?? .null
            case let index as Int:
                value.arrayValue.flatMap { $0.indices.contains(index) ? $0[index] : nil } ?? .null
            default: .null
            }
        }
    }

    /// The object with some keys set.
    func with(_ changes: JSON.Object) -> JSON {
        var object = objectValue ?? [:]
        for (key, value) in changes { object[key] = value }
        return .object(object)
    }
}
