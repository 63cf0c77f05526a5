import Crypto

/// The keys that open a server, as digests.
struct KeyRing: Sendable {
    private let digests: [SHA256.Digest]

    init(_ keys: [String]) { digests = keys.map { SHA256.hash(data: Array($0.utf8)) } }

    /// Whether everybody may ask.
    var isEmpty: Bool { digests.isEmpty }

    /// What tells a key's requests from those of others: a digest of the key; nil if there is no such key.
    ///
    /// Takes as long for a wrong key as for a right one: digests are compared in constant time, and all of them.
    func scope(of key: String) -> String? {
        let presented = SHA256.hash(data: Array(key.utf8))
        let matches = digests.reduce(false) { found, digest in
            let isEqual = digest == presented
            return found || isEqual
        }
        return matches ? presented.prefix(16).map { Self.hexadecimal($0) }.joined() : nil
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
