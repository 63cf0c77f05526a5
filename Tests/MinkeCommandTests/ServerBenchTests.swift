import MinkeFiles
import Testing

@testable import MinkeCommand

/// What `minke` leaves to `minke-server`.
@Suite struct ServerBenchTests {
    @Test(arguments: ["serve", "bench", "dashboard"]) func theServersHelpFitsAScreen(command: String) throws {
        guard let minke = Program.built else { return }
        let path = FileSystem.join(FileSystem.directory(of: minke.path), "minke-server")
        guard FileSystem.exists(path) else { return }
        let result = try Program(path: path).run(command, "--help")
        #expect(result.status == 0 && result.output.contains("minke-server \(command)"))
        #expect(result.output.count { $0 == "\n" } <= 60)
    }

    @Test func theServersBenchmarkGoesToTheOtherProgram() {
        let url = "http://127.0.0.1:8080"
        let calls: [([String], [String]?)] = [
            (["bench", "--server", url, "--clients", "4"], ["bench", url, "--clients", "4"]),
            (["bench", "--json", "--server=\(url)", "--seed", "2"], ["bench", url, "--json", "--seed", "2"]),
            (["bench", "--server"], ["bench"]),
            (["bench", "model.gguf"], nil),
            (["serve", "--server", url], nil),
            ([], nil),
        ]
        for (arguments, expected) in calls { #expect(BenchCommand.serverArguments(arguments) == expected) }
    }
}
