import MinkeFiles

/// The keys that open a server, as digests.
struct KeyRing: Sendable {
    private let digests: [[UInt8]]

    init(_ keys: [String]) { digests = keys.map(Self.digest) }

    /// Whether everybody may ask.
    var isEmpty: Bool { digests.isEmpty }

    /// What tells a key's requests from those of others: a digest of the key; nil if there is no such key.
    ///
    /// Takes as long for a wrong key as for a right one: digests are compared whole, and all of them.
    func scope(of key: String) -> String? {
        let presented = Self.digest(key)
        var matches = 0
        for digest in digests {
            let difference = zip(digest, presented).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) }
            matches |= difference == 0 ? 1 : 0
        }
        return matches != 0 ? SHA256.hexadecimal(Array(presented.prefix(16))) : nil
    }

    private static func digest(_ key: String) -> [UInt8] {
        var hash = SHA256()
        Array(key.utf8).withUnsafeBytes { hash.update($0) }
        return hash.finalize()
    }
}
