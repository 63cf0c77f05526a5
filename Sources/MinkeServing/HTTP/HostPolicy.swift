import NIOCore

/// The names by which a server may be called.
///
/// A page from elsewhere can give a name of its own to this machine's address (DNS rebinding), and would then be taken
/// by the browser for a page of this server. It cannot do so for an address.
struct HostPolicy: Sendable {
    private let allowsAll: Bool
    private let names: Set<String>
    /// Whether addresses are allowed that are not this machine's own for sure.
    private let allowsAddresses: Bool

    init(_ configuration: ServerConfiguration) {
        allowsAll = configuration.allowedHosts.contains("*")
        names = Set((configuration.allowedHosts + [configuration.host, "localhost"]).map { $0.lowercased() })
        allowsAddresses = !ServerConfiguration.isLoopback(configuration.host)
    }

    /// - Parameter field: `Host` as in the request.
    func allows(_ field: String) -> Bool {
        if allowsAll { return true }
        guard let host = Self.host(of: field.lowercased()) else { return false }
        if names.contains(host) { return true }
        guard let address = try? SocketAddress(ipAddress: host, port: 0) else { return false }
        return allowsAddresses || ServerConfiguration.isLoopback(address)
    }

    /// The host without port and brackets; nil if it is no host.
    private static func host(of field: String) -> String? {
        if field.hasPrefix("[") {
            guard let end = field.firstIndex(of: "]") else { return nil }
            let rest = field[end...].dropFirst()
            guard rest.isEmpty || isPort(rest) else { return nil }
            return String(field[field.index(after: field.startIndex)..<end])
        }
        guard let colon = field.firstIndex(of: ":") else { return field }
        return isPort(field[colon...]) ? String(field[..<colon]) : nil
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.dropFirst().utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
