import MinkeEngine
import MinkeFiles
import Testing

@testable import MinkeServing

@Suite struct FieldLimitTests {
    private static let chat = ChatCompletionTests.path
    private static let completion: JSON = ["prompt": "the whale"]

    /// Values that no field of a number takes.
    private static let never: [JSON] = [
        .number(1e308), .number(-1e308), .number(0x1p63), .integer(Int.min), "NaN", true, [1], [:],
    ]

    @Test func everyNumberHasItsLimits() async throws {
        let test = try TestService()
        let fields: [(name: String, wrong: [JSON])] = [
            ("temperature", [-0.1, 2.1]), ("top_p", [-0.1, 1.1]), ("n", [0, -1, 17, 1.5]),
            ("max_tokens", [0, -1, 1.5]), ("max_completion_tokens", [0, -1]), ("seed", [-1, 0.5]),
            ("presence_penalty", [-2.1, 2.1]), ("frequency_penalty", [-2.1, 2.1]), ("top_k", [-2, 0.5]),
            ("min_p", [-0.1, 1.1]), ("top_logprobs", [-1, 21]),
        ]
        for field in fields {
            for value in Self.never + field.wrong {
                var body = ChatCompletionTests.question.with([field.name: value])
                if field.name == "top_logprobs" { body = body.with(["logprobs": true]) }
                let error = await test.failure(Self.chat, body)
                #expect(error?.status == 400 && error?.parameter == field.name, "\(field.name) \(value.text())")
                #expect(error?.type == "invalid_request_error")
            }
        }
        for (name, wrong) in [("logprobs", [-1, 21]), ("best_of", [0, 17]), ("max_tokens", [-1])] as [(String, [JSON])]
        {
            for value in Self.never + wrong {
                let error = await test.failure("/v1/completions", Self.completion.with([name: value]))
                #expect(error?.status == 400 && error?.parameter == name, "\(name) \(value.text())")
            }
        }
        #expect(test.service.engine.statistics.promptTokens == 0)
    }

    @Test func stopsAndBiasesHaveTheirLimits() async throws {
        let test = try TestService()
        let many = JSON.array(Array(repeating: "a", count: 100_000))
        let wrong: [(String, JSON)] = [
            ("stop", many), ("stop", .array(Array(repeating: "a", count: 17))), ("stop", ""), ("stop", [""]),
            ("stop", .string(String(repeating: "a", count: 257))), ("stop", 1), ("stop", ["a", 1]),
            ("logit_bias", ["-1": 1]), ("logit_bias", ["340": 1]), ("logit_bias", ["a": 1]), ("logit_bias", ["1": 101]),
            ("logit_bias", ["1": "1"]), ("logit_bias", [1]), ("logit_bias", ["99999999999999999999": 1]),
            ("stream", 1), ("logprobs", 1), ("messages", []), ("messages", "a"), ("tools", 1), ("tool_choice", "a"),
            ("tool_choice", "required"), ("parallel_tool_calls", 1), ("model", 1), ("top_logprobs", 1),
            ("reasoning_effort", "enormous"),
        ]
        for (name, value) in wrong {
            let error = await test.failure(Self.chat, ChatCompletionTests.question.with([name: value]))
            #expect(error?.status == 400 && error?.parameter == name, "\(name)")
            #expect(error?.message.utf8.count ?? 1000 < 300)
        }
        let deeper: [(JSON.Object, String)] = [
            (["messages": [["content": "a"]]], "messages[0].role"),
            (["messages": [["role": "user", "content": 1]]], "messages[0].content"),
            (["messages": [["role": "user", "content": [["type": "image_url"]]]]], "messages[0].content[0]"),
            (["messages": [["role": "pirate", "content": "a"]]], "messages[0].role"),
            (["messages": [["role": "user", "content": "a", "prefix": true]]], "messages[0].prefix"),
            (["tools": [["type": "function"]]], "tools[0].function"),
            (["tools": [["type": "function", "function": ["name": ""]]]], "tools[0].function.name"),
            (["response_format": ["type": "xml"]], "response_format.type"),
            (["response_format": ["type": "json_schema"]], "response_format.json_schema"),
            (["thinking": ["type": "maybe"]], "thinking.type"),
            (["stream_options": ["include_usage": 1]], "stream_options.include_usage"),
        ]
        for (change, name) in deeper {
            let error = await test.failure(Self.chat, ChatCompletionTests.question.with(change))
            #expect(error?.status == 400 && error?.parameter == name, "\(name): \(error?.parameter ?? "")")
        }
    }

    @Test func wholeNumbersMayHaveAPoint() async throws {
        let test = try TestService()
        let body = ChatCompletionTests.monotone.with([
            "max_tokens": 2.0, "n": 1.0, "top_k": -1, "top_p": 0, "seed": .integer(.max), "stop": .null,
            "logprobs": .null,
        ])
        #expect(try await test.json(Self.chat, body)["choices", 0, "message", "content"] == "aa")
    }

    @Test func refusalsSayWhy() async throws {
        let test = try TestService(EngineOptions(maximumSequences: 1, queueLimit: 1, prefillChunk: 16), context: 64)
        let unknown = await test.failure(Self.chat, ChatCompletionTests.question.with(["model": "shark"]))
        #expect(unknown?.status == 404 && unknown?.code == "model_not_found" && unknown?.parameter == "model")
        let long = ChatCompletionTests.question.with([
            "messages": [["role": "user", "content": .string(String(repeating: "x y ", count: 100))]]
        ])
        let error = await test.failure(Self.chat, long)
        #expect(error?.status == 400 && error?.code == "context_length_exceeded")
        #expect(error?.message.contains("64") == true)
        let tokens = try await test.json("/v1/tokenize", long)["count"]?.text() ?? ""
        #expect(error?.message.contains(" \(tokens) tokens") == true)
        #expect(
            error?.json(for: .openAI)["error"]?.objectValue?.keys == ["message", "type", "param", "code"])
        let many = await test.failure(Self.chat, ChatCompletionTests.question.with(["n": 3]))
        #expect(many?.status == 400 && many?.parameter == "n")
        // Two are there: no room for a third.
        let endless = ChatCompletionTests.question.with(["ignore_eos": true, "stream": true])
        let streams = [try await test.reply(Self.chat, endless), try await test.reply(Self.chat, endless)]
        let full = await test.failure(Self.chat, endless)
        #expect(full?.status == 429 && full?.type == "rate_limit_error" && full?.code == "queue_full")
        #expect(full?.retryAfter != nil)
        withExtendedLifetime(streams) {}
        await test.service.engine.shutdown()
        let closed = await test.failure(Self.chat, ChatCompletionTests.question)
        #expect(closed?.status == 503 && closed?.code == "overloaded")
    }

    @Test func aModelWithoutATemplateSaysSo() async throws {
        let test = try TestService(family: nil)
        let error = await test.failure(Self.chat, ChatCompletionTests.question)
        #expect(error?.status == 400 && error?.code == "no_chat_template")
        #expect(try await test.json("/v1/completions", Self.completion)["object"] == "text_completion")
    }
}
