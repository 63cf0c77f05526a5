import MinkeFiles

/// Learns a byte-level BPE from text: the most frequent pair of adjacent tokens becomes a token, again and again.
///
/// Equal counts go to the pair with the smaller left id, then the smaller right id, so a corpus determines the result.
/// Ids: special tokens, then the 256 bytes in the order of their spelling, then one for each merge. The results equal
/// those of the `tokenizers` library.
///
/// ```swift
/// let trainer = BytePairTrainer()
/// trainer.addLines(of: corpus)
/// let tokenizer = try trainer.train(vocabularySize: 8192)
/// ```
public final class BytePairTrainer {
    private let preTokenizer: PreTokenizer
    private let specialTokens: [String]
    private let minimumFrequency: Int
    private var splitter: TextSplitter
    private let words = ByteStringTable(capacity: 1 << 12)
    private var wordCounts: [Int] = []

    /// - Parameters:
    ///   - preTokenizer: how text is cut into the pieces inside which tokens are learned.
    ///   - specialTokens: control tokens, which get the first ids.
    ///   - minimumFrequency: how often a pair must occur to become a token.
    public init(
        preTokenizer: PreTokenizer = .deepSeek, specialTokens: [String] = Tokenizer.defaultSpecialTokens,
        minimumFrequency: Int = 2
    ) {
        self.preTokenizer = preTokenizer
        self.specialTokens = specialTokens
        self.minimumFrequency = max(1, minimumFrequency)
        splitter = TextSplitter(preTokenizer)
    }

    /// How many different words were met so far.
    public var wordCount: Int { words.count }

    /// Adds one text, which is cut into words by itself.
    public func add(_ text: UnsafeRawBufferPointer) {
        text.withMemoryRebound(to: UInt8.self) { add($0, 0..<$0.count) }
    }

    /// Adds one text, which is cut into words by itself.
    public func add(_ text: String) {
        var text = text
        text.withUTF8 { add($0, 0..<$0.count) }
    }

    /// Adds every line, with the line feed that ends it, as one text.
    public func addLines(of text: UnsafeRawBufferPointer) {
        text.withMemoryRebound(to: UInt8.self) { text in
            var start = 0
            while start < text.count {
                let lineFeed = text[start...].firstIndex(of: UInt8(ascii: "\n"))
                let end = lineFeed.map { $0 + 1 } ?? text.count
                add(text, start..<end)
                start = end
            }
        }
    }

    private func add(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        splitter.split(text, range) { piece in
            let (word, isNew) = words.insert(UnsafeBufferPointer(rebasing: text[piece]))
            if isNew { wordCounts.append(1) } else { wordCounts[word] += 1 }
        }
    }

    /// Learns merges until the vocabulary has `vocabularySize` tokens or no pair is frequent enough.
    ///
    /// - Parameters:
    ///   - vocabularySize: the number of tokens, special ones and bytes included.
    ///   - progress: is told the number of tokens reached, every hundred merges.
    /// - Throws: ``InputError`` when the size has no room for special tokens and bytes, or the corpus is too large.
    public func train(vocabularySize: Int, progress: ((_ tokens: Int) -> Void)? = nil) throws -> Tokenizer {
        let smallest = specialTokens.count + 256
        guard vocabularySize >= smallest, vocabularySize < Int(Int32.max) else {
            throw InputError(
                "a vocabulary of \(vocabularySize) tokens is not possible",
                remedy: "give at least \(smallest): 256 bytes and \(specialTokens.count) special tokens")
        }
        guard words.byteCount + words.count < Int(Int32.max) else {
            throw InputError("the corpus has more than 2 GB of different words", remedy: "train on a part of it")
        }
        var learner = MergeLearner(words: words, counts: wordCounts, specialTokens: specialTokens)
        try learner.learn(vocabularySize: vocabularySize, minimumFrequency: minimumFrequency, progress: progress)
        return try Tokenizer(
            spellings: learner.tokens.enumerated().dropFirst(specialTokens.count)
                .map { (ByteAlphabet.spelling(of: $0.element), $0.offset) },
            rules: MergeRules(learner.rules),
            addedTokens: specialTokens.enumerated().map { AddedToken(id: Int32($0), content: $1) },
            preTokenizer: preTokenizer, roles: TokenRoles())
    }
}
