import MinkeFiles
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

/// How well a model predicts a text.
public struct Evaluation: Equatable, Sendable {
    /// Tokens that were predicted.
    public internal(set) var tokens = 0
    /// Bytes of text that these tokens stand for.
    public internal(set) var bytes = 0
    /// Sum of their cross-entropies, in nats.
    public internal(set) var totalLoss = 0.0

    public init() {}

    /// Mean cross-entropy of a token, in nats.
    public var loss: Double { totalLoss / Double(max(1, tokens)) }
    /// exp(loss): how many equally likely tokens would be as hard to guess.
    public var perplexity: Double { exp(loss) }
    /// Cross-entropy in bits by the bytes of the text; unlike ``loss`` it compares models with different tokenizers.
    public var bitsPerByte: Double { totalLoss / log(2) / Double(max(1, bytes)) }
}

/// Evaluates a model on texts.
///
/// Each text is cut into windows of the context's length that do not overlap; a token is predicted from those before it
/// in its window, and the first of a window from the last of the window before, so that every token but the first is
/// predicted once. The first token is predicted only where the tokenizer puts a beginning token in front of it.
public final class Evaluator {
    private let model: TextModel
    private let tokenizer: Tokenizer
    private let encoder: TokenEncoder
    /// Tokens of a window.
    public let contextLength: Int
    /// What was found so far.
    public private(set) var evaluation = Evaluation()
    /// Called after each batch with what was found so far.
    public var onProgress: ((Evaluation) -> Void)?

    /// Windows that wait for others of the same length, to run in one batch: each its inputs and one more token.
    private var waiting: [Int: [[Int32]]] = [:]
    static let tokensAtOnce = 4096
    private static let defaultContextLength = 2048

    /// - Parameter contextLength: by default the model's context, at most 2048.
    /// - Throws: ``InputError`` when the model has no tokenizer or not that much context.
    public init(_ model: TextModel, contextLength: Int? = nil) throws {
        guard let tokenizer = model.tokenizer else {
            throw InputError("the model has no tokenizer.json", remedy: "add the file to its folder")
        }
        let longest = model.configuration.maxPositionEmbeddings
        let length = contextLength ?? min(Self.defaultContextLength, longest)
        guard length > 0, length <= longest else {
            throw InputError("a context of \(length) tokens", remedy: "the model has 1 to \(longest)")
        }
        self.model = model
        self.tokenizer = tokenizer
        self.contextLength = length
        encoder = TokenEncoder(tokenizer)
    }

    /// Adds a text, UTF-8.
    ///
    /// - Throws: ``InputError`` when the text is too long, or the model's loss is not finite.
    public func add(_ text: UnsafeRawBufferPointer) throws {
        guard text.count < Int(Int32.max) else { throw InputError("a text of 2 GB or more", remedy: "split it") }
        var ids: [Int32] = []
        if tokenizer.addsBOS, let bos = tokenizer.bosToken { ids.append(bos) }
        encoder.encode(text, parsingSpecialTokens: false, into: &ids)
        try model.check(ids)
        guard ids.count > 1 else { return }
        for start in stride(from: 0, to: ids.count - 1, by: contextLength) {
            let window = Array(ids[start..<min(ids.count, start + contextLength + 1)])
            let length = window.count - 1
            waiting[length, default: []].append(window)
            if (waiting[length]?.count ?? 0) * length >= Self.tokensAtOnce { try run(length) }
        }
    }

    /// Adds a text.
    public func add(_ text: String) throws {
        var text = text
        try text.withUTF8 { try add(UnsafeRawBufferPointer($0)) }
    }

    /// Evaluates what still waits, and returns the result.
    ///
    /// - Throws: ``InputError`` when there was nothing to predict.
    public func finish() throws -> Evaluation {
        for length in waiting.keys.sorted() { try run(length) }
        guard evaluation.tokens > 0 else {
            throw InputError("there is no text to evaluate", remedy: "give at least two tokens of it")
        }
        return evaluation
    }

    private func run(_ length: Int) throws {
        guard let windows = waiting.removeValue(forKey: length) else { return }
        let targets = windows.flatMap { $0.dropFirst() }
        let losses = length > Self.tokensAtOnce ? try inParts(windows) : atOnce(windows, length)
        try model.withModel { try $0.checkReads() }
        let sum = losses.reduce(0.0) { $0 + Double($1) }
        guard sum.isFinite else {
            throw InputError(
                "the model produced values that are not finite", remedy: "its weights are damaged or did not converge")
        }
        evaluation.totalLoss += sum
        evaluation.tokens += targets.count
        evaluation.bytes += tokenizer.decodeBytes(targets).count
        onProgress?(evaluation)
    }

    /// Short windows, in one batch.
    private func atOnce(_ windows: [[Int32]], _ length: Int) -> [Float] {
        model.withModel { model in
            model.loss(
                windows.flatMap { $0.dropLast() }, targets: windows.flatMap { $0.dropFirst() },
                batch: SequenceBatch(sequences: windows.count, length: length),
                Tape(computeType: model.options.precision.computeType)
            ).perToken
        }
    }

    /// Long windows, each in parts that continue one another.
    private func inParts(_ windows: [[Int32]]) throws -> [Float] {
        try windows.flatMap { window in
            var losses: [Float] = []
            try model.forEachPart(of: Array(window.dropLast())) { model, first, states in
                losses += model.losses(of: states, targets: Array(window[first + 1...first + states.rows]))
            }
            return losses
        }
    }
}
