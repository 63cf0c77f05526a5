import MinkeFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A connection to a server on this machine that sends exactly the bytes it is given.
///
/// Calls block their thread; tests make them on threads of the global queue, see ``onThread(_:)``.
final class RawClient: @unchecked Sendable {
    private let descriptor: Int32
    private var isOpen = true
    private var unread: [UInt8] = []

    /// - Parameter receiveBuffer: bytes that the system keeps for a client that does not read.
    init(port: Int, receiveBuffer: Int32? = nil) throws {
        #if canImport(Darwin)
            descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #else
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #endif
        if var receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
        }
        // A test that goes wrong ends all the same.
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if status != 0 { throw InputError("cannot connect: \(String(cString: strerror(errno)))") }
    }

    deinit { close() }

    func close() {
        if isOpen { closeDescriptor(descriptor) }
        isOpen = false
    }

    /// Says that nothing more comes, and can still read.
    func closeSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Returns false when the server has closed the connection.
    @discardableResult
    func send(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { sendBytes(descriptor, $0) }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// The next bytes, or nil at the end.
    private func receive() -> [UInt8]? {
        if !unread.isEmpty {
            defer { unread = [] }
            return unread
        }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    /// All that comes until the server closes the connection.
    func readToEnd() -> String {
        var all: [UInt8] = []
        while let bytes = receive() { all += bytes }
        return String(decoding: all, as: UTF8.self)
    }

    /// What comes until `text` has come, or the end.
    func read(until text: String) -> String {
        var all: [UInt8] = []
        let wanted = Array(text.utf8)
        while let bytes = receive() {
            all += bytes
            if let end = all.firstRange(of: wanted) {
                unread = Array(all[end.upperBound...])
                return String(decoding: all[..<end.upperBound], as: UTF8.self)
            }
        }
        return String(decoding: all, as: UTF8.self)
    }

    struct Answer {
        let status: Int
        let headers: [String: String]
        let body: String

        var json: JSON { (try? JSON(parsing: body)) ?? .null }

        /// The code of an error in OpenAI's form.
        var code: String? { json["error"]?["code"]?.stringValue }
    }

    /// One answer that says how long it is; the connection stays open.
    func answer(hasBody: Bool = true) -> Answer? {
        let head = read(until: "\r\n\r\n")
        let lines = head.split(separator: "\r\n")
        guard let first = lines.first, let status = Int(first.split(separator: " ").dropFirst().first ?? "") else {
            return nil
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        var body: [UInt8] = []
        if hasBody, let length = headers["content-length"].flatMap({ Int($0) }) {
            while body.count < length, let bytes = receive() { body += bytes }
            unread = Array(body.dropFirst(length))
            body = Array(body.prefix(length))
        }
        return Answer(status: status, headers: headers, body: String(decoding: body, as: UTF8.self))
    }

    func get(_ path: String, _ fields: String...) -> Answer? {
        send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n")
        return answer()
    }

    func post(_ path: String, _ body: String = "{}", _ fields: String...) -> Answer? {
        sendPost(path, body, fields)
        return answer()
    }

    func sendPost(_ path: String, _ body: String = "{}", _ fields: [String] = []) {
        let head = "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
        send(head + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body)
    }
}

/// close(2), which inside ``RawClient`` would be taken for its own.
private func closeDescriptor(_ descriptor: Int32) { close(descriptor) }

private func sendBytes(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Darwin)
        send(descriptor, bytes.baseAddress, bytes.count, 0)
    #else
        send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    #endif
}
