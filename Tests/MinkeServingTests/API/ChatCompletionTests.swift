import MinkeEngine
import MinkeFiles
import Testing

@testable import MinkeServing

@Suite struct ChatCompletionTests {
    static let path = "/v1/chat/completions"
    static let question: JSON = ["model": "whale", "messages": [["role": "user", "content": "the whale"]]]
    /// Makes the model say one letter over and over, without thoughts.
    static let monotone = question.with([
        "temperature": 0, "thinking": ["type": "disabled"], "max_tokens": 3,
        "logit_bias": ["\(TestService.id("a"))": 100],
    ])

    @Test func aReplyHasAllFields() async throws {
        let test = try TestService()
        let record = RequestRecord()
        let reply = try await test.json(Self.path, Self.monotone, record: record)
        let prompt = try #require(reply["usage", "prompt_tokens"].intValue)
        #expect(
            reply == [
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "whale",
                "system_fingerprint": .string(test.service.fingerprint),
                "choices": [
                    [
                        "index": 0, "message": ["role": "assistant", "content": "aaa", "refusal": .null],
                        "logprobs": .null, "finish_reason": "length",
                    ]
                ],
                "usage": [
                    "prompt_tokens": .integer(prompt), "completion_tokens": 3, "total_tokens": .integer(prompt + 3),
                    "prompt_tokens_details": ["cached_tokens": 0],
                    "completion_tokens_details": ["reasoning_tokens": 0], "prompt_cache_hit_tokens": 0,
                    "prompt_cache_miss_tokens": .integer(prompt),
                ],
            ])
        let figures = record.figures
        #expect(figures.promptTokens == prompt && figures.cachedTokens == 0 && figures.completionTokens == 3)
        #expect(figures.queued != nil && figures.timeToFirstToken != nil && figures.decode != nil)
        #expect(figures.finishReason == "length")
    }

    @Test func aStreamIsTheseBytes() async throws {
        let test = try TestService()
        func chunk(_ delta: String, _ reason: String = "null", usage: String = "") -> String {
            #"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"whale","#
                + #""system_fingerprint":"\#(test.service.fingerprint)","choices":[{"index":0,"delta":\#(delta),"#
                + #""logprobs":null,"finish_reason":\#(reason)}]\#(usage)}"# + "\n\n"
        }
        let plain = try await test.stream(Self.path, Self.monotone)
        #expect(
            plain == chunk(#"{"role":"assistant","content":""}"#)
                + String(repeating: chunk(#"{"content":"a"}"#), count: 3) + chunk("{}", #""length""#)
                + "data: [DONE]\n\n")
        let counted = try await test.stream(
            Self.path, Self.monotone.with(["stream_options": ["include_usage": true], "max_tokens": 1]))
        let none = #","usage":null"#
        let prompt = try #require(try TestService.events(counted).last?["usage", "prompt_tokens"].intValue)
        let cached = try #require(
            try TestService.events(counted).last?["usage", "prompt_cache_hit_tokens"].intValue)
        #expect(
            counted == chunk(#"{"role":"assistant","content":""}"#, usage: none)
                + chunk(#"{"content":"a"}"#, usage: none) + chunk("{}", #""length""#, usage: none)
                + #"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"whale","#
                + #""system_fingerprint":"\#(test.service.fingerprint)","choices":[],"usage":{"prompt_tokens":\#(prompt),"#
                + #""completion_tokens":1,"total_tokens":\#(prompt + 1),"prompt_tokens_details":{"cached_tokens":\#(cached)},"#
                + #""completion_tokens_details":{"reasoning_tokens":0},"prompt_cache_hit_tokens":\#(cached),"#
                + #""prompt_cache_miss_tokens":\#(prompt - cached)}}"# + "\n\ndata: [DONE]\n\n")
    }

    @Test func severalChoicesFinishOnceEach() async throws {
        let test = try TestService()
        let text = try await test.stream(
            Self.path, Self.question.with(["n": 3, "seed": 5, "max_tokens": 6, "ignore_eos": true]))
        let choices = try TestService.events(text).map { $0["choices", 0] }
        for index in 0..<3 {
            let own = choices.filter { $0["index"] == .integer(index) }
            #expect(own.first?["delta"] == ["role": "assistant", "content": ""])
            #expect(own.count { $0["finish_reason"] != .null } == 1)
            #expect(own.last?["finish_reason"] == "length" && own.last?["delta"] == [:])
        }
        // Not the same answer three times, and the same three with the same seed.
        let body = Self.question.with(["n": 3, "seed": 5, "max_tokens": 12, "thinking": ["type": "disabled"]])
        let first = try await test.json(Self.path, body)
        let second = try await test.json(Self.path, body)
        #expect(first["choices"] == second["choices"])
        #expect(Set((0..<3).map { first["choices", $0, "message", "content"].text() }).count > 1)
        #expect(first["usage", "completion_tokens"].intValue ?? 0 > 3)
    }

    @Test func stopStringsEndTheContent() async throws {
        let test = try TestService()
        let body = Self.monotone.with(["stop": ["x", "aaaa"], "max_tokens": 40])
        let reply = try await test.json(Self.path, body)
        #expect(reply["choices", 0, "message", "content"] == "")
        #expect(reply["choices", 0, "finish_reason"] == "stop")
        // The generation ended where the string did.
        #expect(reply["usage", "completion_tokens"] == 4)
        #expect(test.service.engine.statistics.cancelled == 0)
        let text = try await test.stream(Self.path, body)
        #expect(!text.contains(#""content":"a"#))
        // Thoughts may hold it.
        let thinking = try await test.json(
            Self.path, body.with(["thinking": ["type": "enabled"], "stop": "aaaa", "max_tokens": 6]))
        #expect(thinking["choices", 0, "message", "reasoning_content"] == "aaaaaa")
        #expect(thinking["choices", 0, "finish_reason"] == "length")
        #expect(thinking["usage", "completion_tokens_details", "reasoning_tokens"] == 6)
    }

    @Test func logprobsComeWithTheirTokens() async throws {
        let test = try TestService()
        let body = Self.monotone.with(["logprobs": true, "top_logprobs": 2, "max_tokens": 2])
        let content = try await test.json(Self.path, body)["choices", 0, "logprobs", "content"]
        #expect(content.arrayValue?.count == 2)
        #expect(content[0, "token"] == "a" && content[0, "bytes"] == [97])
        #expect(content[0, "top_logprobs"].arrayValue?.count == 2)
        #expect(content[0, "logprob"].doubleValue ?? 1 < 0)
        let streamed = try TestService.events(try await test.stream(Self.path, body))
            .flatMap { $0["choices", 0, "logprobs", "content"].arrayValue ?? [] }
        #expect(JSON.array(streamed) == content)
        // Tokens of a text that is held back to the end are told nevertheless.
        let held = try TestService.events(
            try await test.stream(Self.path, body.with(["stop": "aab"]))
        ).flatMap { $0["choices", 0, "logprobs", "content"].arrayValue ?? [] }
        #expect(held.count == 2)
    }

    @Test func theBeginningOfTheAnswerIsContinued() async throws {
        let test = try TestService()
        let messages: [JSON] = [
            ["role": "user", "content": "the whale"], ["role": "assistant", "content": "swam", "prefix": true],
        ]
        func prompt(_ change: JSON.Object, thinking: Bool = false) throws -> String {
            var messages = messages
            messages[1] = messages[1].with(change)
            let body = Self.question.with([
                "messages": .array(messages), "thinking": ["type": thinking ? "enabled" : "disabled"],
            ])
            let job = try ChatRequest(body, vocabulary: 340).job
            return TestService.tokenizer.decode(try test.service.generation(job, scope: "").requests[0].prompt)
        }
        let begin = "<｜begin▁of▁sentence｜><｜User｜>the whale<｜Assistant｜><think>"
        #expect(try prompt([:]) == begin + "</think>swam")
        #expect(try prompt([:], thinking: true) == begin + "</think>swam")
        #expect(try prompt(["reasoning_content": "to"], thinking: true) == begin + "to</think>swam")
        #expect(try prompt(["reasoning_content": "to", "content": ""], thinking: true) == begin + "to")
        let reply = try await test.json(Self.path, Self.monotone.with(["messages": .array(messages)]))
        #expect(reply["choices", 0, "message", "content"] == "aaa")
        let first = Self.question.with(["messages": [["role": "assistant", "content": "swam", "prefix": true]]])
        #expect(await test.failure(Self.path, first)?.parameter == "messages")
    }

    @Test func messagesComeInAllForms() throws {
        let test = try TestService()
        let body = Self.question.with([
            "messages": [
                ["role": "developer", "content": "be brief"],
                ["role": "user", "content": [["type": "text", "text": "the "], ["type": "text", "text": "whale"]]],
                [
                    "role": "assistant", "content": .null, "reasoning_content": "hm",
                    "tool_calls": [
                        [
                            "id": "c", "type": "function",
                            "function": ["name": "swim", "arguments": #"{"to": "harbour"}"#],
                        ]
                    ],
                ],
                ["role": "tool", "tool_call_id": "c", "content": "done"],
            ],
            "metadata": ["unknown": 1], "store": true, "user": "u", "service_tier": "auto",
        ])
        let job = try ChatRequest(body, vocabulary: 340).job
        let prompt = TestService.tokenizer.decode(try test.service.generation(job, scope: "").requests[0].prompt)
        #expect(
            prompt == "<｜begin▁of▁sentence｜>be brief<｜User｜>the whale<｜Assistant｜><think></think><｜tool▁calls▁begin｜>"
                + #"<｜tool▁call▁begin｜>swim<｜tool▁sep｜>{"to": "harbour"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"#
                + "<｜end▁of▁sentence｜><｜tool▁output▁begin｜>done<｜tool▁output▁end｜>")
    }
}
