import MinkeEngine
import MinkeFiles
import MinkeTokenization
import Testing

@testable import MinkeServing

@Suite struct AnthropicTests {
    private static let path = "/v1/messages"
    private static let body: JSON = [
        "model": "whale", "max_tokens": 400, "temperature": 0,
        "messages": [["role": "user", "content": "the whale"]],
    ]
    private static let tools: JSON.Object = [
        "tools": [
            [
                "name": "swim", "description": "Swims.",
                "input_schema": [
                    "type": "object", "properties": ["fast": ["type": "boolean"]], "required": ["fast"],
                    "additionalProperties": false,
                ],
            ]
        ],
        "tool_choice": ["type": "tool", "name": "swim", "disable_parallel_tool_use": true],
    ]

    /// A prefix makes the model go on with it; its letters end with the first "z".
    @Test func aMessageHasAllFields() async throws {
        let test = try TestService()
        let reply = try await test.json(Self.path, Self.body.with(["max_tokens": 2]))
        #expect(reply["type"] == "message" && reply["role"] == "assistant" && reply["id"] == "msg_1")
        #expect(reply["model"] == "whale" && reply["stop_sequence"] == .null)
        #expect(["max_tokens", "end_turn"].contains(reply["stop_reason"]?.stringValue))
        #expect(
            reply["usage"]?.objectValue?.keys == [
                "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens",
            ])
        let count = try await test.json("/v1/messages/count_tokens", Self.body)
        #expect(count["input_tokens"] == reply["usage", "input_tokens"])
    }

    @Test func aToolIsUsed() async throws {
        let test = try TestService()
        let body = Self.body.with(Self.tools)
        let reply = try await test.json(Self.path, body)
        #expect(reply["stop_reason"] == "tool_use")
        let block = try #require(reply["content"]?.arrayValue?.last)
        #expect(block["type"] == "tool_use" && block["name"] == "swim" && block["input", "fast"].boolValue != nil)

        let text = try await test.stream(Self.path, body)
        let names = text.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { String($0.dropFirst(7)) }
        let events = try TestService.events(text)
        #expect(names == events.map { $0["type"]?.stringValue ?? "" })
        #expect(names.prefix(3) == ["message_start", "content_block_start", "ping"])
        #expect(names.suffix(3) == ["content_block_stop", "message_delta", "message_stop"])
        #expect(Set(names.dropFirst(3).dropLast(3)) == ["content_block_delta"])
        let parts = events.compactMap { $0["delta", "partial_json"].stringValue }
        #expect(try JSON(parsing: parts.joined()) == block["input"])
        #expect(events[events.count - 2]["delta", "stop_reason"] == "tool_use")
        #expect(!text.contains("[DONE]"))
    }

    @Test func blocksFollowOneAnother() throws {
        var writer = MessagesWriter(MessageEnvelope(id: "m", model: "whale"), promptTokens: 5)
        let steps: [[AnswerParser.Event]] = [
            [], [.reasoning("hm")], [.reasoning("m")], [.content("yes"), .content("!")],
            [
                .toolCallBegan(index: 0, id: "t", name: "swim"), .toolCallArguments(index: 0, "{}"),
                .toolCallEnded(index: 0),
            ],
        ]
        var bytes: [UInt8] = []
        for events in steps { bytes += writer.append(AnswerStep(index: 0, events: events, cachedTokens: 2)) }
        let text = String(decoding: bytes, as: UTF8.self)
        let data = text.split(separator: "\n").filter { $0.hasPrefix("data") }.map { String($0.dropFirst(6)) }
        #expect(data.joined(separator: "\n") == Self.blocks)
    }

    private static let blocks = #"""
        {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"whale",\#
        "content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,\#
        "cache_creation_input_tokens":0,"cache_read_input_tokens":2,"output_tokens":0}}}
        {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"",\#
        "signature":""}}
        {"type":"ping"}
        {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}
        {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"m"}}
        {"type":"content_block_stop","index":0}
        {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
        {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"yes"}}
        {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"!"}}
        {"type":"content_block_stop","index":1}
        {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"swim",\#
        "input":{}}}
        {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}
        {"type":"content_block_stop","index":2}
        """#

    @Test func conversationsBecomePrompts() throws {
        let test = try TestService()
        let body: JSON = [
            "system": [["type": "text", "text": "be"], ["type": "text", "text": "brief"]],
            "messages": [
                ["role": "user", "content": "the whale"],
                [
                    "role": "assistant",
                    "content": [
                        ["type": "thinking", "thinking": "hm", "signature": "s"], ["type": "text", "text": "so"],
                        ["type": "tool_use", "id": "t", "name": "swim", "input": ["to": "x"]],
                    ],
                ],
                ["role": "user", "content": [["type": "tool_result", "tool_use_id": "t", "content": "done"]]],
                ["role": "user", "content": [["type": "text", "text": "and?"]]],
                ["role": "assistant", "content": "swam"],
            ],
        ]
        let job = try MessagesRequest(body, needsLimit: false).job
        #expect(
            TestService.tokenizer.decode(try test.service.generation(job, scope: "").requests[0].prompt)
                == "<｜begin▁of▁sentence｜>be\nbrief<｜User｜>the whale<｜Assistant｜><think></think>so<｜tool▁calls▁begin｜>"
                + #"<｜tool▁call▁begin｜>swim<｜tool▁sep｜>{"to": "x"}<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>"#
                + "<｜tool▁output▁begin｜>done<｜tool▁output▁end｜><｜User｜>and?<｜Assistant｜><think></think>swam")
    }

    @Test func whatIsWrongIsNamed() async throws {
        let test = try TestService()
        let wrong: [(JSON.Object, String)] = [
            (["max_tokens": .null], "max_tokens"), (["max_tokens": 0], "max_tokens"), (["messages": []], "messages"),
            (["temperature": 3], "temperature"), (["stop_sequences": [""]], "stop_sequences"),
            (["messages": [["role": "pirate", "content": "a"]]], "messages[0].role"),
            (["messages": [["role": "user", "content": [["type": "image"]]]]], "messages[0].content[0]"),
            (["tools": [["type": "web_search_20250305", "name": "web_search"]]], "tools[0].type"),
            (["tool_choice": ["type": "any"]], "tool_choice"), (["thinking": ["type": "deep"]], "thinking.type"),
        ]
        for (change, name) in wrong {
            let error = await test.failure(Self.path, Self.body.with(change))
            #expect(error?.status == 400 && error?.parameter == name, "\(name): \(error?.parameter ?? "")")
        }
        let unknown = await test.failure(Self.path, Self.body.with(["model": "shark"]))
        #expect(unknown?.json(for: .anthropic)["error", "type"] == "not_found_error")
    }
}

@Suite struct OllamaTests {
    private static let chat: JSON = [
        "model": "whale:latest", "messages": [["role": "user", "content": "the whale"]], "think": false,
        "options": ["temperature": 0, "num_predict": 5, "seed": 1],
    ]

    private static func lines(_ text: String) throws -> [JSON] {
        try text.split(separator: "\n").map { try JSON(parsing: String($0)) }
    }

    @Test func chatsAreLines() async throws {
        let test = try TestService()
        let whole = try await test.json("/api/chat", Self.chat.with(["stream": false]))
        #expect(whole["model"] == "whale:latest" && whole["created_at"] == "2023-11-14T22:13:20.123456Z")
        #expect(whole["done"] == true && ["stop", "length"].contains(whole["done_reason"]?.stringValue))
        for key in [
            "total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count",
            "eval_duration",
        ] {
            #expect(whole[key]?.intValue != nil, "\(key)")
        }
        let lines = try Self.lines(try await test.stream("/api/chat", Self.chat))
        #expect(lines.dropLast().allSatisfy { $0["done"] == false })
        #expect(lines.last?["done"] == true && lines.last?["message", "content"] == "")
        #expect(
            lines.map { $0["message", "content"].stringValue ?? "" }.joined()
                == whole["message", "content"].stringValue)
        #expect(lines.last?["eval_count"] == whole["eval_count"])
    }

    @Test func textsAreContinued() async throws {
        let test = try TestService()
        let raw: JSON = [
            "model": "whale", "prompt": "the whale", "raw": true, "options": ["temperature": 0, "num_predict": 5],
        ]
        let whole = try await test.json("/api/generate", raw.with(["stream": false]))
        let same = try await test.json(
            "/v1/completions", ["prompt": "the whale", "max_tokens": 5, "temperature": 0])
        #expect(whole["response"] == same["choices", 0, "text"])
        let lines = try Self.lines(try await test.stream("/api/generate", raw))
        #expect(lines.map { $0["response"]?.stringValue ?? "" }.joined() == whole["response"]?.stringValue)
        let answer = try await test.json(
            "/api/generate", raw.with(["raw": false, "system": "be brief", "stream": false, "think": false]))
        #expect(answer["prompt_eval_count"]?.intValue ?? 0 > whole["prompt_eval_count"]?.intValue ?? 0)
        #expect(try await test.json("/api/generate", ["model": "whale"])["done_reason"] == "load")
    }

    @Test func formatsAndToolsAreKept() async throws {
        let test = try TestService()
        let schema: JSON = [
            "type": "object", "properties": ["depth": ["enum": [10, 20]]], "required": ["depth"],
            "additionalProperties": false,
        ]
        let options: JSON = ["temperature": 0, "num_predict": 400]
        let body = Self.chat.with(["format": schema, "stream": false, "options": options])
        let reply = try await test.json("/api/chat", body)
        let content = try #require(reply["message", "content"].stringValue)
        #expect([10, 20].contains(try JSON(parsing: content)["depth"]?.intValue))
        let text = try await test.json(
            "/api/generate",
            ["prompt": "x", "raw": true, "format": schema, "stream": false, "options": options])
        #expect(try JSON(parsing: try #require(text["response"]?.stringValue))["depth"] != nil)

        var writer = OllamaWriter(.chat, model: "whale", clock: TestService.clock)
        let events: [AnswerParser.Event] = [
            .toolCallBegan(index: 0, id: "t", name: "swim"), .toolCallArguments(index: 0, #"{"to":"#),
            .toolCallArguments(index: 0, #" "x"}"#), .toolCallEnded(index: 0),
        ]
        let line = String(decoding: writer.append(AnswerStep(index: 0, events: events)), as: UTF8.self)
        #expect(
            line
                == #"{"model":"whale","created_at":"2023-11-14T22:13:20.123456Z","message":{"role":"assistant","content":"","#
                + #""tool_calls":[{"id":"t","function":{"name":"swim","arguments":{"to":"x"}}}]},"done":false}"# + "\n")
    }

    @Test func theModelIsDescribed() async throws {
        let test = try TestService()
        guard case .json(let tags) = try await test.reply("/api/tags", [:], method: .get) else { return }
        #expect(tags["models", 0, "name"] == "whale" && tags["models", 0, "size"].intValue ?? 0 > 0)
        let show = try await test.json("/api/show", ["model": "whale"])
        #expect(show["capabilities"] == ["completion", "tools"])
        let embedded = try await test.json("/api/embed", ["model": "whale", "input": ["the", "whale"]])
        #expect(embedded["embeddings"]?.arrayValue?.count == 2)
        let wrong: [(String, JSON)] = [
            ("/api/chat", Self.chat.with(["options": ["temperature": -1]])),
            ("/api/chat", Self.chat.with(["format": 1])),
            ("/api/chat", Self.chat.with(["think": "enormously"])),
            ("/api/generate", ["prompt": "x", "images": ["a"]]),
        ]
        for (path, body) in wrong { #expect(await test.failure(path, body)?.status == 400) }
        #expect(await test.failure("/api/show", ["model": "shark"])?.status == 404)
    }
}
