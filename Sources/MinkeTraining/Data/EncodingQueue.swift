import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Turns text into tokens on all cores, keeping the order of the text.
///
/// Text is gathered until there is enough for every core, so many short documents go as fast as one long one, and
/// memory stays at a few dozen megabytes whatever the size of the corpus.
struct EncodingQueue {
    /// The tokens of one piece of text.
    struct Encoded {
        let split: TokenShards.Split
        let tokens: [Int32]
        /// The number of bytes of the piece.
        let textBytes: Int
    }

    private enum Content {
        case text(Range<Int>)
        case token(Int32)
    }

    private static let fullSize = 4 << 20

    /// One encoder a core. Which one encodes a piece makes no difference to its tokens.
    private let encoders: [CorpusEncoder.Encode]
    private var text: [UInt8] = []
    private var pieces: [(split: TokenShards.Split, content: Content)] = []

    init(encoder: CorpusEncoder) {
        let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        encoders = (0..<cores).map { _ in encoder.makeEncode() }
    }

    /// Whether it is time to call ``drain()``.
    var isFull: Bool { text.count >= Self.fullSize }

    /// Adds a piece of text, encoded without regard to its neighbours.
    mutating func append(_ piece: UnsafeRawBufferPointer, to split: TokenShards.Split) {
        pieces.append((split, .text(text.count..<text.count + piece.count)))
        text.append(contentsOf: piece)
    }

    /// Adds one token that no text stands for.
    mutating func append(token: Int32, to split: TokenShards.Split) {
        pieces.append((split, .token(token)))
    }

    /// Empties the queue and encodes what it held.
    mutating func drain() -> [Encoded] {
        let pieces = pieces
        var tokens = [[Int32]](repeating: [], count: pieces.count)
        text.withUnsafeBytes { text in
            tokens.withUnsafeMutableBufferPointer { tokens in
                // Every iteration has an encoder of its own and writes elements of its own.
                nonisolated(unsafe) let (text, tokens, encoders) = (text, tokens, encoders)
                DispatchQueue.concurrentPerform(iterations: encoders.count) { core in
                    for index in stride(from: core, to: pieces.count, by: encoders.count) {
                        switch pieces[index].content {
                        case .text(let range):
                            tokens[index] = encoders[core](UnsafeRawBufferPointer(rebasing: text[range]))
                        case .token(let token): tokens[index] = [token]
                        }
                    }
                }
            }
        }
        self.pieces.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
        return zip(pieces, tokens).map { piece, tokens in
            var textBytes = 0
            if case .text(let range) = piece.content { textBytes = range.count }
            return Encoded(split: piece.split, tokens: tokens, textBytes: textBytes)
        }
    }
}
