import MinkeFiles

/// The tokens of a tokenizer by id: byte strings, and tokens that stand for themselves.
final class Vocabulary {
    /// Byte strings that merging can produce, in the order of their ids.
    private let ordinary = ByteStringTable()
    private var ordinaryIDs: [Int32] = []
    /// Tokens spelled as they are: added ones, and others that are not spelled in the byte alphabet.
    private let verbatim = ByteStringTable()
    private var verbatimIDs: [Int32] = []
    /// What a verbatim token decodes to: read in the byte alphabet if it can be, as the library does, else its own text.
    private var verbatimBytes: [[UInt8]] = []
    /// By id: place in `ordinary` plus one, minus place in `verbatim` minus one, or zero.
    private var places: [Int32]

    /// One more than the largest id.
    var count: Int { places.count }

    /// - Parameters:
    ///   - spellings: tokens of the model as the file spells them.
    ///   - added: added tokens; those among `spellings` must have the same id there.
    init(_ spellings: [(spelling: String, id: Int)], added: [AddedToken]) throws {
        // Ids size tables, so they may not run far beyond the number of tokens.
        let limit = 65_536 + 4 * (spellings.count + added.count)
        let largest = max(spellings.map(\.id).max() ?? -1, added.map { Int($0.id) }.max() ?? -1)
        guard largest < limit else {
            throw InputError("the token id \(largest) lies far beyond the number of tokens", at: "model.vocab")
        }
        places = [Int32](repeating: 0, count: largest + 1)
        for token in added {
            let (_, isNew) = insertVerbatim(token.content, Int(token.id))
            guard isNew else { throw InputError("two added tokens \(token.content)", at: "added_tokens") }
            guard places[Int(token.id)] == 0 else {
                throw InputError("two added tokens with the id \(token.id)", at: "added_tokens")
            }
            places[Int(token.id)] = -Int32(verbatim.count)
        }
        for (spelling, id) in spellings.sorted(by: { $0.id < $1.id }) { try insert(spelling, id) }
    }

    private func insert(_ spelling: String, _ id: Int) throws {
        guard id >= 0 else { throw InputError("the token \(spelling) has the negative id \(id)", at: "model.vocab") }
        if let place = verbatim.index(of: Array(spelling.utf8)) {
            guard verbatimIDs[place] == Int32(id) else {
                throw InputError(
                    "the token \(spelling) has the id \(id), and \(verbatimIDs[place]) as added token",
                    at: "model.vocab")
            }
            return
        }
        guard places[id] == 0 else { throw InputError("two tokens with the id \(id)", at: "model.vocab") }
        if let bytes = ByteAlphabet.bytes(spelled: spelling), !bytes.isEmpty {
            _ = ordinary.insert(bytes)
            ordinaryIDs.append(Int32(id))
            places[id] = Int32(ordinary.count)
        } else {
            _ = insertVerbatim(spelling, id)
            places[id] = -Int32(verbatim.count)
        }
    }

    private func insertVerbatim(_ content: String, _ id: Int) -> (index: Int, isNew: Bool) {
        let result = verbatim.insert(Array(content.utf8))
        if result.isNew {
            verbatimIDs.append(Int32(id))
            verbatimBytes.append(ByteAlphabet.bytes(spelled: content) ?? Array(content.utf8))
        }
        return result
    }

    /// The token that merging produces for `bytes`.
    func ordinaryID(of bytes: UnsafeBufferPointer<UInt8>) -> Int32? {
        ordinary.index(of: bytes).map { ordinaryIDs[$0] }
    }

    /// The token that merging produces for `bytes`.
    func ordinaryID(of bytes: [UInt8]) -> Int32? {
        bytes.withUnsafeBufferPointer { ordinaryID(of: $0) }
    }

    /// The id of a token as the file spells it.
    func id(spelled spelling: String) -> Int32? {
        if let place = verbatim.index(of: Array(spelling.utf8)) { return verbatimIDs[place] }
        return ByteAlphabet.bytes(spelled: spelling).flatMap { ordinaryID(of: $0) }
    }

    /// The token as the file spells it.
    func spelling(of id: Int) -> String? {
        guard places.indices.contains(id), places[id] != 0 else { return nil }
        let place = Int(places[id])
        return place > 0
            ? ByteAlphabet.spelling(of: ordinary[place - 1]) : String(decoding: verbatim[-place - 1], as: UTF8.self)
    }

    /// Appends what the token decodes to; nothing for an id without token.
    func appendBytes(of id: Int32, to bytes: inout [UInt8]) {
        guard places.indices.contains(Int(id)) else { return }
        let place = Int(places[Int(id)])
        if place > 0 {
            bytes.append(contentsOf: ordinary[place - 1])
        } else if place < 0 {
            bytes.append(contentsOf: verbatimBytes[-place - 1])
        }
    }
}
