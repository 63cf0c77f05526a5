import MinkeFiles
import MinkeTokenization
import Testing

@testable import MinkeServing

@Suite struct ChatToolTests {
    private static let path = ChatCompletionTests.path
    private static let body = ChatCompletionTests.question.with([
        "temperature": 0, "thinking": ["type": "disabled"],
        "tools": [
            [
                "type": "function",
                "function": [
                    "name": "swim",
                    "parameters": [
                        "type": "object", "properties": ["fast": ["type": "boolean"]], "required": ["fast"],
                        "additionalProperties": false,
                    ],
                ],
            ],
            ["type": "function", "function": ["name": "dive", "parameters": ["type": "object", "properties": [:]]]],
        ],
        "tool_choice": ["type": "function", "function": ["name": "swim"]], "parallel_tool_calls": false,
    ])

    @Test func aRequiredCallIsMade() async throws {
        let test = try TestService()
        let reply = try await test.json(Self.path, Self.body)
        let choice = reply["choices", 0]
        #expect(choice["finish_reason"] == "tool_calls" && choice["message", "content"] == .null)
        let calls = choice["message", "tool_calls"]
        #expect(calls.arrayValue?.count == 1 && calls[0, "type"] == "function")
        #expect(calls[0, "id"].stringValue?.hasPrefix("call_") == true)
        #expect(calls[0, "function", "name"] == "swim")
        let arguments = try JSON(parsing: try #require(calls[0, "function", "arguments"].stringValue))
        #expect(arguments["fast"]?.boolValue != nil && arguments.objectValue?.count == 1)

        let deltas = try TestService.events(try await test.stream(Self.path, Self.body))
            .map { $0["choices", 0] }
        let streamed = deltas.compactMap { $0["delta", "tool_calls", 0].objectValue }
        #expect(streamed.first?.keys == ["index", "id", "type", "function"])
        #expect(streamed.dropFirst().allSatisfy { $0.keys == ["index", "function"] })
        #expect(
            streamed.map { JSON.object($0)["function", "arguments"].stringValue ?? "" }.joined()
                == calls[0, "function", "arguments"].stringValue)
        #expect(deltas.last?["finish_reason"] == "tool_calls" && deltas.last?["delta"] == [:])
    }

    @Test func withoutAChoiceThereAreNoCalls() async throws {
        let test = try TestService()
        let job = try ChatRequest(Self.body.with(["tool_choice": "none"]), vocabulary: 340).job
        let prompt = TestService.tokenizer.decode(try test.service.generation(job, scope: "").requests[0].prompt)
        #expect(!prompt.contains("swim"))
    }

    @Test func answersAreJSON() async throws {
        let test = try TestService()
        let schema: JSON = [
            "type": "object", "properties": ["depth": ["enum": [10, 20]]], "required": ["depth"],
            "additionalProperties": false,
        ]
        var body = ChatCompletionTests.question.with([
            "temperature": 0, "thinking": ["type": "disabled"], "max_tokens": 400,
            "response_format": ["type": "json_schema", "json_schema": ["name": "dive", "schema": schema]],
        ])
        let reply = try await test.json(Self.path, body)
        #expect(reply["choices", 0, "finish_reason"] == "stop")
        let value = try JSON(parsing: try #require(reply["choices", 0, "message", "content"].stringValue))
        #expect([10, 20].contains(value["depth"]?.intValue))
        body = body.with(["response_format": ["type": "json_object"]])
        let any = try await test.json(Self.path, body)
        #expect(
            any["choices", 0, "message", "content"].stringValue?.drop { $0.isWhitespace }.first == "{")
        // With tools an answer is either of the two.
        let both = try await test.json(
            Self.path,
            Self.body.with([
                "tool_choice": "auto", "max_tokens": 400,
                "response_format": ["type": "json_schema", "json_schema": ["name": "dive", "schema": schema]],
            ]))
        let message = both["choices", 0, "message"]
        if message["tool_calls"] == nil {
            _ = try JSON(parsing: try #require(message["content"]?.stringValue))
        } else {
            #expect(["swim", "dive"].contains(message["tool_calls", 0, "function", "name"].stringValue))
        }
    }

    @Test func schemasThatAreNotSupportedAreNamed() async throws {
        let test = try TestService()
        let body = ChatCompletionTests.question.with([
            "response_format": [
                "type": "json_schema",
                "json_schema": ["name": "x", "schema": ["type": "object", "properties": ["a": ["type": "colour"]]]],
            ]
        ])
        let error = await test.failure(Self.path, body)
        #expect(error?.status == 400)
        #expect(error?.parameter?.hasPrefix("response_format.json_schema.schema") == true)
        let unknown = await test.failure(
            Self.path, Self.body.with(["tool_choice": ["type": "function", "function": ["name": "fly"]]]))
        #expect(unknown?.status == 400 && unknown?.parameter == "tool_choice")
    }

    /// Feeds texts as the tokens they are to a reader.
    private func events(
        _ text: String, stop: [String] = [], allowsFurtherCalls: Bool = true
    ) throws -> ([AnswerParser.Event], AnswerReader) {
        var prompt = ChatPrompt()
        prompt.append(template: "<｜Assistant｜><think>")
        var reader = try AnswerReader(
            AnswerParser(AnswerSyntax(.v31), tokenizer: TestService.tokenizer, prompt: prompt) { "id\($0)" },
            stop: stop,
            allowsFurtherCalls: allowsFurtherCalls)
        var events: [AnswerParser.Event] = []
        for id in TestService.tokenizer.encode(text) where !reader.isOver { events += reader.append(id).events }
        return (events + reader.finish(), reader)
    }

    private static let calls = """
        hm</think>yes<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>swim<｜tool▁sep｜>{}<｜tool▁call▁end｜>\
        <｜tool▁call▁begin｜>dive<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>
        """

    @Test func oneCallIsEnoughWhereMoreAreNotAllowed() throws {
        let (all, reader) = try events(Self.calls)
        #expect(all.count { if case .toolCallBegan = $0 { true } else { false } } == 2)
        #expect(reader.reasoningTokens > 0 && !reader.isOver)
        let (one, single) = try events(Self.calls, allowsFurtherCalls: false)
        #expect(one.count { if case .toolCallBegan = $0 { true } else { false } } == 1)
        #expect(single.isOver && one.last == .toolCallEnded(index: 0))
    }

    @Test func whatAStopStringMayBeginWithComesBeforeACall() throws {
        let (events, reader) = try events(Self.calls, stop: ["yes!", "hm"])
        #expect(reader.stopString == nil)
        #expect(events.contains(.content("yes")))
        #expect(
            events.firstIndex(of: .content("yes")) ?? 9 < events.firstIndex {
                if case .toolCallBegan = $0 { true } else { false }
            } ?? 0)
    }
}
