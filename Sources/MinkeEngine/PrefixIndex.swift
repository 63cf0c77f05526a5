import MinkeModel

/// Beginnings of prompts whose cache is kept, in pieces of equal length: a tree for every scope.
///
/// A sequence that uses a beginning retains it; what nobody uses goes when memory is needed, the longest unused first.
/// Tokens are compared, not only their hashes.
struct PrefixIndex {
    /// A beginning: the pieces from the root of its tree up to this one.
    final class Node {
        let scope: String
        /// The last piece's tokens; none for a root.
        let piece: [Int32]
        /// The cache of the whole beginning, which shares memory with those of the nodes above. Nil for a root.
        let cache: ModelCache?
        fileprivate(set) weak var parent: Node?
        fileprivate var children: [[Int32]: Node] = [:]
        /// Sequences that use it or a longer one.
        fileprivate var users = 0
        fileprivate var lastUse = 0

        fileprivate init(scope: String, piece: [Int32] = [], cache: ModelCache? = nil, parent: Node? = nil) {
            self.scope = scope
            self.piece = piece
            self.cache = cache
            self.parent = parent
        }
    }

    /// Tokens of one piece.
    let pieceTokens: Int
    private var roots: [String: Node] = [:]
    private var nodes: [ObjectIdentifier: Node] = [:]
    private var time = 0
    /// Pieces that nobody uses.
    private(set) var unused = 0

    init(pieceTokens: Int) { self.pieceTokens = pieceTokens }

    /// Pieces that are kept.
    var count: Int { nodes.count }

    /// Where a sequence of a scope begins: the empty beginning, retained.
    mutating func begin(scope: String) -> Node {
        let root = roots[scope] ?? Node(scope: scope)
        roots[scope] = root
        retain(root)
        return root
    }

    /// The beginning one piece longer than `node`, if it is kept; `node` is exchanged for it.
    mutating func advance(_ node: Node, piece: ArraySlice<Int32>) -> Node? {
        guard !node.children.isEmpty, let next = node.children[Array(piece)] else { return nil }
        retain(next)
        release(node)
        return next
    }

    /// Keeps the cache of the beginning one piece longer than `node`, which is exchanged for it.
    mutating func insert(_ cache: ModelCache, after node: Node, piece: ArraySlice<Int32>) -> Node {
        let next = Node(scope: node.scope, piece: Array(piece), cache: cache, parent: node)
        node.children[next.piece] = next
        nodes[ObjectIdentifier(next)] = next
        unused += 1
        retain(next)
        release(node)
        return next
    }

    private mutating func retain(_ node: Node) {
        time += 1
        for node in sequence(first: node, next: \.parent) {
            if node.users == 0, node.cache != nil { unused -= 1 }
            node.users += 1
            node.lastUse = time
        }
    }

    /// A sequence does not use the beginning any more.
    mutating func release(_ node: Node) {
        time += 1
        for node in sequence(first: node, next: \.parent) {
            node.users -= 1
            node.lastUse = time
            if node.users == 0 {
                if node.cache != nil { unused += 1 } else if node.children.isEmpty { roots[node.scope] = nil }
            }
        }
    }

    /// Forgets the piece that was unused for longest and has none after it. Returns false where all are used.
    mutating func forgetOldest() -> Bool {
        let candidates = nodes.values.lazy.filter { $0.users == 0 && $0.children.isEmpty }
        guard let oldest = candidates.min(by: { $0.lastUse < $1.lastUse }) else { return false }
        nodes[ObjectIdentifier(oldest)] = nil
        unused -= 1
        if let parent = oldest.parent {
            parent.children[oldest.piece] = nil
            if parent.cache == nil, parent.users == 0, parent.children.isEmpty { roots[parent.scope] = nil }
        }
        return true
    }
}
