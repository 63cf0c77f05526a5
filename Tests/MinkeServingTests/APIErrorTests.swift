import MinkeServing
import Testing

@Suite struct APIErrorTests {
    @Test func openAIErrorsHaveAllFourKeys() {
        let error = APIError.invalid("temperature must be 0 to 2", parameter: "temperature")
        #expect(
            error.json(for: .openAI) == [
                "error": [
                    "message": "temperature must be 0 to 2", "type": "invalid_request_error", "param": "temperature",
                    "code": .null,
                ]
            ])
    }
}
