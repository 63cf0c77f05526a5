import MinkeFiles
import MinkeTokenization
import Testing

@testable import MinkeServing

@Suite struct CompletionTests {
    private static let path = "/v1/completions"
    private static let body: JSON = [
        "prompt": "the whale", "temperature": 0, "max_tokens": 3, "logit_bias": ["\(TestService.id("a"))": 100],
    ]

    @Test func aTextIsContinued() async throws {
        let test = try TestService()
        let reply = try await test.json(Self.path, Self.body)
        #expect(reply["object"] == "text_completion" && reply["id"] == "cmpl-1")
        #expect(
            reply["choices"] == [["text": "aaa", "index": 0, "logprobs": .null, "finish_reason": "length"]])
        let ids = TestService.tokenizer.encode("the whale").map { JSON.integer(Int($0)) }
        #expect(reply["usage", "prompt_tokens"] == .integer(ids.count + 1))
        let given = try await test.json(Self.path, Self.body.with(["prompt": .array(ids), "echo": true]))
        #expect(given["choices", 0, "text"] == "the whaleaaa")
        #expect(given["usage", "prompt_tokens"] == .integer(ids.count))
        let many = try await test.json(
            Self.path, Self.body.with(["prompt": ["the", "whale"], "n": 2, "echo": true]))
        #expect((0..<4).map { many["choices", $0, "text"] } == ["theaaa", "theaaa", "whaleaaa", "whaleaaa"])
        #expect((0..<4).map { many["choices", $0, "index"] } == [0, 1, 2, 3])
        #expect(many["usage", "completion_tokens"] == 12)
        #expect(many["usage", "prompt_tokens"].intValue ?? 0 < 12)
    }

    @Test func logprobsStandSideBySide() async throws {
        let test = try TestService()
        let reply = try await test.json(Self.path, Self.body.with(["logprobs": 2, "echo": true]))
        let logprobs = reply["choices", 0, "logprobs"]
        let tokens = try #require(logprobs["tokens"]?.arrayValue).map { $0.stringValue ?? "" }
        #expect(tokens.joined() == "the whaleaaa")
        for key in ["token_logprobs", "top_logprobs", "text_offset"] {
            #expect(logprobs[key]?.arrayValue?.count == tokens.count)
        }
        // The token that begins documents stands in front of the first of the prompt.
        #expect(logprobs["token_logprobs", 0].doubleValue ?? 1 < 0)
        #expect(logprobs["top_logprobs", tokens.count - 1].objectValue?.count == 2)
        #expect(logprobs["text_offset", tokens.count - 1] == 11)
        // Nothing new, only the prompt's own.
        let scored = try await test.json(Self.path, Self.body.with(["logprobs": 0, "echo": true, "max_tokens": 0]))
        #expect(scored["choices", 0, "text"] == "the whale")
        #expect(scored["choices", 0, "logprobs", "tokens"].arrayValue?.count == tokens.count - 3)
        #expect(
            scored["choices", 0, "logprobs", "token_logprobs", 0] == logprobs["token_logprobs", 0])
    }

    @Test func theLikeliestOfSeveralAreTold() async throws {
        let test = try TestService()
        let body: JSON = ["prompt": "the whale", "max_tokens": 6, "seed": 3, "ignore_eos": true, "logprobs": 0]
        func mean(_ choice: JSON) -> Double {
            let values = choice["logprobs", "token_logprobs"].arrayValue?.compactMap(\.doubleValue) ?? []
            return values.reduce(0, +) / Double(values.count)
        }
        let all = try await test.json(Self.path, body.with(["n": 4]))
        let best = try await test.json(Self.path, body.with(["n": 2, "best_of": 4]))
        let means = (0..<4).map { mean(all["choices", $0]) }.sorted(by: >)
        #expect((0..<2).map { mean(best["choices", $0]) } == Array(means.prefix(2)))
        #expect(best["choices"]?.arrayValue?.count == 2 && best["usage", "completion_tokens"] == 24)
        let streamed = await test.failure(Self.path, body.with(["n": 2, "best_of": 4, "stream": true]))
        #expect(streamed?.parameter == "best_of")
    }

    @Test func aStreamIsTheseBytes() async throws {
        let test = try TestService()
        func chunk(_ text: String, _ reason: String = "null") -> String {
            #"data: {"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"whale","#
                + #""system_fingerprint":"\#(test.service.fingerprint)","choices":[{"text":"\#(text)","index":0,"#
                + #""logprobs":null,"finish_reason":\#(reason)}]}"# + "\n\n"
        }
        let text = try await test.stream(Self.path, Self.body.with(["echo": true, "max_tokens": 2]))
        #expect(
            text == chunk("the whale") + chunk("a") + chunk("a") + chunk("", #""length""#) + "data: [DONE]\n\n")
        // Streamed and whole are the same text.
        let body = Self.body.with(["logit_bias": .null, "max_tokens": 40, "ignore_eos": true])
        let whole = try await test.json(Self.path, body)["choices", 0, "text"].stringValue
        let parts = try TestService.events(try await test.stream(Self.path, body))
        #expect(parts.map { $0["choices", 0, "text"].stringValue ?? "" }.joined() == whole)
    }

    @Test func theMiddleIsFilledIn() async throws {
        let test = try TestService()
        let prompt = try test.service.prompt(.text("the <｜fim▁hole｜>"), suffix: "swam <｜User｜>")
        #expect(
            TestService.tokenizer.decode(prompt.ids)
                == "<｜begin▁of▁sentence｜><｜fim▁begin｜>the <｜fim▁hole｜><｜fim▁hole｜>swam <｜User｜><｜fim▁end｜>")
        #expect(prompt.ids.count { TestService.tokenizer.isSpecial($0) } == 4)
        let reply = try await test.json(Self.path, Self.body.with(["suffix": "swam"]))
        #expect(reply["choices", 0, "text"] == "aaa")
    }
}
