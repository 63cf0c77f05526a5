import MinkeFiles

/// Writes the tokens of one split to shard files.
struct ShardWriter {
    private let split: TokenShards.Split
    private let folder: String
    private let encoder: CorpusEncoder
    private let tokensPerShard: Int
    private let width: Int
    private var content = ShardManifest.Split()
    private var textHash = SHA256()
    private var file: AtomicFile?
    private var fileHash = SHA256()
    private var fileTokens = 0
    private var buffer: [UInt8] = []

    init(split: TokenShards.Split, folder: String, encoder: CorpusEncoder, tokensPerShard: Int) {
        self.split = split
        self.folder = folder
        self.encoder = encoder
        self.tokensPerShard = tokensPerShard
        width = TokenShards.bytesPerToken(vocabularySize: encoder.vocabularySize)
    }

    /// Takes note of a document, whose tokens follow.
    ///
    /// - Returns: whether it is the first.
    mutating func begin(_ text: UnsafeRawBufferPointer) -> Bool {
        content.documents += 1
        withUnsafeBytes(of: UInt64(text.count).littleEndian) { textHash.update($0) }
        textHash.update(text)
        return content.documents == 1
    }

    /// Appends tokens that stand for `textBytes` bytes of text.
    ///
    /// - Throws: ``InputError`` for a token that the vocabulary does not have, or when the disk is full.
    mutating func append(_ tokens: [Int32], textBytes: Int) throws {
        content.bytes += textBytes
        var rest = tokens[...]
        while !rest.isEmpty {
            if fileTokens == tokensPerShard { try finishShard() }
            let taken = rest.prefix(tokensPerShard - fileTokens)
            try write(taken)
            rest = rest.dropFirst(taken.count)
        }
    }

    /// Completes the last shard and tells what the split holds.
    mutating func finish() throws -> ShardManifest.Split {
        try finishShard()
        content.sha256 = SHA256.hexadecimal(textHash.finalize())
        return content
    }

    private mutating func write(_ tokens: ArraySlice<Int32>) throws {
        buffer.removeAll(keepingCapacity: true)
        buffer.reserveCapacity(tokens.count * width)
        for token in tokens {
            guard token >= 0, token < encoder.vocabularySize else {
                throw InputError("the tokenizer gave token \(token), but its vocabulary has \(encoder.vocabularySize)")
            }
            content.decodedBytes += encoder.tokenByteLengths[Int(token)]
            var bits = UInt32(token)
            for _ in 0..<width {
                buffer.append(UInt8(truncatingIfNeeded: bits))
                bits >>= 8
            }
        }
        let file = try file ?? AtomicFile(path: TokenShards.path(of: split, shard: content.shards.count, in: folder))
        self.file = file
        try buffer.withUnsafeBytes { bytes in
            fileHash.update(bytes)
            try file.write(bytes)
        }
        fileTokens += tokens.count
    }

    private mutating func finishShard() throws {
        guard let file else { return }
        try file.commit()
        content.shards.append(.init(tokens: fileTokens, sha256: SHA256.hexadecimal(fileHash.finalize())))
        self.file = nil
        fileHash = SHA256()
        fileTokens = 0
    }
}
