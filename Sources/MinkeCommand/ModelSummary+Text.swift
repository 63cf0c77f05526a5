import Minke

extension ModelSummary {
    /// The summary for people.
    var text: String {
        var sections = [architectureText, parameterText, memoryText, arithmeticText, tokenizerText]
        if let running { sections.append(running.text) }
        return sections.joined(separator: "\n\n")
    }

    private var architectureText: String {
        let c = configuration
        let base = c.extensions.isEmpty ? "" : " (after \(c.family.rawValue))"
        var lines = ["\(c.modelType)\(base): \(c.numHiddenLayers) layers of width \(c.hiddenSize), "]
        lines[0] += "\(c.numAttentionHeads) heads, vocabulary \(HumanFormat.grouped(c.vocabSize))"
        if c.family.isLatent {
            let queries = c.qLoraRank.map { "queries through \($0), " } ?? ""
            lines.append(
                "latent attention: \(queries)keys and values through \(c.kvLoraRank), "
                    + "heads of \(c.qkNopeHeadDim) + \(c.qkRopeHeadDim) rotary, values of \(c.vHeadDim)")
        } else {
            lines.append("multi-head attention: heads of \(c.vHeadDim)")
        }
        if c.nRoutedExperts > 0 {
            lines.append(
                "experts: \(c.numExpertsPerTok) of \(c.nRoutedExperts) and \(c.nSharedExperts) shared, of width "
                    + "\(c.moeIntermediateSize), in \(sparseLayers) layers; router \(c.topkMethod.rawValue)")
        }
        if c.numNextnPredictLayers > 0 {
            lines.append("modules for multi-token prediction: \(c.numNextnPredictLayers)")
        }
        if !c.extensions.isEmpty { lines.append("extensions: " + Self.text(of: c.extensions)) }
        var rotary = "context: \(HumanFormat.grouped(c.maxPositionEmbeddings)) tokens, rotary base "
        rotary += Self.plain(c.ropeTheta)
        if let yarn = c.yarn {
            rotary += ", YaRN by \(Self.plain(yarn.factor)) from "
            rotary += HumanFormat.grouped(yarn.originalMaxPositionEmbeddings)
        }
        lines.append(rotary)
        if let quantization { lines.append("weights are stored quantised (\(quantization.prefix(40)))") }
        return lines.joined(separator: "\n")
    }

    private static func text(of e: ModelConfiguration.Extensions) -> String {
        var parts: [String] = []
        if let longest = e.ngramOrders.last {
            parts.append(
                "n-grams up to \(longest) in tables of \(HumanFormat.grouped(e.ngramTableRows)) rows, "
                    + "\(e.ngramHashes) hashes")
        }
        if e.valueEmbeddingOrder > 0 { parts.append("value embeddings of \(e.valueEmbeddingOrder)-grams") }
        if e.normalizesQueries { parts.append("QK norm") }
        if e.logitSoftcap > 0 { parts.append("logits capped at \(plain(e.logitSoftcap))") }
        if e.activation != .swiGLU { parts.append(e.activation.rawValue) }
        return parts.joined(separator: "; ")
    }

    private var parameterText: String {
        var rows = costs.parts.map { ($0.name, $0.total, $0.active) }
        rows.append(("all", costs.totalParameters, costs.activeParameters))
        if mainParameters < costs.totalParameters {
            rows.append(("without prediction modules", mainParameters, costs.activeParameters))
        }
        return Self.table(
            [["parameters", "total", "active"]]
                + rows.map { [$0.0, HumanFormat.grouped($0.1), HumanFormat.grouped($0.2)] })
    }

    private var memoryText: String {
        let weights = Self.precisions.map { "\(HumanFormat.bytes(costs.totalParameters * $0.bytes)) \($0.name)" }
        let cache = costs.cachedValuesPerToken * 4
        let (whole, overflow) = cache.multipliedReportingOverflow(by: configuration.maxPositionEmbeddings)
        var lines = ["weights: " + weights.joined(separator: ", ")]
        var line = "cache: \(HumanFormat.grouped(cache)) bytes a token (float32), "
        line += "\(HumanFormat.bytes(overflow ? .max : whole)) for the whole context"
        lines.append(line)
        if configuration.family.isLatent {
            let twin = HumanFormat.grouped(costs.multiHeadCachedValuesPerToken * 4)
            lines.append(
                "multi-head attention would keep \(twin) bytes, \(HumanFormat.fixed(cacheRatio, 1)) times that")
        }
        return lines.joined(separator: "\n")
    }

    private var arithmeticText: String {
        Self.table(
            [["arithmetic a token", "forward", "training"]]
                + contexts.map {
                    [
                        "in a context of \(HumanFormat.grouped($0))", HumanFormat.flops(costs.forwardFLOPs(length: $0)),
                        HumanFormat.flops(costs.trainingFLOPs(length: $0)),
                    ]
                })
    }

    private var tokenizerText: String {
        guard let tokenizer else { return "tokenizer: none with the model" }
        func name(_ id: Int32?) -> String { id.flatMap { tokenizer.token(for: $0) } ?? "none" }
        return "tokenizer: byte-level BPE, \(HumanFormat.grouped(tokenizer.vocabularySize)) tokens, begin "
            + "\(name(tokenizer.bosToken))\(tokenizer.addsBOS ? " (added)" : ""), end \(name(tokenizer.eosToken))"
    }

    /// A number without a fraction of zeros.
    private static func plain(_ value: Double) -> String {
        Int(exactly: value).map { HumanFormat.grouped($0) } ?? "\(value)"
    }

    /// Columns under each other: the first to the left, the others to the right.
    static func table(_ rows: [[String]]) -> String {
        let widths = (0..<(rows.first?.count ?? 0)).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + padding : padding + cell
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
