import CMinkePages
import MinkeFiles

/// The pages that are built into the program: one to talk to a model, one to watch a training run.
///
/// They name everything relative to where they lie, so that they also work behind a proxy's path. The chat page speaks
/// to `/v1/models` and `/v1/chat/completions`, the run page to ``RunWatch``'s routes.
public enum Pages {
    /// What the pages want to know before anything else.
    public struct Settings: Equatable, Sendable {
        /// The model's name in requests, or nil where only a run is watched.
        public var model: String?
        /// Dollars for an hour of one core.
        public var pricePerCoreHour: Double
        public var cores: Int
        /// Whether requests need a key.
        public var needsKey: Bool
        public var version: String

        public init(model: String?, pricePerCoreHour: Double, cores: Int, needsKey: Bool, version: String) {
            self.model = model
            self.pricePerCoreHour = pricePerCoreHour
            self.cores = cores
            self.needsKey = needsKey
            self.version = version
        }
    }

    /// All that the pages need of a server, but for the interface to the model.
    ///
    /// With a model, `/` is the chat page; with a run, `/run` is the run page, and `/` too where there is no model. What
    /// they load lies below `/pages`, the settings at `/pages/settings`. The pages themselves are there without a key;
    /// what a run does is not.
    public static func routes(_ settings: Settings, watching run: RunWatch? = nil) -> [APIRoute] {
        var routes = shared
        if settings.model != nil { routes.append(route("chat.html", at: "/")) }
        if let run {
            routes.append(route("run.html", at: "/run"))
            if settings.model == nil { routes.append(route("run.html", at: "/")) }
            routes += run.routes
        }
        let reply = settings.json(hasRun: run != nil)
        routes.append(APIRoute(.get, "/pages/settings", isOpen: true) { _ in .json(reply) })
        return routes
    }

    /// Scripts, styles and images come from this server only, nothing is written inline, text never becomes markup
    /// (trusted types), and no other site may frame the pages.
    static let securityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

    /// Scripts, styles and images of both pages.
    private static var shared: [APIRoute] {
        files.keys.filter { !$0.hasSuffix(".html") }.sorted().map { route($0, at: "/pages/\($0)") }
    }

    private static func route(_ name: String, at path: String) -> APIRoute {
        guard let bytes = files[name] else { preconditionFailure("\(name) is not in CMinkePages") }
        let type =
            switch name.split(separator: ".").last {
            case "html": "text/html; charset=utf-8"
            case "css": "text/css; charset=utf-8"
            case "js": "text/javascript; charset=utf-8"
            default: "image/svg+xml"
            }
        let content = APIContent(type: type, bytes: bytes, securityPolicy: securityPolicy)
        return APIRoute(.get, path, isOpen: true) { _ in .content(content) }
    }

    private static let files: [String: [UInt8]] = {
        var files: [String: [UInt8]] = [:]
        for index in 0..<minkePageFileCount() {
            let file = minkePageFile(index)
            files[String(cString: file.name)] = Array(UnsafeBufferPointer(start: file.bytes, count: file.count))
        }
        return files
    }()
}

extension Pages.Settings {
    fileprivate func json(hasRun: Bool) -> JSON {
        [
            "model": model.map { .string($0) } ?? .null, "price_per_core_hour": .number(pricePerCoreHour),
            "cores": .integer(cores), "needs_key": .bool(needsKey), "version": .string(version),
            "has_run": .bool(hasRun),
        ]
    }
}
