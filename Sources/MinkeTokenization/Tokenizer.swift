import MinkeFiles

/// A byte-level BPE tokenizer: text to token ids and back.
///
/// Every byte string can be encoded and comes back unchanged, valid UTF-8 or not. The results equal those of the
/// `tokenizers` library for the same `tokenizer.json`.
///
/// Immutable. For many texts in a row a ``TokenEncoder`` is faster than ``encode(_:parsingSpecialTokens:)``.
public final class Tokenizer: @unchecked Sendable {
    // The vocabulary and the rules are classes over raw memory that nothing changes after `init`.
    let vocabulary: Vocabulary
    let rules: MergeRules
    let byteTokens: [Int32]
    /// Whether a piece that is a token as a whole skips the merging.
    let ignoresMerges: Bool
    let finders: [AddedTokenFinder]
    private let specialIDs: Set<Int32>

    /// Tokens that are cut out of the text as they stand, in the order of the file.
    public let addedTokens: [AddedToken]
    /// How text is cut before merging.
    public let preTokenizer: PreTokenizer
    /// The token that begins a document.
    public let bosToken: Int32?
    /// The token that ends a document or an answer.
    public let eosToken: Int32?
    /// The token that fills up batches.
    public let padToken: Int32?
    /// Whether the files ask for ``bosToken`` in front of every text. ``encode(_:parsingSpecialTokens:)`` never adds it.
    public let addsBOS: Bool

    /// One more than the largest token id: how many rows the embedding needs.
    public var vocabularySize: Int { vocabulary.count }

    /// - Parameters:
    ///   - spellings: tokens of the model in the byte alphabet, with their ids.
    ///   - rules: merges by rank.
    ///   - roles: texts of the tokens for beginning, end and padding.
    init(
        spellings: [(spelling: String, id: Int)], rules: MergeRules,
        addedTokens: [AddedToken], preTokenizer: PreTokenizer, roles: TokenRoles, ignoresMerges: Bool = false
    ) throws {
        let vocabulary = try Vocabulary(spellings, added: addedTokens)
        byteTokens = try (0...255).map { (byte: UInt8) in
            guard let id = vocabulary.ordinaryID(of: [byte]) else {
                throw InputError("the byte \(byte) has no token", at: "model.vocab")
            }
            return id
        }
        self.vocabulary = vocabulary
        self.rules = rules
        self.addedTokens = addedTokens
        self.preTokenizer = preTokenizer
        self.ignoresMerges = ignoresMerges
        finders = [false, true]
            .map { isNormalized in AddedTokenFinder(addedTokens.filter { $0.isNormalized == isNormalized }) }
            .filter { !$0.isEmpty }
        specialIDs = Set(addedTokens.filter(\.isSpecial).map(\.id))
        bosToken = try roles.bos.map { try $0.id(in: vocabulary) } ?? nil
        eosToken = try roles.eos.map { try $0.id(in: vocabulary) } ?? nil
        padToken = try roles.pad.map { try $0.id(in: vocabulary) } ?? nil
        addsBOS = roles.addsBOS
    }

    // MARK: Tokens

    /// A token as `tokenizer.json` spells it (`Ġthe`), or `nil` for an id without token.
    public func token(for id: Int32) -> String? { vocabulary.spelling(of: Int(id)) }

    /// The id of a token as `tokenizer.json` spells it.
    public func id(of token: String) -> Int32? { vocabulary.id(spelled: token) }

    /// Whether the token steers the model rather than carrying text.
    public func isSpecial(_ id: Int32) -> Bool { specialIDs.contains(id) }

    // MARK: Encoding

    /// The tokens of `text`.
    ///
    /// - Parameter parsingSpecialTokens: whether ``addedTokens`` written in the text become those tokens. Without it, as
    ///   for text from outside, they are text like any other and never give their ids.
    public func encode(_ text: String, parsingSpecialTokens: Bool = true) -> [Int32] {
        TokenEncoder(self).encode(text, parsingSpecialTokens: parsingSpecialTokens)
    }

    /// The tokens of UTF-8 text of less than 2^31 bytes. Bytes that are no valid UTF-8 count as characters of their own.
    public func encode(_ bytes: UnsafeRawBufferPointer, parsingSpecialTokens: Bool = true) -> [Int32] {
        var ids: [Int32] = []
        TokenEncoder(self).encode(bytes, parsingSpecialTokens: parsingSpecialTokens, into: &ids)
        return ids
    }

    // MARK: Decoding

    /// The text of `ids`; bytes that are no valid UTF-8 become U+FFFD, ids without token nothing.
    public func decode(_ ids: some Sequence<Int32>, skippingSpecialTokens: Bool = false) -> String {
        String(decoding: decodeBytes(ids, skippingSpecialTokens: skippingSpecialTokens), as: UTF8.self)
    }

    /// The bytes of `ids`.
    public func decodeBytes(_ ids: some Sequence<Int32>, skippingSpecialTokens: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        for id in ids where !(skippingSpecialTokens && isSpecial(id)) { vocabulary.appendBytes(of: id, to: &bytes) }
        return bytes
    }
}

/// The tokens that a model's files name for the beginning and end of documents and for padding.
struct TokenRoles {
    /// A token that is required when files name it, and one of several when it is a guess.
    enum Token {
        case named(String, key: String)
        case oneOf([String])
        /// The id that a GGUF file gives under a key.
        case numbered(Int, key: String)

        func id(in vocabulary: Vocabulary) throws -> Int32? {
            switch self {
            case .oneOf(let names): return names.lazy.compactMap { vocabulary.id(spelled: $0) }.first
            case .named(let name, let key):
                guard let id = vocabulary.id(spelled: name) else {
                    throw InputError("the token \(name) is not in the vocabulary", at: "tokenizer_config.json: \(key)")
                }
                return id
            case .numbered(let number, let key):
                guard let id = Int32(exactly: number), vocabulary.spelling(of: number) != nil else {
                    throw InputError("the token \(number) is not in the vocabulary", at: key)
                }
                return id
            }
        }
    }

    static let bosName = "<｜begin▁of▁sentence｜>"
    static let eosName = "<｜end▁of▁sentence｜>"
    static let padName = "<｜▁pad▁｜>"

    var bos: Token? = .oneOf([bosName, "<|begin_of_text|>", "<s>", "[BOS]"])
    var eos: Token? = .oneOf([eosName, "<|endoftext|>", "</s>", "[EOS]"])
    var pad: Token? = .oneOf([padName, "<pad>", "[PAD]"])
    var addsBOS = true
}

extension Tokenizer {
    /// The special tokens of tokenizers made here: begin and end of a document, padding.
    public static let defaultSpecialTokens = [TokenRoles.bosName, TokenRoles.eosName, TokenRoles.padName]

    /// The tokenizer without merges: ids 0...255 are the bytes, followed by ``defaultSpecialTokens`` (256, 257, 258).
    public static let bytes: Tokenizer = {
        do {
            return try Tokenizer(
                spellings: (0...255).map { (ByteAlphabet.spelling(of: [UInt8($0)]), $0) }, rules: MergeRules([]),
                addedTokens: defaultSpecialTokens.enumerated().map { AddedToken(id: Int32(256 + $0), content: $1) },
                preTokenizer: .none, roles: TokenRoles())
        } catch {
            preconditionFailure("\(error)")
        }
    }()
}
