/// Encodes one text after the other, remembering the words it has met.
///
/// Not `Sendable`: every thread takes its own.
public final class TokenEncoder {
    private let tokenizer: Tokenizer
    var finders: [AddedTokenFinder] { tokenizer.finders }
    private var splitter: TextSplitter
    private var merger: BytePairMerger
    /// Pieces that were merged before; the tokens of word `i` are `cachedIDs[cachedEnds[i - 1]..<cachedEnds[i]]`.
    private let words = ByteStringTable(capacity: 256)
    private var cachedIDs: [Int32] = []
    private var cachedEnds: [Int] = []

    /// Bounds on the memory of the cache; a full cache starts anew.
    private static let maximumWords = 1 << 17
    private static let maximumWordLength = 48

    public init(_ tokenizer: Tokenizer) {
        self.tokenizer = tokenizer
        splitter = TextSplitter(tokenizer.preTokenizer)
        merger = BytePairMerger(tokenizer.rules, byteTokens: tokenizer.byteTokens)
    }

    /// The tokens of `text`. See ``Tokenizer/encode(_:parsingSpecialTokens:)-(String,_)``.
    public func encode(_ text: String, parsingSpecialTokens: Bool = true) -> [Int32] {
        var ids: [Int32] = []
        var text = text
        text.withUTF8 {
            encode(UnsafeRawBufferPointer($0), parsingSpecialTokens: parsingSpecialTokens, into: &ids)
        }
        return ids
    }

    /// Appends the tokens of UTF-8 text of less than 2^31 bytes to `ids`. Bytes that are no valid UTF-8 count as characters
    /// of their own.
    public func encode(_ text: UnsafeRawBufferPointer, parsingSpecialTokens: Bool = true, into ids: inout [Int32]) {
        precondition(text.count < Int(Int32.max), "a text of 2^31 bytes or more must be encoded in parts")
        text.withMemoryRebound(to: UInt8.self) { text in
            let finders = parsingSpecialTokens ? tokenizer.finders[...] : []
            encode(text, 0..<text.count, cutting: finders, into: &ids)
        }
    }

    /// Cuts out the tokens that the first finder knows, and hands what lies between them to the other finders.
    private func encode(
        _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, cutting finders: ArraySlice<AddedTokenFinder>,
        into ids: inout [Int32]
    ) {
        guard let finder = finders.first else { return encodeOrdinary(text, range, into: &ids) }
        var start = range.lowerBound
        while let token = finder.first(in: text, start..<range.upperBound) {
            encode(text, start..<token.range.lowerBound, cutting: finders.dropFirst(), into: &ids)
            ids.append(token.id)
            start = token.range.upperBound
        }
        encode(text, start..<range.upperBound, cutting: finders.dropFirst(), into: &ids)
    }

    /// Appends the tokens of text at `range` in which no added token counts.
    func encodeOrdinary(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, into ids: inout [Int32]) {
        let byteTokens = tokenizer.byteTokens
        if tokenizer.rules.rules.isEmpty, !tokenizer.ignoresMerges {
            ids.reserveCapacity(ids.count + range.count)
            for position in range { ids.append(byteTokens[Int(text[position])]) }
            return
        }
        splitter.split(text, range) { piece in
            if piece.count == 1 {
                ids.append(byteTokens[Int(text[piece.lowerBound])])
            } else {
                encodePiece(UnsafeBufferPointer(rebasing: text[piece]), into: &ids)
            }
        }
    }

    private func encodePiece(_ piece: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        if piece.count > Self.maximumWordLength { return merge(piece, into: &ids) }
        if words.count == Self.maximumWords {
            words.removeAll()
            cachedIDs.removeAll(keepingCapacity: true)
            cachedEnds.removeAll(keepingCapacity: true)
        }
        let (word, isNew) = words.insert(piece)
        if isNew {
            merge(piece, into: &cachedIDs)
            cachedEnds.append(cachedIDs.count)
        }
        for index in (word == 0 ? 0 : cachedEnds[word - 1])..<cachedEnds[word] { ids.append(cachedIDs[index]) }
    }

    private func merge(_ piece: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        if tokenizer.ignoresMerges, let id = tokenizer.vocabulary.ordinaryID(of: piece) {
            ids.append(id)
        } else {
            merger.merge(piece, into: &ids)
        }
    }
}
