/// Finds the route of a path.
struct RouteTable: Sendable {
    struct Match {
        let route: APIRoute
        let parameter: String?
    }

    private typealias Methods = [APIRoute.Method: APIRoute]

    private var fixed: [String: Methods] = [:]
    /// Paths with a parameter at the end, without it.
    private var open: [(beginning: String, methods: Methods)] = []

    /// Routes that begin with `/v1` are there without it as well, and with DeepSeek's `/beta` instead.
    init(_ routes: [APIRoute]) {
        for route in routes {
            for path in Self.spellings(route.path) { add(route, at: path) }
        }
    }

    private static func spellings(_ path: String) -> [String] {
        guard path.hasPrefix("/v1/") else { return [path] }
        let rest = path.dropFirst(3)
        return [path, String(rest), "/beta" + rest]
    }

    private mutating func add(_ route: APIRoute, at path: String) {
        guard path.hasSuffix("}"), let brace = path.lastIndex(of: "{") else {
            fixed[path, default: [:]][route.method] = route
            return
        }
        let beginning = String(path[..<brace])
        if let index = open.firstIndex(where: { $0.beginning == beginning }) {
            open[index].methods[route.method] = route
        } else {
            open.append((beginning, [route.method: route]))
        }
    }

    enum Result {
        case found(Match)
        /// The path exists for other methods, as `GET, HEAD`.
        case otherMethods(String)
        case unknown
    }

    /// - Parameters:
    ///   - method: as in the request; HEAD is answered like GET.
    ///   - target: the request's target with its query.
    func find(method: String, target: String) -> Result {
        guard let path = Self.path(of: target) else { return .unknown }
        let wanted = APIRoute.Method(rawValue: method == "HEAD" ? "GET" : method)
        if let methods = fixed[path] { return pick(wanted, of: methods, parameter: nil) }
        for (beginning, methods) in open where path.hasPrefix(beginning) && path.utf8.count > beginning.utf8.count {
            return pick(wanted, of: methods, parameter: String(path.dropFirst(beginning.count)))
        }
        return .unknown
    }

    private func pick(_ method: APIRoute.Method?, of methods: Methods, parameter: String?) -> Result {
        if let method, let route = methods[method] { return .found(Match(route: route, parameter: parameter)) }
        let names = methods.keys.flatMap { $0 == .get ? ["GET", "HEAD"] : [$0.rawValue] }
        return .otherMethods(names.sorted().joined(separator: ", "))
    }

    /// The decoded path of a target, without query and without a slash at its end; nil if it is none.
    private static func path(of target: String) -> String? {
        var bytes: [UInt8] = []
        var rest = target.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        guard bytes.first == UInt8(ascii: "/"), !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return nil }
        if bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
