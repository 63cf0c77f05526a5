import MinkeTensors

/// Conditional memory in its plainest form: rows of tables that hashed n-grams name, added to the embedding (after
/// DeepSeek's Engram, arXiv 2601.07372; the cheap form of modded-nanogpt's bigram hash).
///
/// What it costs depends on the tokens of a pass, not on the rows of the tables.
final class NgramMemory {
    private let extensions: ModelConfiguration.Extensions
    /// A table for each order, `[hashes × rows, hidden / hashes]`.
    private let tables: [(order: Int, table: Parameter)]

    init(_ c: ModelConfiguration, _ build: WeightBuilder) throws {
        extensions = c.extensions
        let (hashes, rows) = (c.extensions.ngramHashes, c.extensions.ngramTableRows)
        tables = try c.extensions.ngramOrders.map {
            let name = "model.ngram_tables.\($0).weight"
            return ($0, try build.matrix([(name, hashes * rows)], columns: c.hiddenSize / hashes, role: .table))
        }
    }

    /// Adds the rows to the embeddings, in place.
    func add(to x: Variable, _ context: NgramContext, _ tape: Tape) {
        for (order, table) in tables {
            let rows = context.rows(
                order: order, hashes: extensions.ngramHashes, tableRows: extensions.ngramTableRows)
            tape.addRows(to: x, of: table, rows: rows)
        }
    }
}

/// Rows of tokens or n-grams that one layer adds to its values.
final class ValueEmbedding {
    private let extensions: ModelConfiguration.Extensions
    private let table: Parameter

    /// Nil where the layer has none: it is a prediction module's, or no layer has any.
    init?(_ c: ModelConfiguration, layer: Int, width: Int, prefix: String, _ build: WeightBuilder) throws {
        guard c.extensions.valueEmbeddingOrder > 0, layer < c.numHiddenLayers else { return nil }
        extensions = c.extensions
        table = try build.matrix(
            [(prefix + "value_embedding.weight", c.extensions.valueEmbeddingRows(vocabSize: c.vocabSize))],
            columns: width, role: .table)
    }

    /// Adds the rows to what values are made of, in place.
    func add(to x: Variable, _ context: LayerContext, _ tape: Tape) {
        guard let ngrams = context.ngrams else { preconditionFailure("value embeddings need the tokens") }
        let rows = ngrams.rows(
            order: extensions.valueEmbeddingOrder, hashes: 1, tableRows: extensions.ngramTableRows)
        tape.addRows(to: x, of: table, rows: rows)
    }
}
