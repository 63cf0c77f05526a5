#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension LanguageModel {
    /// Bytes of all weights, as they are stored.
    public var weightBytes: Int { parameters.reduce(0) { $0 + $1.storedBytes } }

    /// Bytes of weights that a pass over `tokens` new tokens reads, as they are stored: a row of the embedding for each,
    /// the experts that any of them is sent to, and everything else once. Prediction modules are not counted.
    ///
    /// Of E experts, tokens that choose k each at random reach E·(1 − (1 − k/E)^tokens).
    public func weightBytes(perPassOver tokens: Int) -> Int {
        let modules = (0..<predictors.count).map { "model.layers.\(configuration.numHiddenLayers + $0)." }
        var seen = Set<ObjectIdentifier>()
        var bytes = 0.0
        for weight in weights where !modules.contains(where: weight.name.hasPrefix) {
            let parameter = weight.parameter
            guard seen.insert(ObjectIdentifier(parameter)).inserted else { continue }
            let whole = Double(parameter.storedBytes)
            if weight.role == .table {
                // A token reads a row for each hash, together as wide as what they are added to.
                let hashes = weight.name.contains("ngram_tables") ? configuration.extensions.ngramHashes : 1
                bytes += whole * min(1, Double(tokens) * Double(hashes) / Double(max(1, parameter.rows)))
            } else if weight.role == .embedding {
                bytes += whole * min(1, Double(tokens) / Double(max(1, parameter.rows)))
                // Tied to the head, it is read as that too.
                if configuration.tieWordEmbeddings { bytes += whole }
            } else if weight.name.contains(".mlp.experts.") {
                let unread = 1 - Double(configuration.numExpertsPerTok) / Double(parameter.groups)
                bytes += whole * (1 - pow(unread, Double(tokens)))
            } else {
                bytes += whole
            }
        }
        return Int(bytes.rounded())
    }
}
