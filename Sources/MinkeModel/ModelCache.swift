import MinkeTensors

/// What a model remembers of one sequence.
public final class ModelCache {
    let layers: [LayerCache]
    /// Tokens that fit.
    public let capacity: Int
    /// The tokens held, for models that look up rows by the tokens before the newest; −1 where they are not known. A
    /// prediction module's cache has none.
    private(set) var tokens: [Int32] = []

    init(layers: [LayerCache], capacity: Int) {
        self.layers = layers
        self.capacity = capacity
    }

    /// Tokens held.
    public var count: Int { layers.first?.count ?? 0 }
    /// Bytes of one token, all layers.
    public var bytesPerToken: Int { layers.reduce(0) { $0 + $1.bytesPerToken } }
    /// Tokens for which memory is taken at a time.
    public var tokensPerBlock: Int { layers.first?.rowsPerBlock ?? 1 }
    /// Bytes that are taken at a time, all layers.
    public var blockBytes: Int { layers.reduce(0) { $0 + $1.blockBytes } }
    /// The first `count` tokens as a cache of their own, which shares memory with this one as long as neither changes it.
    public func fork(count: Int) -> ModelCache {
        let copy = ModelCache(layers: layers.map { $0.fork(count: count) }, capacity: capacity)
        copy.remember(tokens.prefix(count))
        return copy
    }
    /// Forgets all tokens from `count` on.
    public func truncate(to count: Int) {
        layers.forEach { $0.truncate(to: count) }
        tokens.removeLast(max(0, tokens.count - count))
    }

    /// Remembers the tokens of a pass.
    func remember(_ new: ArraySlice<Int32>) { tokens += new }

    /// Holds `count` tokens of noise: what measuring at a depth needs, without running a text of that length.
    public func fill(count: Int, seed: UInt64) {
        precondition(count <= capacity)
        truncate(to: 0)
        tokens = [Int32](repeating: -1, count: count)
        for (index, layer) in layers.enumerated() {
            var random = CounterRandom(seed: seed, purpose: "cache", step: index)
            let rows = max(1, min(count, 64))
            let noise = Tensor(
                (0..<rows * layer.width).map { _ in random.uniform() * 2 - 1 }, rows: rows, columns: layer.width)
            while layer.count < count {
                let part = noise.rows(0..<min(rows, count - layer.count))
                var first = 0
                layer.append(
                    layer.parts.map { width in
                        defer { first += width }
                        return part.columns(first..<first + width)
                    })
            }
        }
    }
}
