import MinkeFiles
import MinkeServing
import Testing

/// The pages as a server hands them out.
struct PagesTests {
    private static let settings = Pages.Settings(
        model: "small", pricePerCoreHour: 0.04, cores: 8, needsKey: true, version: "1.2.3")

    private func content(of path: String, in routes: [APIRoute]) async throws -> APIContent {
        let route = try #require(routes.first { $0.path == path }, "no route \(path)")
        #expect(route.method == .get && route.isOpen)
        guard case .content(let content) = try await route.handle(APIRequest(id: "1")) else {
            throw InputError("\(path) is no content")
        }
        return content
    }

    @Test func everythingThatThePagesNameIsThere() async throws {
        let folder = try RunFolder()
        let routes = Pages.routes(Self.settings, watching: try RunWatch(folder: folder.path))
        var total = 0
        var named: Set<String> = []
        for route in routes where route.isOpen && route.path != "/pages/settings" {
            let content = try await content(of: route.path, in: routes)
            total += content.bytes.count
            let text = try #require(String(validating: content.bytes, as: UTF8.self))
            let isPage = content.type.hasPrefix("text/html")
            for match in text.matches(of: /(?:src|href)="(pages\/[^"]+)"/) where isPage { named.insert("/\(match.1)") }
            for match in text.matches(of: /from "\.\/([^"]+)"/) { named.insert("/pages/\(match.1)") }
            // Nothing inline, which the policy would forbid, and nothing from elsewhere.
            let foreign = text.matches(of: /<script>|<style|\son\w+=|\sstyle=|https?:/)
            if isPage { #expect(foreign.isEmpty, "\(route.path)") }
        }
        let paths = Set(routes.map(\.path))
        #expect(named.count > 10 && named.isSubset(of: paths), "\(named.subtracting(paths))")
        #expect(total < 200_000)
    }

    @Test func pagesForbidWhatDoesNotComeFromTheServer() async throws {
        let page = try await content(of: "/", in: Pages.routes(Self.settings))
        let policy = try #require(page.securityPolicy)
        #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
        #expect(!policy.contains("unsafe") && !policy.contains("http"))
        #expect(page.type == "text/html; charset=utf-8")
    }

    @Test func theRunPageIsAloneWithoutAModel() async throws {
        let folder = try RunFolder()
        var settings = Self.settings
        settings.model = nil
        let run = try RunWatch(folder: folder.path)
        let alone = Pages.routes(settings, watching: run)
        #expect(try await content(of: "/", in: alone).bytes == content(of: "/run", in: alone).bytes)
        let both = Pages.routes(Self.settings, watching: run)
        #expect(try await content(of: "/", in: both).bytes != content(of: "/run", in: both).bytes)
        #expect(!Pages.routes(Self.settings).contains { $0.path.hasPrefix("/run") })
        // Numbers of a run are for those with a key.
        #expect(both.filter { $0.path.hasPrefix("/runs") }.allSatisfy { !$0.isOpen })
    }

    @Test func settingsAreTold() async throws {
        let route = try #require(Pages.routes(Self.settings).first { $0.path == "/pages/settings" })
        guard case .json(let json) = try await route.handle(APIRequest(id: "1")) else {
            throw InputError("settings are no JSON")
        }
        #expect(
            json == [
                "model": "small", "price_per_core_hour": 0.04, "cores": 8, "needs_key": true, "version": "1.2.3",
                "has_run": false,
            ])
    }
}
