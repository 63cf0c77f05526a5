import MinkeFiles
import MinkeTokenization
import Testing

@testable import MinkeServing

@Suite struct ModelEndpointTests {
    @Test func modelsAreListed() async throws {
        let test = try TestService()
        guard case .json(let list) = try await test.reply("/v1/models", [:], method: .get) else { return }
        #expect(list["object"] == "list" && list["data", 0, "id"] == "whale")
        #expect(list["data", 0, "object"] == "model" && list["data", 0, "created"] == 1_700_000_000)
        for name in ["whale", "orca"] {
            guard case .json(let card) = try await test.reply("/v1/models/{id}", [:], parameter: name, method: .get)
            else { return }
            #expect(card == list["data", 0])
        }
        await #expect(throws: APIError.self) {
            try await test.reply("/v1/models/{id}", [:], parameter: "shark", method: .get)
        }
    }

    @Test func embeddingsAreMeansOfStates() async throws {
        let test = try TestService()
        let reply = try await test.json("/v1/embeddings", ["input": ["the whale", "swam"]])
        let tokenizer = TestService.tokenizer
        let bos = try #require(tokenizer.bosToken)
        let expected = try await test.service.engine.embeddings(of: [[bos] + tokenizer.encode("the whale")])
        let values = try #require(reply["data", 0, "embedding"].arrayValue).compactMap(\.doubleValue)
        #expect(values.map { Float($0) } == expected[0])
        #expect(reply["data", 1, "index"] == 1 && reply["usage", "prompt_tokens"].intValue ?? 0 > 2)
        let coded = try await test.json("/v1/embeddings", ["input": "the whale", "encoding_format": "base64"])
        #expect(coded["data", 0, "embedding"].stringValue == Base64.text(of: expected[0]))
        for body: JSON in [
            ["input": "a", "dimensions": 16], ["input": ""], ["input": []], ["input": 1], [:],
            ["input": "a", "encoding_format": "hex"], ["input": [1, -1]],
        ] {
            #expect(await test.failure("/v1/embeddings", body)?.status == 400, "\(body.text())")
        }
    }

    @Test(arguments: [
        ([], ""), ([77], "TQ=="), ([77, 97], "TWE="), ([77, 97, 110], "TWFu"), ([255, 255, 254], "///+"),
    ])
    func bytesBecomeText(bytes: [UInt8], text: String) { #expect(Base64.text(of: bytes) == text) }

    @Test func textsBecomeTokensAndBack() async throws {
        let test = try TestService()
        let reply = try await test.json("/v1/tokenize", ["prompt": "the whale"])
        #expect(reply["count"]?.intValue == reply["tokens"]?.arrayValue?.count)
        #expect(reply["tokens", 0].intValue.map { Int32($0) } == TestService.tokenizer.bosToken)
        let bare = try await test.json("/v1/tokenize", ["content": "größere 鯨", "add_special": false])
        let back = try await test.json("/v1/detokenize", ["tokens": bare["tokens"] ?? .null])
        #expect(back == ["prompt": "größere 鯨", "content": "größere 鯨"])
        #expect(await test.failure("/v1/detokenize", ["tokens": [100_000]])?.parameter == "tokens")
        #expect(await test.failure("/v1/tokenize", [:])?.parameter == "prompt")
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"), (951_782_399_999_999_999, "2000-02-28T23:59:59.999999Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456Z"),
    ])
    func timesAreDates(nanoseconds: Int, text: String) { #expect(UTCTime.text(nanoseconds: nanoseconds) == text) }
}
