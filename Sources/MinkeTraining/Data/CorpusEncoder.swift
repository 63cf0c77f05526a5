/// What preparing a corpus needs to know of a tokenizer.
///
/// Long documents are encoded in pieces, on several threads. Pieces are cut before a space between two letters, or
/// before a letter or digit at the start of a line that follows another, where the pre-tokenizers of byte-level BPE
/// start a new word; an encoder whose tokens would cross such a place gives other tokens there.
public struct CorpusEncoder: Sendable {
    /// Gives the tokens of a piece of text, without any added at its ends.
    public typealias Encode = (UnsafeRawBufferPointer) -> [Int32]

    /// Every token is in 0 ..< `vocabularySize`.
    public let vocabularySize: Int
    /// A text that changes whenever the tokens of some text do, such as a hash of the vocabulary and the merges.
    public let fingerprint: String
    /// The token put between two documents, or `nil` to join them without one.
    public let endOfDocument: Int32?
    /// For every token the number of text bytes that it stands for; 0 for special tokens.
    public let tokenByteLengths: [Int]
    /// Makes an encoder for one thread, which may remember words it has met as long as its tokens stay the same.
    public let makeEncode: @Sendable () -> Encode

    public init(
        vocabularySize: Int, fingerprint: String, endOfDocument: Int32?, tokenByteLengths: [Int],
        makeEncode: @escaping @Sendable () -> Encode
    ) {
        self.vocabularySize = vocabularySize
        self.fingerprint = fingerprint
        self.endOfDocument = endOfDocument
        self.tokenByteLengths = tokenByteLengths
        self.makeEncode = makeEncode
    }

    /// An encoder without memory, which all threads share.
    public init(
        vocabularySize: Int, fingerprint: String, endOfDocument: Int32?, tokenByteLengths: [Int],
        encode: @escaping @Sendable (UnsafeRawBufferPointer) -> [Int32]
    ) {
        self.init(
            vocabularySize: vocabularySize, fingerprint: fingerprint, endOfDocument: endOfDocument,
            tokenByteLengths: tokenByteLengths, makeEncode: { encode })
    }
}
