import MinkeFiles

/// Encodes documents into the shards of both splits.
struct ShardPreparation {
    private static let pieceSize = 256 << 10

    private let encoder: CorpusEncoder
    private let reportProgress: (TokenShards.Progress) throws -> Void
    private var queue: EncodingQueue
    private var train: ShardWriter
    private var validation: ShardWriter
    private var progress = TokenShards.Progress()

    init(
        encoder: CorpusEncoder, folder: String, tokensPerShard: Int,
        progress: @escaping (TokenShards.Progress) throws -> Void
    ) {
        self.encoder = encoder
        reportProgress = progress
        queue = EncodingQueue(encoder: encoder)
        train = ShardWriter(split: .train, folder: folder, encoder: encoder, tokensPerShard: tokensPerShard)
        validation = ShardWriter(split: .validation, folder: folder, encoder: encoder, tokensPerShard: tokensPerShard)
    }

    /// Adds the documents of a corpus.
    ///
    /// - Parameter trainingBytes: how much of a document, from its start, is for training.
    mutating func add(_ corpus: Corpus, trainingBytes: (Document) -> Int) throws {
        try corpus.forEachDocument { document in
            let cut = trainingBytes(document)
            try add(UnsafeRawBufferPointer(rebasing: document.bytes[..<cut]), to: .train)
            try add(UnsafeRawBufferPointer(rebasing: document.bytes[cut...]), to: .validation)
        }
    }

    /// Completes the shards and tells what they hold.
    mutating func finish(splitRule: JSON, request: JSON) throws -> ShardManifest {
        try drain()
        return ShardManifest(
            tokenizerFingerprint: encoder.fingerprint, vocabularySize: encoder.vocabularySize, splitRule: splitRule,
            request: request, train: try train.finish(), validation: try validation.finish())
    }

    private mutating func add(_ text: UnsafeRawBufferPointer, to split: TokenShards.Split) throws {
        if text.isEmpty { return }
        let isFirst: Bool
        switch split {
        case .train: isFirst = train.begin(text)
        case .validation: isFirst = validation.begin(text)
        }
        if !isFirst, let separator = encoder.endOfDocument { queue.append(token: separator, to: split) }
        for piece in TextPieces(text, wantedSize: Self.pieceSize) {
            queue.append(piece, to: split)
            if queue.isFull { try drain() }
        }
    }

    private mutating func drain() throws {
        for encoded in queue.drain() {
            switch encoded.split {
            case .train: try train.append(encoded.tokens, textBytes: encoded.textBytes)
            case .validation: try validation.append(encoded.tokens, textBytes: encoded.textBytes)
            }
            progress.textBytes += encoded.textBytes
            progress.tokens += encoded.tokens.count
        }
        try reportProgress(progress)
    }
}
