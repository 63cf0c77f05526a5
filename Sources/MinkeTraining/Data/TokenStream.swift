import MinkeFiles

/// The tokens of one split in their order, with random access.
public struct TokenStream: Sendable {
    private enum Storage: Sendable {
        case memory([Int32])
        case narrow(MappedFile)
        case wide(MappedFile)
    }

    private struct Segment: Sendable {
        let start: Int
        let count: Int
        let storage: Storage
        let name: String
    }

    /// The number of tokens.
    public let count: Int
    /// Every token is below it; one that is not is an error when it is read.
    public let vocabularySize: Int
    private let segments: [Segment]

    /// Tokens held in memory.
    public init(tokens: [Int32], vocabularySize: Int) {
        count = tokens.count
        self.vocabularySize = vocabularySize
        segments = [Segment(start: 0, count: tokens.count, storage: .memory(tokens), name: "tokens in memory")]
    }

    /// Tokens in shard files, memory-mapped: pages are read when they are used.
    ///
    /// - Parameter shards: paths, with the number of tokens that each must hold.
    /// - Throws: ``InputError`` when a file cannot be read or has another length.
    init(shards: [(path: String, count: Int)], vocabularySize: Int) throws {
        let width = TokenShards.bytesPerToken(vocabularySize: vocabularySize)
        var start = 0
        var segments: [Segment] = []
        for shard in shards {
            let file = try MappedFile(path: shard.path)
            guard file.bytes.count % width == 0, file.bytes.count / width == shard.count else {
                throw InputError(
                    "\(file.bytes.count) bytes, but the manifest says \(shard.count) tokens of \(width) bytes",
                    at: shard.path, remedy: "delete the folder to have it prepared again")
            }
            segments.append(
                Segment(
                    start: start, count: shard.count, storage: width == 2 ? .narrow(file) : .wide(file),
                    name: shard.path))
            start += shard.count
        }
        count = start
        self.vocabularySize = vocabularySize
        self.segments = segments
    }

    /// Copies consecutive tokens, from one shard or several.
    ///
    /// - Throws: ``InputError`` when a shard is damaged: a token that the vocabulary does not have.
    /// - Precondition: `position` ..< `position + count` lies in 0 ..< ``count``.
    public func copyTokens(from position: Int, count: Int, to destination: UnsafeMutablePointer<Int32>) throws {
        precondition(position >= 0 && count >= 0 && count <= self.count - position, "tokens outside of the stream")
        var done = 0
        var index = segmentIndex(of: position)
        while done < count {
            let segment = segments[index]
            let offset = position + done - segment.start
            let taken = min(count - done, segment.count - offset)
            try copy(segment, offset: offset, count: taken, to: destination + done)
            done += taken
            index += 1
        }
    }

    /// Copies a window of `sequenceLength` tokens and, to `targets`, the token that follows each of them.
    func copyWindow(
        from position: Int, sequenceLength: Int, tokens: UnsafeMutablePointer<Int32>,
        targets: UnsafeMutablePointer<Int32>
    ) throws {
        try copyTokens(from: position, count: sequenceLength, to: tokens)
        targets.update(from: tokens + 1, count: sequenceLength - 1)
        try copyTokens(from: position + sequenceLength, count: 1, to: targets + sequenceLength - 1)
    }

    /// The number of text bytes that some tokens stand for.
    ///
    /// - Parameter tokenByteLengths: the table of the tokenizer (``CorpusEncoder/tokenByteLengths``).
    public func byteCount(ofTokens range: Range<Int>, tokenByteLengths: [Int]) throws -> Int {
        guard tokenByteLengths.count >= vocabularySize else {
            throw InputError("byte lengths of \(tokenByteLengths.count) tokens for a vocabulary of \(vocabularySize)")
        }
        let chunkSize = 4096
        return try withUnsafeTemporaryAllocation(of: Int32.self, capacity: chunkSize) { chunk in
            guard let base = chunk.baseAddress else { return 0 }
            var bytes = 0
            var position = range.lowerBound
            while position < range.upperBound {
                let taken = min(chunkSize, range.upperBound - position)
                try copyTokens(from: position, count: taken, to: base)
                for index in 0..<taken { bytes += tokenByteLengths[Int(base[index])] }
                position += taken
            }
            return bytes
        }
    }

    /// The last segment that starts at or before `position`.
    private func segmentIndex(of position: Int) -> Int {
        var (low, high) = (0, segments.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if segments[middle].start <= position { low = middle } else { high = middle }
        }
        return low
    }

    private func copy(
        _ segment: Segment, offset: Int, count: Int, to destination: UnsafeMutablePointer<Int32>
    ) throws {
        var largest: UInt32 = 0
        func store(_ token: UInt32, at index: Int) {
            destination[index] = Int32(bitPattern: token)
            largest = max(largest, token)
        }
        switch segment.storage {
        case .memory(let tokens):
            for index in 0..<count { store(UInt32(bitPattern: tokens[offset + index]), at: index) }
        case .narrow(let file):
            file.withBytes { bytes in
                let tokens = bytes.bindMemory(to: UInt16.self)
                for index in 0..<count { store(UInt32(UInt16(littleEndian: tokens[offset + index])), at: index) }
            }
        case .wide(let file):
            file.withBytes { bytes in
                let tokens = bytes.bindMemory(to: UInt32.self)
                for index in 0..<count { store(UInt32(littleEndian: tokens[offset + index]), at: index) }
            }
        }
        guard largest < vocabularySize else {
            throw InputError(
                "token \(largest) in a vocabulary of \(vocabularySize)", at: segment.name,
                remedy: "the file is damaged: delete its folder to have it prepared again")
        }
    }
}
