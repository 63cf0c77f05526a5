import MinkeFiles

extension Tokenizer {
    /// The kinds of tokens in `tokenizer.ggml.token_type` that are told apart; only normal ones are merged from text.
    private enum TokenType {
        static let normal = 1
        static let control = 3
        static let userDefined = 4
    }

    /// A byte-level BPE tokenizer from the values in a GGUF file, under keys that begin with `tokenizer.ggml.`.
    ///
    /// Control and user-defined tokens become ``addedTokens``, of which only the former are special.
    ///
    /// - Parameters:
    ///   - tokens: all tokens in the byte alphabet, by id.
    ///   - tokenTypes: a number per token; empty when the file has none.
    ///   - merges: pairs of tokens, separated by a space, by rank; when `nil` the ids of the tokens are the ranks, as in the
    ///     tiktoken vocabularies of Kimi K2.
    ///   - preTokenizer: the name of the splits (`pre`).
    ///   - bosToken: the token that begins a document; when `nil` it is recognised by its usual name, as the next two.
    /// - Throws: ``InputError`` whose location is a key.
    public convenience init(
        ggufTokens tokens: [String], tokenTypes: [Int], merges: [String]?, preTokenizer: String,
        bosToken: Int? = nil, eosToken: Int? = nil, padToken: Int? = nil, addsBOS: Bool
    ) throws {
        guard tokens.count < Int(Int32.max) else { throw InputError("too many tokens", at: "tokenizer.ggml.tokens") }
        guard tokenTypes.isEmpty || tokenTypes.count == tokens.count else {
            throw InputError(
                "\(tokenTypes.count) types for \(tokens.count) tokens", at: "tokenizer.ggml.token_type")
        }
        var added: [AddedToken] = []
        for (id, type) in tokenTypes.enumerated() where !tokens[id].isEmpty {
            if type == TokenType.control || type == TokenType.userDefined {
                added.append(
                    AddedToken(id: Int32(id), content: tokens[id], isSpecial: type == TokenType.control))
            }
        }
        let spellings = tokens.enumerated().map { (spelling: $0.element, id: $0.offset) }
        var roles = TokenRoles()
        roles.addsBOS = addsBOS
        if let bosToken { roles.bos = .numbered(bosToken, key: "tokenizer.ggml.bos_token_id") }
        if let eosToken { roles.eos = .numbered(eosToken, key: "tokenizer.ggml.eos_token_id") }
        if let padToken { roles.pad = .numbered(padToken, key: "tokenizer.ggml.padding_token_id") }
        let rules =
            try merges.map {
                MergeRules(
                    try Self.rules(
                        $0.lazy.map { JSON.string($0) }, at: "tokenizer.ggml.merges", spellings: spellings, added: added
                    ))
            }
            ?? MergeRules.ranked(by: spellings, at: "tokenizer.ggml.tokens") {
                tokenTypes.isEmpty || tokenTypes[$0] == TokenType.normal
            }
        do {
            try self.init(
                spellings: spellings, rules: rules, addedTokens: added,
                preTokenizer: PreTokenizer(ggufName: preTokenizer), roles: roles,
                ignoresMerges: merges == nil || preTokenizer.hasPrefix("llama"))
        } catch let error as InputError where error.location == "model.vocab" || error.location == "added_tokens" {
            throw InputError(error.problem, at: "tokenizer.ggml.tokens")
        }
    }
}
