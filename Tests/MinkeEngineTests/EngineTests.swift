import Testing

@testable import MinkeEngine

@Suite struct EngineTests {
    @Test func errorsSayBothNumbers() {
        let error = EngineError.contextExceeded(promptTokens: 130, maximum: 128)
        #expect(error.description.contains("130") && error.description.contains("128"))
    }
}
