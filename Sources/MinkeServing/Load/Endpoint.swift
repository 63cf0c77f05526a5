import MinkeFiles

/// Where a server is: `http://host[:port][/path]`.
package struct Endpoint: Equatable, Sendable {
    package let host: String
    package let port: Int
    /// In front of `/chat/completions`, as `/v1`.
    package let base: String

    /// - Throws: ``InputError`` for anything but an address of plain HTTP.
    package init(_ text: String) throws {
        let scheme = "http://"
        func failure(_ problem: String) -> InputError {
            InputError("\"\(text)\" \(problem)", remedy: "give an address as http://127.0.0.1:8080")
        }
        guard text.lowercased().hasPrefix(scheme) else {
            throw failure(
                text.lowercased().hasPrefix("https://")
                    ? "needs TLS, which is not spoken here" : "is no http:// address")
        }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        guard text.utf8.allSatisfy({ (33...126).contains($0) }), !authority.contains(where: { "@?#".contains($0) })
        else {
            throw failure("is no address of a server")
        }
        var path = rest.dropFirst(authority.count)
        while path.hasSuffix("/") { path = path.dropLast() }
        guard !path.contains(where: { "?#".contains($0) }) else { throw failure("has a query") }

        var digits: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw failure("has an open bracket") }
            host = String(authority[authority.index(after: authority.startIndex)..<end])
            let behind = authority[authority.index(after: end)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { throw failure("is no address of a server") }
            digits = behind.isEmpty ? nil : behind.dropFirst()
        } else {
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { throw failure("has more than one port (IPv6 needs brackets)") }
            host = String(parts[0])
            digits = parts.count == 2 ? parts[1] : nil
        }
        guard !host.isEmpty else { throw failure("has no host") }
        guard let port = digits.map({ Int($0) }) ?? 80, (1...65_535).contains(port) else {
            throw failure("has no port from 1 to 65535")
        }
        self.port = port
        base = path.hasSuffix("/v1") ? String(path) : path + "/v1"
    }

    /// The field `Host`.
    package var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
