import NIOHTTP1

/// Decides from a request's head whether it is worked on: calls by other names, pages from elsewhere, missing keys and
/// unknown paths are refused. What is not allowed here is forbidden; only open routes need no key.
struct Gatekeeper: Sendable {
    private let keys: KeyRing
    private let hosts: HostPolicy
    private let origins: Set<String>
    private let state: ServerState

    init(_ configuration: ServerConfiguration, state: ServerState) {
        keys = KeyRing(configuration.keys)
        hosts = HostPolicy(configuration)
        origins = Set(configuration.allowedOrigins.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 })
        self.state = state
    }

    func admit(_ head: HTTPRequestHead) -> Admission {
        var admission = Admission(
            id: Admission.id(from: head.headers.first(name: "x-request-id")), method: head.method.rawValue)
        let result = state.routes.find(method: admission.method, target: head.uri)
        if case .found(let match) = result {
            admission.route = match.route
            admission.routeName = match.route.path
            admission.dialect = match.route.dialect
            admission.parameter = match.parameter
        }
        do {
            try check(head, result, &admission)
        } catch {
            admission.refusal = error
        }
        return admission
    }

    private func check(
        _ head: HTTPRequestHead, _ result: RouteTable.Result, _ admission: inout Admission
    ) throws(APIError) {
        // Whether the server lives, everybody may ask, by whatever name.
        if admission.routeName == OperationRoutes.health { return }
        let host = head.headers.first(name: "host")
        guard hosts.allows(host ?? "") else {
            throw APIError(
                status: 403, "the server is not to be called by this name (see --allowed-host)",
                type: "permission_error", code: "host_not_allowed")
        }
        try checkOrigin(head, host: host, &admission)
        if admission.isPreflight { return }
        if admission.route?.isOpen != true { admission.scope = try scope(head) }
        switch result {
        case .found:
            if state.isDraining, !OperationRoutes.all.contains(admission.routeName) { throw .shuttingDown }
        case .otherMethods(let methods):
            admission.allowedMethods = methods
            throw APIError(
                status: 405, "this path takes \(methods)", type: "invalid_request_error", code: "method_not_allowed")
        case .unknown:
            if state.isDraining { throw .shuttingDown }
            if !state.isLoaded { throw .loading }
            throw APIError(
                status: 404, "there is no such path", type: "invalid_request_error", code: "not_found")
        }
    }

    /// Lets a browser's pages in that come from here or from an allowed site, and says so in the answer.
    private func checkOrigin(
        _ head: HTTPRequestHead, host: String?, _ admission: inout Admission
    ) throws(APIError) {
        guard let origin = head.headers.first(name: "origin") else { return }
        if origins.contains("*") || origins.contains(origin) {
            admission.allowedOrigin = origins.contains("*") ? "*" : origin
            admission.isPreflight =
                head.method == .OPTIONS && head.headers.contains(name: "access-control-request-method")
        } else if let host, origin != "http://" + host, origin != "https://" + host {
            throw APIError(
                status: 403, "pages of other sites may not use the server (see --cors-origin)",
                type: "permission_error", code: "origin_not_allowed")
        }
    }

    private func scope(_ head: HTTPRequestHead) throws(APIError) -> String {
        if keys.isEmpty { return "" }
        let authorization = head.headers.first(name: "authorization") ?? ""
        let isBearer = authorization.prefix(7).lowercased() == "bearer "
        let key = isBearer ? String(authorization.dropFirst(7)) : head.headers.first(name: "x-api-key")
        if let key, let scope = keys.scope(of: key.trimmed) { return scope }
        throw APIError(
            status: 401, key == nil ? "an API key is needed, as 'Authorization: Bearer KEY'" : "the API key is wrong",
            type: "authentication_error", code: "invalid_api_key")
    }
}

extension String {
    /// Without spaces at both ends.
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}

extension APIError {
    /// The model is not there yet.
    static var loading: APIError {
        APIError(
            status: 503, "Loading model", type: "unavailable_error", code: "loading", retryAfter: .seconds(1))
    }
}
