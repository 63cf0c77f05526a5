import MinkeFiles
import Testing

@testable import MinkeTraining

@Suite struct ValidationWindowsTests {
    private let stream = TokenStream(tokens: (0..<101).map { $0 }, vocabularySize: 101)

    @Test func withinTheBudgetEveryWindowIsTaken() throws {
        let lengths = (0..<101).map { $0 % 3 }
        for budget in [nil, 100, 1000] {
            let windows = try ValidationWindows(
                stream: stream, sequenceLength: 10, tokenByteLengths: lengths, tokenBudget: budget)
            #expect(windows.starts == Array(stride(from: 0, to: 100, by: 10)))
            #expect(windows.tokenCount == 100)
            #expect(windows.byteCount == lengths[1...100].reduce(0, +))
        }
    }

    @Test func aboveTheBudgetWindowsAreEvenlySpaced() throws {
        let windows = try ValidationWindows(
            stream: stream, sequenceLength: 10, tokenByteLengths: [Int](repeating: 2, count: 101), tokenBudget: 49)
        #expect(windows.starts == [0, 20, 50, 70])
        #expect(windows.byteCount == 80)
        let (tokens, targets) = try window(10) { try windows.fill(1, tokens: $0, targets: $1) }
        #expect(tokens == (20..<30).map { $0 })
        #expect(targets == (21..<31).map { $0 })
        let one = try ValidationWindows(
            stream: stream, sequenceLength: 10, tokenByteLengths: [Int](repeating: 2, count: 101), tokenBudget: 1)
        #expect(one.starts == [0])
    }

    @Test func bitsPerByteCountsTextNotTokens() throws {
        let windows = try ValidationWindows(
            stream: stream, sequenceLength: 10, tokenByteLengths: [Int](repeating: 4, count: 101))
        // One nat a token is log₂ e bits a token, on four bytes each.
        #expect(abs(windows.bitsPerByte(meanLoss: 1) - 1.4426950408889634 / 4) < 1e-12)
    }

    @Test func aTextShorterThanAWindowIsRefused() {
        #expect(throws: InputError.self) {
            try ValidationWindows(
                stream: stream, sequenceLength: 101, tokenByteLengths: [Int](repeating: 1, count: 101))
        }
        #expect(throws: InputError.self) {
            try ValidationWindows(stream: stream, sequenceLength: 10, tokenByteLengths: [1])
        }
    }
}
