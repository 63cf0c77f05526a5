import MinkeEngine
import MinkeFiles
import MinkeGeneration
import MinkeModel
import MinkeTokenization
import Synchronization

/// One model behind the interfaces of OpenAI, Anthropic and Ollama: JSON in, JSON or a stream of frames out.
///
/// It knows nothing of sockets, so that any server can put its ``routes`` to use:
///
/// ```swift
/// let service = ModelService(engine, name: "whale", template: try ChatTemplate(path: path, tokenizer: tokenizer))
/// let reply = try await service.routes[0].handle(APIRequest(id: "1", body: body))
/// ```
public final class ModelService: Sendable {
    public let engine: Engine
    /// The model's name in requests and replies.
    public let name: String
    /// Further names that requests may have for it.
    public let aliases: [String]
    /// What conversations are written with; nil for a model that does not chat.
    let chat: ChatPreparation?
    let clock: ServiceClock
    /// When the service began, in seconds since 1970.
    let created: Int
    /// Tells answers of different models and settings apart.
    let fingerprint: String
    /// The version of the program.
    let version: String
    let parameterCount: Int
    let weightBytes: Int
    /// A hash of what the model is.
    let digest: String
    private let trie = Mutex<TokenTrie?>(nil)

    /// - Parameters:
    ///   - name: what requests call the model.
    ///   - aliases: further names for it.
    ///   - template: how it wants conversations written; nil for one that only continues texts.
    ///   - version: the program's.
    public convenience init(
        _ engine: Engine, name: String, aliases: [String] = [], template: ChatTemplate? = nil, version: String = "0.1.0"
    ) {
        self.init(engine, name: name, aliases: aliases, template: template, version: version, clock: .system)
    }

    init(
        _ engine: Engine, name: String, aliases: [String] = [], template: ChatTemplate? = nil,
        version: String = "0.1.0", clock: ServiceClock
    ) {
        self.engine = engine
        self.version = version
        self.name = name
        self.aliases = aliases
        self.clock = clock
        created = clock.seconds()
        let model = engine.model
        let configuration = model.configuration
        chat = model.tokenizer.flatMap { tokenizer in
            template.map {
                ChatPreparation(
                    template: $0, tokenizer: tokenizer,
                    syntax: AnswerSyntax($0, tokenizer: tokenizer, modelType: configuration.family.rawValue),
                    endTokens: model.stopTokens.union(tokenizer.turnEndTokens))
            }
        }
        parameterCount = ModelCosts(configuration).totalParameters
        weightBytes = model.withModel(\.weightBytes)
        let facts = "\(name) \(configuration) \(model.cacheType) \(engine.contextLength) \(weightBytes)"
        digest = Array(facts.utf8).withUnsafeBytes { SHA256.hexadecimal(of: $0) }
        fingerprint = "fp_" + digest.prefix(12)
    }

    /// Whether the model answers conversations; one that has no chat template only continues texts.
    public var chats: Bool { chat != nil }

    /// All ways into the service.
    public var routes: [APIRoute] { openAIRoutes + anthropicRoutes + ollamaRoutes }

    /// A route whose handler may throw what the rooms below throw.
    func route(
        _ method: APIRoute.Method, _ path: String, dialect: APIRoute.Dialect = .openAI,
        _ handle: @escaping @Sendable (ModelService, APIRequest) async throws -> APIReply
    ) -> APIRoute {
        APIRoute(method, path, dialect: dialect) { request in
            do {
                return try await handle(self, request)
            } catch let error as EngineError {
                throw APIError(error)
            } catch let error as InputError {
                throw APIError(error)
            }
        }
    }

    /// The ordinary tokens by their bytes, made when they are first needed.
    func tokenTrie(_ tokenizer: Tokenizer) -> TokenTrie {
        trie.withLock { trie in
            if let trie { return trie }
            let made = TokenTrie(tokenizer)
            trie = made
            return made
        }
    }

    /// Refuses requests for other models. No name at all means this one.
    func check(model name: String?) throws {
        guard let name, name != self.name, !aliases.contains(name) else { return }
        throw APIError(
            status: 404, "there is no model \"\(name.prefix(100))\" here; this server has \"\(self.name)\"",
            type: "invalid_request_error", parameter: "model", code: "model_not_found")
    }

    func tokenizer() throws -> Tokenizer {
        if let tokenizer = engine.model.tokenizer { return tokenizer }
        throw APIError.invalid("the model has no tokenizer: give token ids to /v1/completions", code: "no_tokenizer")
    }
}

/// Where a service gets the time and the ids of its answers.
struct ServiceClock: Sendable {
    /// Nanoseconds since 1970.
    var nanoseconds: @Sendable () -> Int
    /// Letters and digits that no other answer has.
    var makeID: @Sendable () -> String

    func seconds() -> Int { nanoseconds() / 1_000_000_000 }

    static let system = ServiceClock(
        nanoseconds: {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return time.tv_sec * 1_000_000_000 + time.tv_nsec
        },
        makeID: {
            let letters = Array("0123456789abcdefghijklmnopqrstuvwxyz")
            return String((0..<24).map { _ in letters[Int.random(in: letters.indices)] })
        })
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
