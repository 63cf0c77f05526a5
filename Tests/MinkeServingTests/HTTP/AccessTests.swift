import MinkeFiles
import MinkeServing
import Testing

/// Who may ask: keys, names, origins.
@Suite struct AccessTests {
    private let routes = [Fake.echo, Fake.model, Fake.page]

    @Test func everyRouteButHealthNeedsTheKey() async throws {
        try await TestServer.run(routes, configure: { $0.keys = ["first-key", "second"] }) { server in
            try await server.client { client in
                for path in ["/ready", "/metrics", "/v1/models/x", "/models/x", "/nothing", "/v1/echo"] {
                    let answer = client.get(path)
                    #expect(answer?.status == 401, "\(path)")
                    #expect(answer?.json["error"]?["type"] == "authentication_error")
                    #expect(answer?.code == "invalid_api_key")
                    #expect(answer?.headers["www-authenticate"] == "Bearer")
                }
                #expect(client.get("/health")?.status == 200)
                #expect(client.get("/")?.status == 200, "a page that holds no data")
                for wrong in ["Bearer first-kez", "Bearer", "Bearer ", "Basic first-key", "first-key"] {
                    #expect(client.post("/v1/echo", "{}", "Authorization: \(wrong)")?.status == 401, "\(wrong)")
                }
                #expect(client.post("/v1/echo", "{}", "X-API-Key: third")?.status == 401)
                for right in ["Authorization: Bearer first-key", "authorization: bearer second", "x-api-key: second"] {
                    #expect(client.post("/v1/echo", "{}", right)?.status == 200, "\(right)")
                }
            }
        }
    }

    @Test func keysHaveScopesOfTheirOwnThatDoNotShowThem() async throws {
        try await TestServer.run(routes, configure: { $0.keys = ["first", "second"] }) { server in
            try await server.client { client in
                func scope(_ field: String) -> String? {
                    client.post("/v1/echo", "{}", field)?.json["scope"]?.stringValue
                }
                let first = scope("Authorization: Bearer first")
                #expect(first?.isEmpty == false)
                #expect(first?.contains("first") == false)
                #expect(first == scope("X-Api-Key: first"))
                #expect(first != scope("X-Api-Key: second"))
            }
        }
    }

    @Test func othersAreLetInOnlyWithAKey() throws {
        for host in ["0.0.0.0", "::", "192.168.1.2", "example.org"] {
            var configuration = ServerConfiguration()
            configuration.host = host
            #expect(throws: InputError.self) { try configuration.validate() }
            configuration.keys = ["k"]
            try configuration.validate()
            configuration.keys = []
            configuration.isInsecure = true
            try configuration.validate()
        }
        for host in ["127.0.0.1", "127.1.2.3", "localhost", "::1"] {
            var configuration = ServerConfiguration()
            configuration.host = host
            try configuration.validate()
            configuration.keys = [""]
            #expect(throws: InputError.self) { try configuration.validate() }
        }
    }

    private func status(_ server: TestServer, _ fields: String...) async throws -> Int? {
        try await server.client { client in
            client.send("GET /v1/models/x HTTP/1.1\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n")
            return client.answer()?.status
        }
    }

    @Test func onlyKnownNamesAreAnswered() async throws {
        try await TestServer.run(routes, configure: { $0.allowedHosts = ["AI.example.org"] }) { server in
            for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "127.9.9.9", "[::1]:1", "ai.example.org"] {
                let status = try await self.status(server, "Host: \(host)")
                #expect(status == 200, "\(host)")
            }
            for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "[::2]", "localhost:80:80", "["] {
                let status = try await self.status(server, "Host: \(host)")
                #expect(status == 403, "\(host)")
            }
        }
    }

    @Test func pagesOfOtherSitesAreRefused() async throws {
        try await TestServer.run(routes) { server in
            let own = try await status(server, "Host: localhost:1", "Origin: http://localhost:1")
            #expect(own == 200)
            for origin in ["http://evil.example", "http://localhost:2", "null"] {
                let status = try await self.status(server, "Host: localhost:1", "Origin: \(origin)")
                #expect(status == 403, "\(origin)")
            }
        }
    }

    @Test func allowedSitesMayUseTheServerFromTheirPages() async throws {
        let site = "https://chat.example"
        try await TestServer.run(
            routes,
            configure: {
                $0.allowedOrigins = [site]
                $0.keys = ["key"]
            }
        ) { server in
            try await server.client { client in
                let answer = client.post("/v1/echo", "{}", "Origin: \(site)", "Authorization: Bearer key")
                #expect(answer?.headers["access-control-allow-origin"] == site)
                #expect(answer?.headers["vary"] == "Origin")
                #expect(answer?.headers["access-control-allow-credentials"] == nil)
                let refused = client.post("/v1/echo", "{}", "Origin: \(site)")
                #expect(refused?.status == 401)
                #expect(refused?.headers["access-control-allow-origin"] == site, "so that the page can read why")
                client.send(
                    "OPTIONS /v1/echo HTTP/1.1\r\nHost: localhost\r\nOrigin: \(site)\r\n"
                        + "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
                )
                let preflight = client.answer()
                #expect(preflight?.status == 204)
                #expect(preflight?.headers["access-control-allow-headers"] == "authorization")
                #expect(client.post("/v1/echo", "{}", "Origin: http://chat.example")?.status == 403)
            }
        }
        try await TestServer.run(routes) { server in
            try await server.client { client in
                let plain = client.post("/v1/echo")
                #expect(plain?.headers.keys.contains { $0.hasPrefix("access-control") } == false)
            }
        }
    }
}
