import MinkeGeneration
import Testing

@Suite struct StopStringFilterTests {
    /// What each piece lets out, and the rest at the end.
    func run(_ stops: [String], _ pieces: [String]) throws -> (shown: [String], rest: String, isStopped: Bool) {
        var filter = try StopStringFilter(stops)
        let shown = pieces.map { filter.append($0) }
        return (shown, filter.finish(), filter.isStopped)
    }

    @Test func withoutStopStringsAllPasses() throws {
        #expect(try run([], ["a", "", "b"]) == (["a", "", "b"], "", false))
    }

    @Test func beginningsAreHeldBackUntilDecided() throws {
        #expect(try run(["END"], ["aE", "N", "x"]) == (["a", "", "ENx"], "", false))
        #expect(try run(["END"], ["aE", "ND tail", "more"]) == (["a", "", ""], "", true))
        #expect(try run(["END"], ["xEN"]) == (["x"], "EN", false))
    }

    @Test func theEarliestStopStringWins() throws {
        #expect(try run(["cd", "bcde"], ["abcdef"]) == (["a"], "", true))
        #expect(try run(["bcde", "cd"], ["abc", "dx"]) == (["a", "b"], "", true))
        #expect(try run(["aab"], ["aaab"]) == (["a"], "", true))
    }

    @Test func charactersStayWhole() throws {
        #expect(try run(["é!"], ["caf", "é", "?"]) == (["caf", "", "é?"], "", false))
        #expect(try run(["\n\n"], ["one\n", "\ntwo"]) == (["one", ""], "", true))
    }

    @Test func anEmptyStopStringIsRefused() {
        #expect(throws: (any Error).self) { try StopStringFilter(["a", ""]) }
    }
}
