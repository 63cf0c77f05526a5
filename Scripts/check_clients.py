#!/usr/bin/env python3
"""Check that the server is what the clients of OpenAI, Anthropic and Ollama expect.

    check_clients.py BINARY MODEL [option for `serve` ...]

BINARY is `minke` or `minke-server`.  The server is started on a free port of this machine with a key of its own, driven with
the real Python clients and with raw bytes, and stopped.  Any model with a chat template will do, a random one too: what is
checked is the form of answers, not their sense.  Clients that are not installed are skipped, and that is said.

Needs: pip install openai anthropic ollama (each of them optional).  Exit code 1 when anything fails.

    python3 Scripts/check_clients.py .build/debug/minke-server models/whale --template v3.1
"""
import argparse
import base64
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

KEY = "check-clients"
QUESTION = [{"role": "user", "content": "Tell me of the whale."}]
PARAMETERS = {
    "type": "object",
    "properties": {"fast": {"type": "boolean"}},
    "required": ["fast"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"depth": {"type": "integer", "enum": [10, 20]}},
    "required": ["depth"],
    "additionalProperties": False,
}
COUNTS = {"passed": 0, "failed": 0, "skipped": 0}


def check(name):
    """Runs the decorated function as a check, at once."""

    def run(function):
        try:
            note = function()
        except Exception as error:  # whatever a client may throw
            COUNTS["failed"] += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAIL  {name}: {type(error).__name__} {error} (line {place.lineno})", flush=True)
        else:
            COUNTS["passed"] += 1
            print(f"ok    {name}" + (f": {note}" if note else ""), flush=True)

    return run


def skip(name):
    COUNTS["skipped"] += 1
    print(f"skip  {name}", flush=True)


def equal(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


def refused(call, kind):
    """The error of a call that must be refused with an exception of a kind."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"not refused with {kind.__name__}")


class Server:
    def __init__(self, binary, model, options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [binary, "serve", model, "--port", str(self.port), "--name", "checked", *options]
        self.process = subprocess.Popen(command, env={**os.environ, "MINKE_API_KEY": KEY}, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 300
        while True:
            if self.process.poll() is not None:
                sys.exit(f"the server ended with code {self.process.returncode}")
            try:
                if self.request("GET", "/ready")[0] == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                self.process.kill()
                sys.exit("the server is not ready after 300 s")
            time.sleep(0.2)

    def request(self, method, path, body=None, key=KEY):
        """Status, headers and the bytes of the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, response.headers, data

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None


def check_raw(server):
    chat = {"messages": QUESTION, "max_tokens": 4, "temperature": 0, "stream": True, "ignore_eos": True}

    @check("raw: a stream's frames in their order")
    def _():
        status, headers, data = server.request("POST", "/v1/chat/completions", chat)
        equal((status, headers["Content-Type"].split(";")[0]), (200, "text/event-stream"))
        frames = [frame for frame in data.decode().split("\n\n") if frame and not frame.startswith(":")]
        assert all(frame.startswith("data: ") for frame in frames)
        equal(frames[-1], "data: [DONE]")
        chunks = [json.loads(frame[6:])["choices"][0] for frame in frames[:-1]]
        equal(chunks[0]["delta"], {"role": "assistant", "content": ""})
        equal([chunk["finish_reason"] for chunk in chunks], [None] * (len(chunks) - 1) + ["length"])
        equal(chunks[-1]["delta"], {})
        return f"{len(frames)} frames"

    @check("raw: the same without /v1 and with a slash at the end")
    def _():
        body = {**chat, "stream": False}
        first = json.loads(server.request("POST", "/v1/chat/completions", body)[2])
        second = json.loads(server.request("POST", "/chat/completions/", body)[2])
        equal(second["choices"], first["choices"])

    @check("raw: usage adds up")
    def _():
        usage = json.loads(server.request("POST", "/v1/chat/completions", {**chat, "stream": False})[2])["usage"]
        equal(usage["prompt_cache_hit_tokens"] + usage["prompt_cache_miss_tokens"], usage["prompt_tokens"])
        equal(usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_cache_hit_tokens"])
        equal(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])

    @check("raw: errors have all four keys")
    def _():
        for body, status, name in [
            ({"messages": QUESTION, "n": 17}, 400, "n"), ({"messages": QUESTION, "seed": -1}, 400, "seed"),
            ({"messages": QUESTION, "temperature": 1e308}, 400, "temperature"),
            ({"messages": QUESTION, "max_tokens": 2**63}, 400, "max_tokens"),
            ({"messages": QUESTION, "model": "nobody"}, 404, "model"), ({}, 400, "messages"),
        ]:
            found, _, data = server.request("POST", "/v1/chat/completions", body)
            error = json.loads(data)["error"]
            equal((found, error["param"], list(error)), (status, name, ["message", "type", "param", "code"]))

    @check("raw: no key, no answer")
    def _():
        status, _, data = server.request("POST", "/v1/chat/completions", chat, key=None)
        equal((status, json.loads(data)["error"]["type"]), (401, "authentication_error"))

    @check("raw: tokens and back")
    def _():
        tokens = json.loads(server.request("POST", "/tokenize", {"content": "größer 鯨", "add_special": False})[2])
        text = json.loads(server.request("POST", "/detokenize", {"tokens": tokens["tokens"]})[2])
        equal((text["content"], tokens["count"]), ("größer 鯨", len(tokens["tokens"])))


def check_openai(server):
    try:
        import openai
    except ImportError:
        return skip("openai is not installed")
    client = openai.OpenAI(api_key=KEY, base_url=f"http://127.0.0.1:{server.port}/v1", max_retries=0, timeout=300)
    plain = {"extra_body": {"thinking": {"type": "disabled"}}}
    tool = {"type": "function", "function": {"name": "swim", "description": "Swims.", "parameters": PARAMETERS}}

    def chat(**options):
        options = {"model": "checked", "messages": QUESTION, "temperature": 0, "max_tokens": 12, **plain, **options}
        return client.chat.completions.create(**options)

    def text(chunks):
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    @check("openai: models")
    def _():
        equal([model.id for model in client.models.list()], ["checked"])
        equal(client.models.retrieve("checked").object, "model")
        refused(lambda: client.models.retrieve("nobody"), openai.NotFoundError)

    @check("openai: a chat, streamed and whole")
    def _():
        whole = chat()
        equal((whole.object, whole.choices[0].message.role, whole.choices[0].message.refusal),
              ("chat.completion", "assistant", None))
        equal(text(chat(stream=True)), whole.choices[0].message.content)
        assert whole.usage.completion_tokens <= 12 and whole.system_fingerprint.startswith("fp_")
        return repr(whole.choices[0].message.content)

    @check("openai: usage at the end of a stream")
    def _():
        chunks = list(chat(stream=True, stream_options={"include_usage": True}))
        assert all(chunk.usage is None for chunk in chunks[:-1])
        equal(chunks[-1].choices, [])
        assert chunks[-1].usage.total_tokens > 0
        equal(len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}), 1)

    @check("openai: several choices, each finished once")
    def _():
        chunks = list(chat(stream=True, n=3, temperature=1, seed=1))
        finished = sorted(c.choices[0].index for c in chunks if c.choices[0].finish_reason)
        equal(finished, [0, 1, 2])
        equal(len(chat(n=3, temperature=1).choices), 3)

    @check("openai: equal seeds, equal answers")
    def _():
        equal(*(chat(temperature=1, seed=7).choices[0].message.content for _ in range(2)))

    @check("openai: log-probabilities")
    def _():
        content = chat(logprobs=True, top_logprobs=3).choices[0].logprobs.content
        assert content and all(len(entry.top_logprobs) == 3 and entry.logprob <= 0 for entry in content)
        equal(content[0].logprob, content[0].top_logprobs[0].logprob)

    @check("openai: thoughts come apart")
    def _():
        message = chat(extra_body={"thinking": {"type": "enabled"}}, reasoning_effort="low").choices[0].message
        return f"reasoning_content {getattr(message, 'reasoning_content', None)!r:.40}"

    @check("openai: a stop string ends the answer and is not shown")
    def _():
        whole = chat(max_tokens=30).choices[0].message.content
        if len(whole) < 6:
            return "too short an answer to try"
        stop = whole[3:5]
        stopped = chat(max_tokens=30, stop=[stop, "never"]).choices[0]
        equal((stopped.message.content, stopped.finish_reason), (whole[: whole.index(stop)], "stop"))
        equal(text(chat(max_tokens=30, stop=stop, stream=True)), whole[: whole.index(stop)])

    @check("openai: a tool must be called")
    def _():
        options = {"tools": [tool], "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 400}
        choice = chat(**options).choices[0]
        call = choice.message.tool_calls[0]
        equal((choice.finish_reason, call.type, call.function.name), ("tool_calls", "function", "swim"))
        assert isinstance(json.loads(call.function.arguments)["fast"], bool)
        deltas = [d for c in chat(stream=True, **options) for d in c.choices[0].delta.tool_calls or []]
        equal((deltas[0].index, deltas[0].function.name, bool(deltas[0].id)), (0, "swim", True))
        assert all(d.id is None and d.function.name is None for d in deltas[1:])
        equal(json.loads("".join(d.function.arguments for d in deltas)), json.loads(call.function.arguments))
        conversation = QUESTION + [
            choice.message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "done"},
        ]
        assert chat(messages=conversation, tools=[tool]).usage.prompt_tokens > 0

    @check("openai: an answer by a schema")
    def _():
        format = {"type": "json_schema", "json_schema": {"name": "dive", "schema": SCHEMA, "strict": True}}
        assert json.loads(chat(response_format=format, max_tokens=400).choices[0].message.content)["depth"] in (10, 20)
        wrong = {"type": "json_schema", "json_schema": {"name": "dive", "schema": {"type": "colour"}}}
        error = refused(lambda: chat(response_format=wrong), openai.BadRequestError)
        assert error.body["param"].startswith("response_format"), error.body

    @check("openai: the beginning of the answer is continued")
    def _():
        messages = QUESTION + [{"role": "assistant", "content": "The whale", "prefix": True}]
        assert chat(messages=messages).usage.prompt_tokens > chat().usage.prompt_tokens

    @check("openai: developers, parts, null content")
    def _():
        chat(messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Tell "}, {"type": "text", "text": "me."}]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "swim", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "done"}, *QUESTION,
        ])

    @check("openai: a biased token comes")
    def _():
        ids = json.loads(server.request("POST", "/tokenize", {"content": "a", "add_special": False})[2])["tokens"]
        equal(chat(logit_bias={str(ids[0]): 100}, max_tokens=3).choices[0].message.content, "aaa")

    @check("openai: what is wrong is named")
    def _():
        error = refused(lambda: chat(temperature=-1), openai.BadRequestError)
        equal((error.body["param"], error.type), ("temperature", "invalid_request_error"))
        equal(refused(lambda: chat(model="nobody"), openai.NotFoundError).code, "model_not_found")
        long = [{"role": "user", "content": "whale " * 200_000}]
        equal(refused(lambda: chat(messages=long), openai.BadRequestError).code, "context_length_exceeded")
        other = openai.OpenAI(api_key="wrong", base_url=client.base_url, max_retries=0)
        refused(other.models.list, openai.AuthenticationError)

    @check("openai: completions")
    def _():
        options = {"model": "checked", "prompt": "The whale", "temperature": 0, "max_tokens": 8}
        whole = client.completions.create(**options)
        parts = client.completions.create(**options, stream=True)
        equal("".join(part.choices[0].text for part in parts), whole.choices[0].text)
        echoed = client.completions.create(**options, echo=True, logprobs=2).choices[0]
        equal(echoed.text, "The whale" + whole.choices[0].text)
        equal(len(echoed.logprobs.tokens), len(echoed.logprobs.token_logprobs))
        many = client.completions.create(**{**options, "prompt": ["The", "whale"]}, n=2, best_of=2)
        equal([choice.index for choice in many.choices], [0, 1, 2, 3])
        ids = json.loads(server.request("POST", "/tokenize", {"content": "The whale"})[2])["tokens"]
        equal(client.completions.create(**{**options, "prompt": ids}).choices[0].text, whole.choices[0].text)

    @check("openai: filling in the middle, or that it cannot")
    def _():
        try:
            client.completions.create(model="checked", prompt="def f(", suffix="return x", max_tokens=4)
            return "done"
        except openai.BadRequestError as error:
            equal((error.code, error.body["param"]), ("suffix_not_supported", "suffix"))
            return "the vocabulary has no tokens for it"

    @check("openai: embeddings, as numbers and in base64")
    def _():
        reply = client.embeddings.create(model="checked", input=["The whale", "swam"])
        equal(len(reply.data), 2)
        floats = client.embeddings.create(model="checked", input="The whale", encoding_format="float")
        packed = json.loads(server.request(
            "POST", "/v1/embeddings", {"input": "The whale", "encoding_format": "base64"})[2])["data"][0]["embedding"]
        raw = base64.b64decode(packed)
        values = list(struct.unpack(f"<{len(raw) // 4}f", raw))
        assert max(abs(a - b) for a, b in zip(values, floats.data[0].embedding)) < 1e-6
        assert max(abs(a - b) for a, b in zip(values, reply.data[0].embedding)) < 1e-6
        refused(lambda: client.embeddings.create(model="checked", input="a", dimensions=3), openai.BadRequestError)

    @check("openai: a client that leaves frees its place")
    def _():
        for _ in range(20):
            stream = chat(stream=True, max_tokens=500, extra_body={**plain["extra_body"], "ignore_eos": True})
            next(iter(stream))
            stream.close()
        chat(max_tokens=1)


def check_anthropic(server):
    try:
        import anthropic
    except ImportError:
        return skip("anthropic is not installed")
    client = anthropic.Anthropic(api_key=KEY, base_url=f"http://127.0.0.1:{server.port}", max_retries=0, timeout=300)
    tool = {"name": "swim", "description": "Swims.", "input_schema": PARAMETERS}
    options = {"model": "checked", "messages": QUESTION, "max_tokens": 12, "extra_body": {"temperature": 0}}

    @check("anthropic: a message, streamed and whole")
    def _():
        message = client.messages.create(**options, system="Be brief.")
        equal((message.type, message.role), ("message", "assistant"))
        assert message.stop_reason in ("max_tokens", "end_turn") and message.usage.input_tokens >= 0
        with client.messages.stream(**options, system="Be brief.") as stream:
            types = [event.type for event in stream]
            final = stream.get_final_message()
        equal([b.text for b in final.content], [b.text for b in message.content])
        equal((types[0], types[-1]), ("message_start", "message_stop"))
        equal(final.usage.output_tokens, message.usage.output_tokens)

    @check("anthropic: tokens are counted")
    def _():
        counted = client.messages.count_tokens(model="checked", messages=QUESTION).input_tokens
        usage = client.messages.create(**options).usage
        equal(usage.input_tokens + usage.cache_read_input_tokens, counted)

    @check("anthropic: a tool must be used")
    def _():
        wanted = {**options, "max_tokens": 400, "tools": [tool], "tool_choice": {"type": "tool", "name": "swim"}}
        wanted["tool_choice"]["disable_parallel_tool_use"] = True
        message = client.messages.create(**wanted)
        block = message.content[-1]
        equal((message.stop_reason, block.type, block.name), ("tool_use", "tool_use", "swim"))
        assert isinstance(block.input["fast"], bool)
        with client.messages.stream(**wanted) as stream:
            equal(stream.get_final_message().content[-1].input, block.input)
        again = QUESTION + [
            {"role": "assistant", "content": [block.model_dump(exclude_none=True)]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block.id, "content": "done"}]},
        ]
        client.messages.create(**{**options, "messages": again}, tools=[tool])

    @check("anthropic: thoughts are blocks")
    def _():
        message = client.messages.create(**options, thinking={"type": "enabled", "budget_tokens": 1024})
        return ", ".join(block.type for block in message.content)

    @check("anthropic: a stop sequence")
    def _():
        whole = client.messages.create(**{**options, "max_tokens": 30})
        text = "".join(block.text for block in whole.content if block.type == "text")
        if len(text) < 6:
            return "too short an answer to try"
        message = client.messages.create(**{**options, "max_tokens": 30}, stop_sequences=[text[3:5]])
        equal((message.stop_reason, message.stop_sequence), ("stop_sequence", text[3:5]))

    @check("anthropic: what is wrong is said")
    def _():
        refused(lambda: client.messages.create(**{**options, "model": "nobody"}), anthropic.NotFoundError)
        refused(lambda: client.messages.create(**{**options, "max_tokens": 0}), anthropic.BadRequestError)
        other = anthropic.Anthropic(api_key="wrong", base_url=client.base_url, max_retries=0)
        refused(lambda: other.messages.create(**options), anthropic.AuthenticationError)


def check_ollama(server):
    try:
        import ollama
    except ImportError:
        return skip("ollama is not installed")
    client = ollama.Client(
        host=f"http://127.0.0.1:{server.port}", headers={"Authorization": f"Bearer {KEY}"}, timeout=300)
    options = {"temperature": 0, "num_predict": 12}

    @check("ollama: the model is listed and shown")
    def _():
        equal([model.model for model in client.list().models], ["checked"])
        assert "completion" in client.show("checked").capabilities

    @check("ollama: a chat, streamed and whole")
    def _():
        wanted = {"model": "checked", "messages": QUESTION, "options": options, "think": False}
        whole = client.chat(**wanted)
        assert whole.done and whole.done_reason in ("stop", "length") and whole.eval_count <= 12
        parts = list(client.chat(**wanted, stream=True))
        equal("".join(part.message.content or "" for part in parts), whole.message.content)
        assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
        assert whole.total_duration > 0 and whole.prompt_eval_count > 0

    @check("ollama: a text, raw and as a question")
    def _():
        wanted = {"model": "checked", "prompt": "The whale", "options": options}
        raw = client.generate(**wanted, raw=True)
        equal("".join(part.response for part in client.generate(**wanted, raw=True, stream=True)), raw.response)
        assert client.generate(**wanted, system="Be brief.", think=False).done

    @check("ollama: an answer by a schema")
    def _():
        reply = client.chat(
            "checked", QUESTION, format=SCHEMA, think=False, options={"temperature": 0, "num_predict": 400})
        assert json.loads(reply.message.content)["depth"] in (10, 20)

    @check("ollama: tools are offered")
    def _():
        tool = {"type": "function", "function": {"name": "swim", "description": "Swims.", "parameters": PARAMETERS}}
        assert client.chat("checked", QUESTION, tools=[tool], think=False, options=options).done

    @check("ollama: embeddings")
    def _():
        equal(len(client.embed("checked", ["The whale", "swam"]).embeddings), 2)

    @check("ollama: what is wrong is said")
    def _():
        equal(refused(lambda: client.chat("nobody", QUESTION), ollama.ResponseError).status_code, 404)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("model")
    arguments, options = parser.parse_known_args()
    server = Server(arguments.binary, arguments.model, options)
    try:
        check_raw(server)
        check_openai(server)
        check_anthropic(server)
        check_ollama(server)
    finally:
        code = server.stop()

    @check("the server ends cleanly")
    def _():
        equal(code, 0)

    skipped = f", {COUNTS['skipped']} skipped" if COUNTS["skipped"] else ""
    print(f"{COUNTS['passed']} passed, {COUNTS['failed']} failed{skipped}")
    sys.exit(COUNTS["failed"] > 0)


if __name__ == "__main__":
    main()
