import MinkeFiles

extension MergeRules {
    /// The longest token, in bytes, whose ways to come about are looked for: the work grows with the square.
    private static let longestToken = 1024

    /// The rules of a vocabulary without merges (tiktoken): two tokens merge when what they spell together is one, and its
    /// id is the rank, so that two ways to the same token count alike.
    ///
    /// - Parameters:
    ///   - spellings: tokens in the byte alphabet.
    ///   - place: what their list is called, for messages.
    ///   - isMerged: whether the token with this id is made of others, rather than one that steers the model.
    /// - Throws: ``InputError`` when a token is too long for any text.
    static func ranked(
        by spellings: [(spelling: String, id: Int)], at place: String, isMerged: (Int) -> Bool
    ) throws -> MergeRules {
        let tokens = ByteStringTable(capacity: spellings.count)
        var ids: [Int32] = []
        for (spelling, id) in spellings.sorted(by: { $0.id < $1.id }) where isMerged(id) {
            guard let bytes = ByteAlphabet.bytes(spelled: spelling), !bytes.isEmpty else { continue }
            guard bytes.count <= longestToken else {
                throw InputError("the token \(id) has \(bytes.count) bytes, more than \(longestToken)", at: place)
            }
            if tokens.insert(bytes).isNew { ids.append(Int32(truncatingIfNeeded: id)) }
        }
        var rules: [(left: Int32, right: Int32, result: Int32)] = []
        for (index, id) in ids.enumerated() {
            let bytes = tokens[index]
            for cut in 1..<max(1, bytes.count) {
                guard let left = tokens.index(of: UnsafeBufferPointer(rebasing: bytes[..<cut])),
                    let right = tokens.index(of: UnsafeBufferPointer(rebasing: bytes[cut...]))
                else { continue }
                rules.append((ids[left], ids[right], id))
            }
        }
        return MergeRules(rules, ranks: rules.map { UInt64($0.result) })
    }
}
