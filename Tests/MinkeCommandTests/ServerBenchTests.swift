import Testing

@testable import MinkeCommand

@Suite struct ServerBenchTests {
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
