extension ModelConfiguration {
    /// Parts that no released architecture has. A model with any of them is of type `minke`: nothing but Minke runs it.
    public struct Extensions: Equatable, Sendable {
        /// The longest n-gram with a table (`ngram_max_order`): one table for every length from 2 on; 0: none. The rows
        /// of the n-grams that end in a token are added to its embedding.
        public var ngramMaxOrder = 0
        /// Rows that a hash of n-grams can name (`ngram_table_rows`).
        public var ngramTableRows = 0
        /// Hashes of an n-gram (`ngram_hashes`), each of which gives an equal share of a row's columns: n-grams that
        /// meet in one share differ in the others.
        public var ngramHashes = 1
        /// Tokens of the n-gram whose row each main layer adds to the values (`value_embedding_order`), 1: the token
        /// itself; 0: none. With latent attention the row is added to the normalised latent, from which the keys are
        /// made as well, so that the cache stays what it is.
        public var valueEmbeddingOrder = 0
        /// Queries and rotary keys are RMS-normalised, each head by itself (`qk_norm`). See ``LatentAttention``.
        public var normalizesQueries = false
        /// c of z ← c·tanh(z/c) on the logits (`logit_softcap`); 0: none.
        public var logitSoftcap = 0.0
        /// What stands between the two products of feed-forward layers and experts (`hidden_act`).
        public var activation = Activation.swiGLU

        public init() {}

        /// Whether the model has none.
        public var isEmpty: Bool { self == Extensions() }

        /// The lengths of n-grams that have tables.
        public var ngramOrders: [Int] { ngramMaxOrder >= 2 ? Array(2...ngramMaxOrder) : [] }

        /// The same without n-gram tables and value embeddings.
        public var withoutTables: Extensions {
            var others = self
            others.ngramMaxOrder = 0
            others.ngramTableRows = 0
            others.ngramHashes = 1
            others.valueEmbeddingOrder = 0
            return others
        }

        /// Whether the model has n-gram tables or value embeddings.
        public var hasTables: Bool { self != withoutTables }

        /// Tokens before the newest that a model looks up rows by.
        var precedingTokens: Int { max(ngramMaxOrder, valueEmbeddingOrder, 1) - 1 }

        /// Rows of the tables of value embeddings.
        func valueEmbeddingRows(vocabSize: Int) -> Int { valueEmbeddingOrder == 1 ? vocabSize : ngramTableRows }
    }

    /// What stands between the two products of a feed-forward layer.
    public enum Activation: String, Sendable, CaseIterable {
        /// silu(gate·x) ⊙ up·x
        case swiGLU = "silu"
        /// max(0, up·x)²; there is no gate.
        case squaredReLU = "relu2"

        /// The matrices that read the hidden state, in their order in memory.
        var inputs: [String] { self == .swiGLU ? ["gate_proj", "up_proj"] : ["up_proj"] }
    }
}
