import MinkeFiles
import MinkeTraining
import NIOCore

/// Where a ``Server`` listens, to whom it answers, and what it puts up with.
public struct ServerConfiguration: Sendable {
    /// A name or an address of this machine.
    public var host = "127.0.0.1"
    /// 0 takes one that is free.
    public var port = 8080
    /// Who has one of these may ask; without keys everybody may who reaches the server.
    public var keys: [String] = []
    /// Whether a server that others can reach may go without keys.
    public var isInsecure = false
    /// Names by which the server may be called besides its own address, without port; `*` allows all.
    public var allowedHosts: [String] = []
    /// Sites whose pages may use the server from a browser, as `https://example.org`; `*` allows all.
    public var allowedOrigins: [String] = []
    public var limits = ServerLimits()
    /// How long requests may go on when the server is told to stop.
    public var drain: Duration = .seconds(30)
    /// What computing costs, for the metrics.
    public var price = Price.standard

    public init() {}

    /// - Throws: ``InputError`` when the server would be open to others, or a key is none.
    public func validate() throws {
        for key in keys where key.isEmpty || !key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            throw InputError(
                "a key that is empty or has characters other than letters, digits and signs",
                remedy: "take another one, as `openssl rand -hex 32` makes them")
        }
        guard keys.isEmpty, !isInsecure, !Self.isLoopback(host) else { return }
        throw InputError(
            "others can reach \(host), and there is no key",
            remedy: "give --api-key or --api-key-file, or --insecure if everybody may use the server")
    }

    /// Whether only this machine can reach an address.
    static func isLoopback(_ host: String) -> Bool {
        if host.lowercased() == "localhost" { return true }
        guard let address = try? SocketAddress(ipAddress: host, port: 0) else { return false }
        return isLoopback(address)
    }

    static func isLoopback(_ address: SocketAddress) -> Bool {
        switch address {
        case .v4(let address): UInt32(bigEndian: address.address.sin_addr.s_addr) >> 24 == 127
        case .v6: address.ipAddress == "::1"
        case .unixDomainSocket: true
        }
    }
}

/// What a ``Server`` takes from its clients before it refuses.
public struct ServerLimits: Sendable {
    /// Bytes of all header fields of a request.
    public var headerBytes = 16 << 10
    public var headerFields = 100
    /// Bytes of a request's target.
    public var targetBytes = 8 << 10
    public var bodyBytes = 8 << 20
    /// How long a connection may take for a request's head, from its first byte, or from the beginning.
    public var headTime: Duration = .seconds(10)
    /// How long a request's body may take.
    public var bodyTime: Duration = .seconds(30)
    /// How long a connection may rest between requests.
    public var idleTime: Duration = .seconds(75)
    /// How long a client may not read while there is something to read.
    public var writeTime: Duration = .seconds(30)
    /// Bytes of an answer that wait for a client that reads slowly.
    public var unreadBytes = 4 << 20
    public var connections = 256
    /// How often a stream without news shows that it lives.
    public var heartbeat: Duration = .seconds(15)
    /// How long a refused client's bytes are thrown away so that it can read why, before the connection is closed.
    public var lingering: Duration = .seconds(2)

    public init() {}
}
