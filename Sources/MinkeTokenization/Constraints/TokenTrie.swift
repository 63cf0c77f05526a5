/// The ordinary tokens of a vocabulary by their bytes, in one array that is read from front to back.
///
/// Built once for a tokenizer and shared by all constraints. Added tokens are not in it: they steer the model, whatever
/// their spelling.
public final class TokenTrie: Sendable {
    /// A byte of one or more tokens. Its descendants are the nodes up to `end`.
    struct Node {
        let byte: UInt8
        /// How many bytes lead here, itself not counted.
        let depth: UInt16
        /// The token that ends here, or -1.
        var token: Int32
        /// The first node that does not begin with the bytes that lead here.
        var end: Int32
    }

    let tokenizer: Tokenizer
    let nodes: [Node]
    /// Tokens that are not in the trie because they steer the model.
    let addedTokens: Set<Int32>
    /// The length of the longest token in bytes.
    let maximumLength: Int

    public init(_ tokenizer: Tokenizer) {
        self.tokenizer = tokenizer
        addedTokens = Set(tokenizer.addedTokens.map(\.id))
        var tokens: [(bytes: [UInt8], id: Int32)] = []
        tokens.reserveCapacity(tokenizer.vocabularySize)
        for id in 0..<Int32(tokenizer.vocabularySize) where !addedTokens.contains(id) {
            let bytes = tokenizer.decodeBytes(CollectionOfOne(id))
            if !bytes.isEmpty, bytes.count < Int(UInt16.max) { tokens.append((bytes, id)) }
        }
        tokens.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        var nodes: [Node] = []
        nodes.reserveCapacity(tokens.count * 3)
        var path: [Int] = []
        var previous: [UInt8] = []
        func close(to depth: Int) {
            while path.count > depth { nodes[path.removeLast()].end = Int32(nodes.count) }
        }
        for (bytes, id) in tokens {
            let common = zip(bytes, previous).prefix { $0 == $1 }.count
            // Two tokens with the same bytes share a node; encoders produce the first.
            if common == bytes.count { continue }
            close(to: common)
            for depth in common..<bytes.count {
                path.append(nodes.count)
                nodes.append(Node(byte: bytes[depth], depth: UInt16(depth), token: -1, end: 0))
            }
            nodes[nodes.count - 1].token = id
            previous = bytes
        }
        close(to: 0)
        self.nodes = nodes
        maximumLength = tokens.map(\.bytes.count).max() ?? 0
    }
}
