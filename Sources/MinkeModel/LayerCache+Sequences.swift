import MinkeTensors

/// The caches of a batch's sequences, whose rows lie one sequence after the other.
extension [LayerCache] {
    /// Gives each cache the rows of its sequence.
    func append(_ parts: [Tensor]) {
        guard let rows = parts.first.map({ $0.rows / count }) else { return }
        for (index, cache) in enumerated() {
            cache.append(parts.map { $0.rows(index * rows..<(index + 1) * rows) })
        }
    }

    /// Attention of each sequence's queries over its own cache.
    func attend(_ queries: Tensor, _ attention: (Tensor, LayerCache) -> Tensor) -> Tensor {
        if count == 1 { return attention(queries, self[0]) }
        let rows = queries.rows / count
        let parts = enumerated().map { attention(queries.rows($0 * rows..<($0 + 1) * rows), $1) }
        let joined = Tensor(uninitialized: queries.rows, parts[0].columns, type: parts[0].type)
        for (index, part) in parts.enumerated() {
            joined.rows(index * rows..<(index + 1) * rows).copy(from: part.values)
        }
        return joined
    }
}
