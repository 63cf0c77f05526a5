import Foundation
import MinkeFiles
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The page of a run, as `minke-server` serves it and `minke train` starts it.
@Suite(.timeLimit(.minutes(5))) struct DashboardTests {
    private static let server: String? = Program.built.flatMap { minke in
        let path = FileSystem.join(FileSystem.directory(of: minke.path), "minke-server")
        return FileSystem.exists(path) ? path : nil
    }

    @Test func theRunPageIsThereUntilItsOwnerIsGone() throws {
        guard let server = Self.server else { return }
        let folder = try TemporaryFolder()
        try AtomicFile.write(#"{"step":1,"tokens":64,"loss":5.5}"# + "\n", to: folder("metrics.jsonl"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: server)
        process.arguments = ["dashboard", folder.path, "--port", "0", "--follows-input"]
        let (input, error) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardError = error
        try process.run()
        let line = String(decoding: error.fileHandleForReading.availableData, as: UTF8.self)
        let match = try #require(line.firstMatch(of: /http:\/\/127\.0\.0\.1:(\d+)\//), "\(line)")
        let port = try #require(UInt16(match.1))
        let page = try get("/", port: port)
        #expect(page.hasPrefix("HTTP/1.1 200") && page.contains("<title>Training run"))
        #expect(page.lowercased().contains("content-security-policy: default-src 'none'"))
        #expect(try get("/pages/run.js", port: port).contains("text/javascript"))
        #expect(try get("/runs/metrics", port: port).contains(#"{"step":1,"tokens":64,"loss":5.5}"#))
        #expect(try get("/pages/run.js", port: port, host: "evil.example").hasPrefix("HTTP/1.1 403"))
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func aFolderThatIsNoneIsRefused() throws {
        guard let server = Self.server else { return }
        let result = try Program(path: server).run("dashboard", "/nowhere")
        #expect(result.status == 1 && result.error.hasPrefix("error: /nowhere: not a folder"))
    }

    @Test func trainingEndsItsDashboard() throws {
        guard let minke = Program.built, Self.server != nil else { return }
        let folder = try TemporaryFolder()
        let text = (0..<400).map { "line \($0) of a text about whales\n" }.joined()
        try AtomicFile.write(text, to: folder("text.txt"))
        let result = try minke.run(
            "train", folder("text.txt"), "--out", folder("run"), "--dashboard-port", "0", "--json", "--preset",
            "shakespeare", "hidden_size=16", "moe_intermediate_size=8", "kv_lora_rank=8", "v_head_dim=8",
            "qk_nope_head_dim=8", "qk_rope_head_dim=4", "n_routed_experts=4", "sequence_length=16", "batch_size=4",
            "steps=2", "eval_tokens=256")
        #expect(result.status == 0, "\(result.error)")
        // The dashboard's lines are not among the run's.
        #expect(try result.json["steps"] == 2)
        let lines = try String(decoding: FileSystem.readAll(folder("run/metrics.jsonl")), as: UTF8.self)
            .split(separator: "\n").map { try JSON(parsing: String($0)) }
        let step = try #require(lines.first { $0["loss"] != nil })
        #expect(step["total_steps"] == 2 && (step["dollars"]?.doubleValue ?? 0) > 0)
    }

    /// The whole answer to a request, as text.
    private func get(_ path: String, port: UInt16, host: String = "127.0.0.1") throws -> String {
        let descriptor = socket(AF_INET, socketType, 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        try #require(isConnected)
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        try handle.write(contentsOf: Data("GET \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n".utf8))
        return String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
    }

    #if canImport(Glibc)
        private let socketType = Int32(SOCK_STREAM.rawValue)
    #else
        private let socketType = SOCK_STREAM
    #endif
}
