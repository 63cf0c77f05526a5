import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The fixed windows over the validation text on which a model is evaluated.
///
/// Windows are those of ``BatchSampler`` at offset 0, so that every token of the evaluated text but the first is a
/// target exactly once. When they hold more targets than the budget, evenly spaced ones are taken up to the budget.
public struct ValidationWindows: Sendable {
    public let stream: TokenStream
    public let sequenceLength: Int
    /// The place in the stream of each window's first input token, rising.
    public let starts: [Int]
    /// The number of text bytes that the targets of all windows stand for.
    public let byteCount: Int

    /// - Parameters:
    ///   - tokenByteLengths: the table of the tokenizer (``CorpusEncoder/tokenByteLengths``).
    ///   - tokenBudget: the most targets to evaluate, at least one window; `nil` for all.
    /// - Throws: ``InputError`` when the text is shorter than one window, or holds a damaged token.
    public init(
        stream: TokenStream, sequenceLength: Int, tokenByteLengths: [Int], tokenBudget: Int? = nil
    ) throws {
        guard sequenceLength > 0, sequenceLength < stream.count else {
            throw InputError(
                "\(stream.count) validation tokens do not hold one sequence of \(sequenceLength) and its targets",
                remedy: "use a shorter sequence, a larger validation fraction or more text")
        }
        let available = (stream.count - 1) / sequenceLength
        let wanted = tokenBudget.map { max(1, $0 / sequenceLength) } ?? available
        let taken = min(wanted, available)
        self.stream = stream
        self.sequenceLength = sequenceLength
        starts = (0..<taken).map { index in
            // index / taken of the way through; the product may need more than 64 bits.
            let product = index.multipliedFullWidth(by: available)
            return taken.dividingFullWidth(product).quotient * sequenceLength
        }
        byteCount = try starts.reduce(0) { sum, start in
            let targets = start + 1..<start + 1 + sequenceLength
            return try sum + stream.byteCount(ofTokens: targets, tokenByteLengths: tokenByteLengths)
        }
    }

    /// The number of windows.
    public var count: Int { starts.count }

    /// The number of targets in all windows.
    public var tokenCount: Int { starts.count * sequenceLength }

    /// Writes the input tokens and the targets of the window at `index`. See ``BatchSampler/fill(sampleIndex:tokens:targets:)``.
    public func fill(
        _ index: Int, tokens: UnsafeMutablePointer<Int32>, targets: UnsafeMutablePointer<Int32>
    ) throws {
        try stream.copyWindow(
            from: starts[index], sequenceLength: sequenceLength, tokens: tokens, targets: targets)
    }

    /// The loss in bits per byte of text, which unlike the loss per token compares across tokenizers.
    ///
    /// - Parameter meanLoss: the mean over all targets of all windows, in nats.
    public func bitsPerByte(meanLoss: Double) -> Double {
        meanLoss * Double(tokenCount) / log(2) / Double(byteCount)
    }
}
