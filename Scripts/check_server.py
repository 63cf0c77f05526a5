#!/usr/bin/env python3
"""Start `minke serve` on loopback again and again, mistreat it, and check that it does what it promises.

Each check is one line with its figures. Sections:

  endpoints   health, readiness, metrics, request ids, one JSON log line a request without prompt text
  disconnect  clients that leave while they wait, during the prompt, after five tokens: the place is free, nothing leaks
  overload    more requests than places: exactly the excess gets 429 with Retry-After, the others finish
  shutdown    SIGTERM: not ready at once, streams finish or end with an error and [DONE], code 0; twice: out within a second
  cache       requests that need three times the cache: greedy answers stay the same bytes; too long a prompt is refused
  same        greedy answers alone, in company, streamed, from the cache: the same bytes
  access      addresses, keys, Host, origins
  limits      sizes, slow and dishonest clients
  fields      numbers out of range name their field
  isolation   keys do not share the cache; errors tell nothing of the machine or of others

`--soak MINUTES` runs mixed requests, valid and not, and then compares memory, open files and the time between tokens at
the end with those at the start.

Needs nothing but Python 3.9 on Linux, a model, and the release build of both programs. Nothing leaves 127.0.0.1.

  Scripts/check_server.py MODEL
  Scripts/check_server.py MODEL --only disconnect,limits --cycles 1000
  Scripts/check_server.py MODEL --soak 30
"""
import argparse
import concurrent.futures
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"


def wait_for(condition, seconds, pause=0.02):
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(pause)
    return condition()


def percentile(values, percent):
    values = sorted(values)
    place = percent / 100 * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


class Checks:
    """Counts and prints."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, holds, text):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(("ok      " if holds else "FAILED  ") + text, flush=True)
        return holds


# ------------------------------------------------------------------------------------------------------------ the server


class Server:
    """A `minke serve` of its own, stopped at the end of a `with`."""

    def __init__(self, binary, model, *flags, key=None):
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port = probe.getsockname()[1]
        self.key = key
        self.log = tempfile.NamedTemporaryFile("w+", prefix="minke-serve.", suffix=".log")
        command = [binary, "serve", model, "--port", str(self.port), *map(str, flags)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def __enter__(self):
        if not wait_for(lambda: self.process.poll() is not None or self.status("/ready") == 200, 120, 0.05):
            raise SystemExit(f"the server is not ready after two minutes:\n{self.text()[-2000:]}")
        if self.process.poll() is not None:
            raise SystemExit(f"the server ended with code {self.process.returncode}:\n{self.text()[-2000:]}")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()

    def text(self):
        return Path(self.log.name).read_text(errors="replace")

    def lines(self):
        """The log's JSON lines about requests."""
        found = []
        for line in self.text().splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict) and "route" in value:
                found.append(value)
        return found

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self):
        """Resident bytes that are the process's own, without pages of the model's file."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"RssAnon:\s+(\d+)", status)[1])

    def ask(self, method, path, body=None, headers=(), key=None, timeout=120):
        """Status, headers in small letters, and body of an answer."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        try:
            fields = {"Content-Type": "application/json"} if body is not None else {}
            if key or self.key:
                fields["Authorization"] = f"Bearer {key or self.key}"
            fields.update(headers)
            data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
            connection.request(method, path, data, fields)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def status(self, path):
        try:
            return self.ask("GET", path, timeout=10)[0]
        except OSError:
            return None

    def post(self, body, path="/v1/completions", **rest):
        status, headers, data = self.ask("POST", path, body, **rest)
        return status, headers, json.loads(data)

    def complete(self, prompt, tokens, **rest):
        """The text of a greedy answer and its usage."""
        status, _, answer = self.post(request(prompt, tokens, **rest), timeout=600)
        if status != 200:
            raise RuntimeError(f"status {status}: {answer}")
        return answer["choices"][0]["text"], answer["usage"]

    def raw(self, data, seconds=20):
        """What comes back for bytes sent as they are, until the server closes or the time is up; and whether it closed."""
        with socket.create_connection((HOST, self.port), timeout=seconds) as connection:
            answer = b""
            try:
                connection.sendall(data)
                while True:
                    piece = connection.recv(65536)
                    if not piece:
                        return answer, True
                    answer += piece
            except socket.timeout:
                return answer, False
            except OSError:
                return answer, True


def request(prompt, tokens, **rest):
    return {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True, **rest}


class Stream:
    """A streamed answer, read event by event."""

    def __init__(self, server, body, key=None):
        self.socket = socket.create_connection((HOST, server.port), timeout=600)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}}).encode()
        authorization = f"Authorization: Bearer {key or server.key}\r\n" if key or server.key else ""
        self.started = time.monotonic()
        self.socket.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: {HOST}:{server.port}\r\n{authorization}"
                            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        self.answer = http.client.HTTPResponse(self.socket, method="POST")

    def begin(self):
        self.answer.begin()
        return self.answer.status

    def events(self):
        """The data of events, until the stream ends."""
        while True:
            line = self.answer.readline()
            if not line:
                return
            if line.startswith(b"data:"):
                yield line[5:].strip().decode()

    def pieces(self):
        """Time since the request and text of every piece of the answer; the last chunk's usage is kept."""
        for event in self.events():
            if event == "[DONE]":
                return
            chunk = json.loads(event)
            if "error" in chunk:
                raise RuntimeError(f"an error in the stream: {chunk['error']}")
            self.usage = chunk.get("usage") or getattr(self, "usage", None)
            for choice in chunk.get("choices", []):
                if choice.get("text"):
                    yield time.monotonic() - self.started, choice["text"]

    def close(self):
        """Leaves as a client that is killed does."""
        self.answer.close()
        self.socket.close()


def streamed(server, prompt, tokens, key=None, **rest):
    """Times and text of a whole streamed answer."""
    stream = Stream(server, request(prompt, tokens, **rest), key)
    try:
        status = stream.begin()
        if status != 200:
            raise RuntimeError(f"status {status}")
        pieces = list(stream.pieces())
        return [at for at, _ in pieces], "".join(text for _, text in pieces)
    finally:
        stream.close()


def first_token(server, prompt="one two three"):
    """Seconds to the first text of a small request, or to its end where its tokens make none."""
    started = time.monotonic()
    times, _ = streamed(server, prompt, 2)
    return times[0] if times else time.monotonic() - started


def words(count, seed):
    """A text of so many words."""
    return " ".join(random.Random(seed).choices(["time", "year", "way", "day", "thing", "world", "life", "hand"], k=count))


# ------------------------------------------------------------------------------------------------------------ the checks

LOG_KEYS = {"ts", "level", "request_id", "route", "status", "prompt_tokens", "cached_tokens", "completion_tokens", "queue_ms",
            "ttft_ms", "total_ms", "finish_reason", "client_gone"}


def endpoints(checks, options):
    with Server(options.minke, options.model) as server:
        checks.check(server.status("/health") == 200, "GET /health answers 200")
        checks.check(server.status("/ready") == 200, "GET /ready answers 200 once the model is loaded")
        status, _, answer = server.ask("GET", "/v1/models")
        checks.check(status == 200 and json.loads(answer)["data"], "GET /v1/models lists the model")
        status, headers, _ = server.ask("POST", "/v1/completions", request("zebraquux", 3), {"X-Request-Id": "check-123"})
        checks.check(status == 200 and headers.get("x-request-id") == "check-123", "X-Request-Id comes back")
        _, headers, _ = server.ask("POST", "/v1/completions", request("zebraquux", 3))
        checks.check(headers.get("x-request-id"), "X-Request-Id is made where there was none")
        status, _, answer = server.ask("GET", "/nowhere")
        keys = set(json.loads(answer).get("error", {}))
        checks.check(status == 404 and keys >= {"message", "type", "param", "code"}, "an unknown path: 404, an error with all four keys")
        status, _, answer = server.ask("POST", "/v1/completions", "{")
        checks.check(status == 400 and "error" in json.loads(answer), "a body that is no JSON: 400")
        checks.check(server.ask("DELETE", "/v1/completions")[0] in (404, 405), "another method: 404 or 405")
        status, headers, answer = server.ask("GET", "/metrics")
        text = answer.decode()
        checks.check(status == 200 and headers["content-type"].startswith("text/plain"), "GET /metrics is Prometheus text")
        counters, histograms = re.findall(r"^(\w+_total)\b", text, re.M), re.findall(r"^(\w+_seconds)_bucket\b", text, re.M)
        well_formed = all(re.fullmatch(r'#.*|\w+(\{.*\})? ([-+]?Inf|NaN|[-+\d.eE]+)', line) for line in text.splitlines() if line)
        checks.check(counters and histograms and well_formed,
                     f"{len(set(counters))} counters *_total, {len(set(histograms))} histograms *_seconds, every line well formed")
        wait_for(lambda: any(line.get("request_id") == "check-123" for line in server.lines()), 5)
        line = next((line for line in server.lines() if line.get("request_id") == "check-123"), {})
        missing = LOG_KEYS - set(line)
        checks.check(line and not missing, f"one JSON log line a request with all keys{f', without {missing}' if missing else ''}")
        checks.check("zebraquux" not in server.text(), "the log holds no prompt text")


def disconnect(checks, options):
    """V1: one place, so that a place which is not given back is seen at once."""
    long_prompt = words(options.prefill_words, 1)
    with Server(options.minke, options.model, "--max-sequences", 1, "--queue", 8, "--cache-size", "64MB") as server:
        for index in range(20):  # caches and allocators are warm before anything is compared
            first_token(server, f"warm {index}")
        base = statistics.median(first_token(server, f"base {index}") for index in range(20))
        prefill = streamed(server, "x " + long_prompt, 2)[0][0]
        # What is kept of prompts for others to begin with is memory, too, and grows up to --cache-size and no further. So
        # prompts are left until it is full, and some more; only then is memory compared with that after the departures.
        capacity, left_full = gauge(server, "cache_tokens_capacity"), 0
        for index in range(400):
            stream = Stream(server, request(f"{index} " + long_prompt, 500))
            time.sleep(prefill / 2)
            stream.close()
            first_token(server)
            left_full += gauge(server, "cache_tokens_used") >= 0.9 * capacity
            if left_full == 10:
                break
        checks.check(left_full == 10, f"the cache is full after {index + 1} departures, before memory is compared")
        files, memory = server.files(), server.memory()

        freed = {"during the prompt": [], "after token 5": []}
        for index in range(options.cycles):
            stream = Stream(server, request(f"{index} " + long_prompt, 500))
            time.sleep(prefill / 2)
            stream.close()
            freed["during the prompt"].append(first_token(server, f"p{index}") - base)
            stream = Stream(server, request(f"{index} go on", 5000))
            stream.begin()
            for number, _ in enumerate(stream.pieces(), 1):
                if number == 5:
                    break
            stream.close()
            freed["after token 5"].append(first_token(server, f"d{index}") - base)
        for when, seconds in freed.items():
            p50, p99, most = (1e3 * percentile(seconds, percent) for percent in (50, 99, 100))
            checks.check(p99 <= 250, f"left {when}, {options.cycles} times: the place is free after {max(0, p50):.0f} ms, "
                                     f"p99 {p99:.0f} ms, at most {most:.0f} ms (bar 250)")

        # Clients leave the queue while another streams: it must not notice. Compared is with the same number of clients that
        # only ask how the server is, since this machine's cores have all of them to serve.
        def streaming_while(disturb):
            """Gaps between the tokens of streams while something is done over and over."""
            gaps, done = [], threading.Event()

            def listen():
                while not done.is_set():
                    times, _ = streamed(server, words(40, 2), 400)
                    gaps.extend(b - a for a, b in zip(times, times[1:]))

            listener = threading.Thread(target=listen)
            listener.start()
            for index in range(options.cycles):
                disturb(index)
                time.sleep(0.005)
            done.set()
            listener.join()
            return gaps

        def leave(index):
            stream = Stream(server, request(f"{index} waiting", 50))
            time.sleep(0.005)
            stream.close()

        alone = percentile(streaming_while(lambda _: server.status("/health")), 99)
        gaps = streaming_while(leave)
        ratio = percentile(gaps, 99) / alone
        checks.check(ratio <= 1.5 or percentile(gaps, 99) - alone < 0.003,
                     f"left the queue, {options.cycles} times: the active stream's p99 between tokens is {ratio:.2f} times that "
                     f"beside harmless requests ({1e3 * percentile(gaps, 99):.1f} against {1e3 * alone:.1f} ms, {len(gaps)} gaps; bar 1.5)")
        checks.check(first_token(server) - base < 0.25, "a new request has its turn at once afterwards")
        left = ("requests_running", "requests_waiting", "cache_tokens_held")
        checks.check(wait_for(lambda: all(gauge(server, name) == 0 for name in left), 5),
                     "nothing runs or waits, and no cache is held: " + ", ".join(f"{name} {gauge(server, name)}" for name in left))
        wait_for(lambda: server.files() <= files, 5)
        checks.check(server.files() <= files, f"open files {files} before, {server.files()} after {3 * options.cycles} departures")
        growth = server.memory() / memory - 1
        checks.check(growth < 0.02, f"memory of its own {memory / 1e6:.0f} MB before, {100 * growth:+.1f} % after (bar 2 %)")
        checks.check(server.process.poll() is None, "the server still runs")


def overload(checks, options):
    """V2"""
    places, queue = 2, 4
    accepted, excess = places + queue, 9 * (places + queue)
    with Server(options.minke, options.model, "--max-sequences", places, "--queue", queue) as server:
        tokens = options.overload_tokens

        def run(index):
            return streamed(server, f"{index} " + words(10, index), tokens)

        def fill(pool):
            started = time.monotonic()
            running = [pool.submit(run, index) for index in range(accepted)]
            return started, running

        with concurrent.futures.ThreadPoolExecutor(accepted) as pool:
            run(99)
            started, running = fill(pool)
            concurrent.futures.wait(running)
            peak = time.monotonic() - started
            started, running = fill(pool)
            time.sleep(min(0.3, peak / 20))
            refused, others = [], []
            for index in range(excess):
                begun = time.monotonic()
                status, headers, answer = server.post(request(f"{index} too many", 5))
                (refused if status == 429 else others).append((time.monotonic() - begun, headers, answer))
            sent = time.monotonic() - started
            texts = [len(future.result()[0]) for future in running]
            loaded = time.monotonic() - started
        in_time = sent < loaded
        checks.check(in_time and len(refused) == excess and not others,
                     f"{accepted} accepted ({places} places, queue of {queue}), {len(refused)} of {excess} more got 429"
                     + ("" if in_time else " (the accepted ones were done too soon; raise --overload-tokens)"))
        errors = [answer["error"] for _, _, answer in refused]
        checks.check(refused and all(error["type"] == "rate_limit_error" and error["code"] == "queue_full" for error in errors),
                     "the error says rate_limit_error and queue_full")
        checks.check(refused and all(1 <= int(headers.get("retry-after", 0)) <= 3600 for _, headers, _ in refused), "Retry-After in seconds")
        times = [seconds for seconds, _, _ in refused] or [9]
        checks.check(percentile(times, 50) < 0.02, f"refused after {1e3 * percentile(times, 50):.1f} ms, p99 {1e3 * percentile(times, 99):.1f} ms (bar 20)")
        checks.check(len(texts) == accepted and min(texts) > 1, "all that were accepted finished")
        checks.check(peak / loaded >= 0.9, f"throughput under overload {100 * peak / loaded:.0f} % of that without (bar 90 %)")


def shutdown(checks, options):
    """V3"""
    def stop(tokens, *flags, signals=1):
        """Ends a server with two streams under way: events of both, code, seconds, readiness and status right after."""
        with Server(options.minke, options.model, *flags) as server:
            streams = [Stream(server, request(f"{index} go on", tokens)) for index in range(2)]
            for stream in streams:
                stream.begin()
                next(stream.pieces())
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            ready = server.status("/ready")
            try:
                new = server.post(request("more", 2), timeout=10)[0]
            except OSError:
                new = None
            if signals == 2:
                started = time.monotonic()
                server.process.send_signal(signal.SIGTERM)
                server.process.wait(30)
                return [], server.process.returncode, time.monotonic() - started, ready, new
            events = [list(stream.events()) for stream in streams]
            try:
                server.process.wait(40)
            except subprocess.TimeoutExpired:
                pass
            return events, server.process.returncode, time.monotonic() - started, ready, new

    events, code, seconds, ready, new = stop(options.overload_tokens)
    checks.check(ready in (None, 503) and new in (None, 503), f"after SIGTERM: /ready {ready or 'refused'}, a new request {new or 'refused'}")
    checks.check(all(each[-1] == "[DONE]" and not any('"error"' in event for event in each) for each in events), "streams under way finish")
    checks.check(code == 0, f"code {code} after {seconds:.1f} s")
    events, code, seconds, _, _ = stop(16_000, "--drain-seconds", 1)
    checks.check(all(len(each) > 1 and each[-1] == "[DONE]" and "error" in json.loads(each[-2]) for each in events),
                 "after the time to drain, streams end with an error and [DONE]")
    checks.check(code == 0 and seconds < 5, f"code {code} after {seconds:.1f} s with 1 s to drain")
    _, code, seconds, _, _ = stop(16_000, "--drain-seconds", 30, signals=2)
    checks.check(seconds < 1, f"a second SIGTERM ends it after {seconds:.2f} s, code {code} (bar 1 s)")


def cache(checks, options):
    """V4: the cache holds about a third of what six requests want."""
    prompts = [f"{index} " + words(30, index) for index in range(6)]
    tokens = options.cache_tokens
    room = 64 << 20
    with Server(options.minke, options.model, "--cache-size", room) as server:
        expected = [server.complete(prompt, tokens)[0] for prompt in prompts]
        usage = server.complete(prompts[0], 1)[1]
        wanted = len(prompts) * (usage["prompt_tokens"] + tokens)
        capacity = gauge(server, "cache_tokens_capacity")
    with Server(options.minke, options.model, "--max-sequences", 6, "--cache-size", int(room * wanted / 3 / capacity)) as server:
        holds = gauge(server, "cache_tokens_capacity")
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            got = list(pool.map(lambda prompt: streamed(server, prompt, tokens)[1], prompts))
        preempted = gauge(server, "preemptions_total") or 0
        equal = sum(a == b for a, b in zip(expected, got))
        checks.check(equal == len(prompts) and preempted > 0,
                     f"{wanted} tokens wanted of a cache of {holds:.0f} ({capacity:.0f} before): {preempted:.0f} "
                     f"pre-emptions, {equal} of {len(prompts)} streams the same bytes")
        checks.check(server.process.poll() is None, "the server still runs")
    with Server(options.minke, options.model, "--context", 64) as server:
        status, _, answer = server.post(request(words(300, 5), 5))
        error = answer.get("error", {})
        numbers = re.findall(r"\d+", error.get("message", ""))
        checks.check(status == 400 and error.get("code") == "context_length_exceeded" and len(numbers) >= 2 and "64" in numbers,
                     f"too long a prompt: {status}, {error.get('code')}: {error.get('message')}")


def gauge(server, name):
    """A metric by the end of its name, summed over its labels."""
    values = re.findall(rf"^\w*{name}(?:\{{.*\}})? ([\d.eE+]+)$", server.ask("GET", "/metrics")[2].decode(), re.M)
    return sum(map(float, values)) if values else None


def same(checks, options):
    """V5"""
    prompts = [f"{index} " + words(20 + 30 * index, index) for index in range(8)]
    tokens = 48
    with Server(options.minke, options.model, "--max-sequences", 8) as server:
        alone = [server.complete(prompt, tokens)[0] for prompt in prompts]
        again = [server.complete(prompt, tokens) for prompt in prompts]
        cached = sum(usage["prompt_tokens_details"]["cached_tokens"] for _, usage in again)
        checks.check([text for text, _ in again] == alone and cached > 0, f"from the cache ({cached} tokens of it): the same")
        checks.check([streamed(server, prompt, tokens)[1] for prompt in prompts] == alone, "streamed: the same")
        for company in range(2, 9):
            with concurrent.futures.ThreadPoolExecutor(company) as pool:
                whole = list(pool.map(lambda prompt: server.complete(prompt, tokens)[0], prompts[:company]))
                pieces = list(pool.map(lambda prompt: streamed(server, prompt, tokens)[1], prompts[:company]))
            checks.check(whole == alone[:company] and pieces == alone[:company], f"{company} at once, streamed and not: the same")
    with Server(options.minke, options.model, "--max-sequences", 8) as server:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            fresh = list(pool.map(lambda prompt: server.complete(prompt, tokens)[0], prompts))
        checks.check(fresh == alone, "8 at once with an empty cache in a new process: the same")


def access(checks, options):
    """S3"""
    done = subprocess.run([options.minke, "serve", options.model, "--host", "0.0.0.0", "--port", "0"], capture_output=True, text=True,
                          timeout=60, env={name: value for name, value in os.environ.items() if "KEY" not in name})
    checks.check(done.returncode != 0 and len(done.stderr.strip().splitlines()) <= 2,
                 f"another address without a key: refuses to start: {done.stderr.strip()[:160]}")
    with Server(options.minke, options.model) as server:
        listening = subprocess.run(["ss", "-ltn"], capture_output=True, text=True).stdout if shutil.which("ss") else ""
        own = [line.split()[3] for line in listening.splitlines() if line.split()[3:4] and line.split()[3].endswith(f":{server.port}")]
        if own:
            checks.check(own == [f"127.0.0.1:{server.port}"], f"listens on {', '.join(own)} alone")
        status, headers, _ = server.ask("GET", "/v1/models", headers={"Host": "evil.example"})
        checks.check(status in (400, 403, 421), f"another Host: {status}")
        _, headers, _ = server.ask("GET", "/v1/models", headers={"Origin": "http://evil.example"})
        checks.check("access-control-allow-origin" not in headers, "no Access-Control-Allow-Origin for other origins")
        _, headers, _ = server.ask("OPTIONS", "/v1/completions", headers={
            "Origin": "http://evil.example", "Access-Control-Request-Method": "POST"})
        checks.check("access-control-allow-origin" not in headers, "nor for a preflight")
        statuses = [server.ask("GET", path)[0] for path in ("/../etc/passwd", "/%2e%2e/etc/passwd", "//etc/passwd", "/v1/models/../../x")]
        checks.check(all(status in (400, 404) for status in statuses), f"paths that climb: {statuses}")
    with Server(options.minke, options.model, "--api-key", "k-first", key="k-first") as server:
        routes = [("GET", "/v1/models"), ("POST", "/v1/completions"), ("POST", "/v1/chat/completions"), ("POST", "/v1/embeddings"),
                  ("POST", "/tokenize"), ("GET", "/metrics"), ("POST", "/v1/messages"), ("POST", "/api/chat"), ("GET", "/api/tags"),
                  ("POST", "/completions"), ("GET", "/nowhere")]
        for name, fields in (("no key", {"Authorization": ""}), ("a wrong key", {"Authorization": "Bearer k-firsT"}),
                             ("half a key", {"Authorization": "Bearer k-fir"}), ("a longer key", {"Authorization": "Bearer k-first2"})):
            statuses = {path: server.ask(method, path, "{}" if method == "POST" else None, fields)[0] for method, path in routes}
            checks.check(set(statuses.values()) == {401}, f"{name}: 401 on {len(routes)} routes" + (
                "" if set(statuses.values()) == {401} else f", but {[p for p, s in statuses.items() if s != 401]}"))
        _, headers, answer = server.ask("GET", "/v1/models", headers={"Authorization": ""})
        checks.check("www-authenticate" in headers and json.loads(answer)["error"]["type"], "401 has WWW-Authenticate and an error object")
        checks.check(server.ask("GET", "/health", headers={"Authorization": ""})[0] == 200, "/health needs none")
        checks.check(server.ask("GET", "/v1/models")[0] == 200, "the key opens")
        checks.check("k-first" not in server.text(), "the log holds no key")


def limits(checks, options):
    """S4"""
    with Server(options.minke, options.model) as server:
        host = f"Host: {HOST}:{server.port}\r\n"

        def code(data, **rest):
            answer, closed = server.raw(data, **rest)
            found = re.match(rb"HTTP/1\.1 (\d+)", answer)
            return (int(found[1]) if found else None), closed

        body = b'{"prompt":"a","max_tokens":1}'
        post = f"POST /v1/completions HTTP/1.1\r\n{host}Content-Type: application/json\r\n".encode()
        length = f"Content-Length: {len(body)}\r\n".encode()
        dishonest = {
            "a length and chunks": post + length + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "two lengths": post + length + b"Content-Length: 5\r\n\r\n" + body,
            "a negative length": post + b"Content-Length: -1\r\n\r\n" + body,
            "a length of letters": post + b"Content-Length: ten\r\n\r\n" + body,
            "bare line feeds": post.replace(b"\r\n", b"\n") + length.replace(b"\r\n", b"\n") + b"\n" + body,
            "a folded header": post + length + b"X-A: 1\r\n  2\r\n\r\n" + body,
            "a space before the colon": post + b"Content-Length : 29\r\n\r\n" + body,
            "an unknown coding": post + b"Transfer-Encoding: gzip, identity\r\n\r\n" + body,
            "chunks of no size": post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body,
            "two Hosts": post + b"Host: a\r\n" + length + b"\r\n" + body,
            "no Host": b"GET /v1/models HTTP/1.1\r\n\r\n",
            "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        }
        for name, data in dishonest.items():
            status, closed = code(data, seconds=5)
            checks.check(closed and status in (400, 501, None), f"{name}: {status or 'closed without an answer'}{'' if closed else ', and the connection stays'}")
        status, _ = code(f"GET /{'a' * 9000} HTTP/1.1\r\n{host}\r\n".encode(), seconds=5)
        checks.check(status in (414, 431, 400), f"a URL of 9,000 bytes: {status}")
        status, _ = code(f"GET /health HTTP/1.1\r\n{host}X-A: {'a' * 17_000}\r\n\r\n".encode(), seconds=5)
        checks.check(status in (431, 400), f"a header of 17,000 bytes: {status}")
        status, _ = code((f"GET /health HTTP/1.1\r\n{host}" + "".join(f"X-{i}: 1\r\n" for i in range(150)) + "\r\n").encode(), seconds=5)
        checks.check(status in (431, 400), f"150 header fields: {status}")
        status, _ = code(post + b"Content-Length: 9000000\r\n\r\n", seconds=5)
        checks.check(status == 413, f"a body of 9 MB announced: {status}")
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
        status, _ = code(post + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 140 + b"0\r\n\r\n", seconds=10)
        checks.check(status in (413, None), f"a body of 9 MB in chunks: {status or 'closed'}")
        status, _, answer = server.post("[" * 5000 + "]" * 5000)
        checks.check(status == 400, f"JSON 5,000 deep: {status}")

        # Slow-loris: connections that send a byte a second, while a client of good will keeps its times.
        count = 500
        unloaded = percentile([first_token(server, f"u{index}") for index in range(40)], 95)
        drips, closed = [], {}
        started = time.monotonic()
        for _ in range(count):
            try:
                drip = socket.create_connection((HOST, server.port), timeout=5)
                drip.setblocking(False)
                drips.append(drip)
            except OSError:
                pass
        line, times, sent = b"GET /health HTTP/1.1\r\nX-Slow: " + b"a" * 100, [], 0
        while time.monotonic() - started < 20 and len(closed) < len(drips):
            if sent < len(line) and time.monotonic() - started >= sent:
                for drip in drips:
                    if drip not in closed:
                        try:
                            drip.send(line[sent:sent + 1])
                        except OSError:
                            closed[drip] = time.monotonic() - started
                sent += 1
            for drip in drips:
                if drip not in closed:
                    try:
                        if not drip.recv(4096):
                            closed[drip] = time.monotonic() - started
                    except BlockingIOError:
                        pass
                    except OSError:
                        closed[drip] = time.monotonic() - started
            if time.monotonic() - started < 9:
                try:
                    times.append(first_token(server, f"l{len(times)}"))
                except (OSError, RuntimeError, IndexError, http.client.HTTPException):
                    times.append(9)
            time.sleep(0.05)
        loaded = percentile(times or [9], 95)
        checks.check(loaded <= 1.2 * unloaded or loaded - unloaded < 0.005,
                     f"{len(drips)} slow connections: another client's first token p95 {1e3 * loaded:.0f} ms, {1e3 * unloaded:.0f} without (bar 1.2 times)")
        latest = max(closed.values(), default=0)
        checks.check(len(closed) == len(drips) and latest <= 15, f"{len(closed)} of them closed, the last after {latest:.1f} s (bar 15)")
        for drip in drips:
            drip.close()
        status, _ = code(post + length + b"\r\n" + body[:5], seconds=3)
        checks.check(status is None, "a body that does not come is waited for")
        checks.check(server.status("/health") == 200 and server.complete("after", 2)[0], "the server serves on")


def fields(checks, options):
    """S5"""
    good = request("a b c", 2)
    wrong = [("temperature", value) for value in (-1, 2.5, 1e308, "NaN", "x", [])]
    wrong += [("top_p", value) for value in (-0.1, 1.5, 1e308)] + [("n", value) for value in (0, -1, 17, 2**63, 1.5)]
    wrong += [("max_tokens", value) for value in (-1, 2**63, 1.5, "ten")] + [("seed", value) for value in (2**64, 0.5)]
    wrong += [("logprobs", value) for value in (-1, 21, 2**63)] + [("stop", ["x"] * 100_000), ("stop", ["x" * 300]), ("stop", 5)]
    wrong += [("logit_bias", value) for value in ({"1": 101}, {"1": -1e308}, {"-1": 1}, {"99999999999": 1}, {"x": 1})]
    wrong += [("presence_penalty", 3), ("frequency_penalty", -2.1), ("prompt", 5), ("prompt", [-1]), ("prompt", [2**40]), ("stream", "yes")]
    with Server(options.minke, options.model) as server:
        def not_refused(path, body, wrong):
            """Which wrong values are not answered with 400 and their field's name."""
            bad = []
            for name, value in wrong:
                try:
                    status, _, answer = server.post({**body, name: value}, path)
                    param = str(answer["error"].get("param"))
                except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
                    status, param = type(error).__name__, None
                if status not in (400, 422) or name not in param:
                    bad.append(f"{name}={str(value)[:30]}: {status} {param}")
            return bad

        bad = not_refused("/v1/completions", good, wrong)
        checks.check(not bad, f"{len(wrong) - len(bad)} of {len(wrong)} wrong values: 400 that names the field" + (f"; not {bad}" if bad else ""))
        bad = []
        for text in ("NaN", "Infinity", "-Infinity", "1e999", "01", "0x1"):
            status = server.ask("POST", "/v1/completions", '{"prompt":"a","temperature":' + text + "}")[0]
            if status != 400:
                bad.append(f"{text}: {status}")
        checks.check(not bad, f"numbers that JSON does not have: 400{f'; not {bad}' if bad else ''}")
        chat = {"messages": [{"role": "user", "content": "a"}], "max_tokens": 2, "logprobs": True}
        wrong = [("messages", []), ("messages", "x"), ("messages", [{}]),
                 ("top_logprobs", 21), ("top_logprobs", -1), ("tools", "x"), ("tool_choice", 7), ("response_format", {"type": "x"}), ("n", 17)]
        bad = not_refused("/v1/chat/completions", chat, wrong)
        checks.check(not bad, f"{len(wrong) - len(bad)} of {len(wrong)} wrong values of chats: 400 that names the field" + (f"; not {bad}" if bad else ""))
        checks.check(server.complete("a", 2)[0] is not None, "the server serves on")


def isolation(checks, options):
    """S7"""
    keys = ("k-first", "k-other")
    flags = [flag for key in keys for flag in ("--api-key", key)]
    with Server(options.minke, options.model, *flags, key=keys[0]) as server:
        prompt = "secretzebra " + words(400, 7)

        def cached(key):
            return server.post(request(prompt, 1), key=key)[2]["usage"]["prompt_tokens_details"]["cached_tokens"]

        counts = cached(keys[0]), cached(keys[0]), cached(keys[1]), cached(keys[1])
        checks.check(counts[0] == 0 and counts[1] > 0 and counts[2] == 0 and counts[3] > 0,
                     f"tokens from the cache: first key {counts[0]} then {counts[1]}, other key {counts[2]} then {counts[3]}")
        answers = [server.ask("POST", path, body)[2].decode() for path, body in (
            ("/v1/completions", "{"), ("/v1/completions", "{}"), ("/v1/completions", '{"prompt":{"a":1}}'), ("/v1/chat/completions", "{}"),
            ("/v1/chat/completions", '{"messages":[{"role":"user","content":7}]}'), ("/v1/embeddings", "{}"), ("/nowhere", "{}"),
            ("/v1/completions", '{"prompt":"a","model":"/etc/passwd"}'))]
        told = [text for text in answers if re.search(r"0x[0-9a-f]{6,}|/work|/home|/root|/tmp|\.swift|secretzebra", text) or options.model in text]
        checks.check(not told, f"{len(answers)} errors without path, pointer or other users' text{f'; not {told}' if told else ''}")


# -------------------------------------------------------------------------------------------------------------- the soak


def soak(checks, options):
    """V6 and S9: eight clients, a tenth of whose requests make no sense or are left early."""
    with Server(options.minke, options.model, "--max-sequences", 8, "--cache-size", "64MB") as server:
        minutes, started = options.soak, time.monotonic()
        end = started + 60 * minutes
        statuses, gaps, unexpected, lock = {}, [], [], threading.Lock()
        working, idle = threading.Event(), threading.Semaphore(0)
        working.set()

        def note(status, expected):
            with lock:
                statuses[status] = statuses.get(status, 0) + 1
                if status not in expected:
                    unexpected.append(status)

        def client(number):
            choose = random.Random(number)
            while time.monotonic() < end:
                if not working.is_set():
                    idle.release()
                    working.wait()
                try:
                    kind = choose.random()
                    if kind < 0.05:
                        body = choose.choice(["{", "{}", '{"prompt":"a","n":99}', '{"prompt":"a","temperature":-1}', "\x00", "[]"])
                        note(server.ask("POST", "/v1/completions", body)[0], {400, 422})
                    elif kind < 0.1:
                        stream = Stream(server, request(words(choose.randint(5, 200), choose.random()), 400))
                        if stream.begin() == 200:
                            for index, _ in enumerate(stream.pieces()):
                                if index == choose.randint(1, 20):
                                    break
                        stream.close()
                        note("left", {"left"})
                    elif kind < 0.4:
                        body = request(words(choose.randint(5, 200), choose.random()), choose.randint(1, 60))
                        note(server.post(body)[0], {200})
                    else:
                        common = words(60, choose.randint(0, 5))
                        times, _ = streamed(server, common + " " + words(choose.randint(5, 100), choose.random()), choose.randint(20, 120))
                        note(200, {200})
                        at = time.monotonic() - started
                        with lock:
                            gaps.extend((at, b - a) for a, b in zip(times, times[1:]))
                except (OSError, RuntimeError, ValueError, http.client.HTTPException) as error:
                    note(f"{type(error).__name__}: {error}", set())

        threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        window = max(10.0, min(300.0, 60 * minutes / 6))
        # Under load memory follows the prompts at hand, up and down by a third: what stays is seen when nobody asks. The
        # allocator settles within the first sixth; growth is counted from there.
        samples, early = [], None

        def at_rest():
            # The same prompts every time, enough to fill what is kept of beginnings, so that this does not differ.
            for number in range(12):
                note(server.post(request(words(400, -1 - number), 1))[0], {200})
            time.sleep(2)
            return server.memory()

        while time.monotonic() < end:
            time.sleep(1)
            if early is None and time.monotonic() - started > window:
                working.clear()
                for _ in threads:
                    idle.acquire()
                early = at_rest()
                working.set()
            samples.append((time.monotonic() - started, server.memory(), server.files()))
            if len(samples) % 60 == 0:
                print(f"        {samples[-1][0] / 60:.0f} min: {sum(statuses.values())} requests, {samples[-1][1] / 1e6:.1f} MB, "
                      f"{samples[-1][2]} files", file=sys.stderr, flush=True)
        for thread in threads:
            thread.join()
        late = at_rest()

        def between(first, last, column):
            return [sample[column] for sample in samples if first <= sample[0] < last]
        length = samples[-1][0]
        loaded = [statistics.median(between(*span, 1)) / 1e6 for span in ((window, 2 * window), (length - window, length))]
        checks.check(not unexpected, f"{sum(statuses.values())} requests in {minutes:g} min: {statuses}" + (f"; unexpected {unexpected[:5]}" if unexpected else ""))
        checks.check(late / early - 1 < 0.01, f"memory of its own at rest {early / 1e6:.1f} MB early, {late / 1e6:.1f} MB late: "
                     f"{100 * (late / early - 1):+.2f} % (bar 1 %); at work {loaded[0]:.0f} and {loaded[1]:.0f} MB, at most {max(between(0, length, 1)) / 1e6:.0f}")
        files = (max(between(window, 2 * window, 2)), max(between(length - window, length + 1, 2)))
        checks.check(files[1] <= files[0] + 2, f"open files at most {files[0]} early, {files[1]} late")
        first, last = ([gap for at, gap in gaps if low <= at < high] for low, high in ((0, window), (length - window, length + 1)))
        ratio = percentile(last, 99) / percentile(first, 99)
        checks.check(ratio <= 1.1, f"p99 between tokens {1e3 * percentile(first, 99):.1f} ms first, {1e3 * percentile(last, 99):.1f} ms last: {ratio:.2f} (bar 1.1)")
        closed = wait_for(lambda: server.files() <= samples[0][2], 10)
        checks.check(closed and server.process.poll() is None, f"afterwards {server.files()} open files, the server runs")


SECTIONS = [endpoints, same, cache, disconnect, overload, shutdown, access, limits, fields, isolation]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model's folder or file; a small one makes the checks fast")
    parser.add_argument("--minke", default=str(ROOT / ".build/release/minke"), help="the program (default: the release build)")
    parser.add_argument("--only", help="sections, as disconnect,limits (default: all)")
    parser.add_argument("--cycles", type=int, default=100, help="departures of each kind (default 100)")
    parser.add_argument("--prefill-words", type=int, default=600, help="words of the prompts that are left early (default 600)")
    parser.add_argument("--overload-tokens", type=int, default=1000, help="tokens of the requests that occupy the places (default 1000)")
    parser.add_argument("--cache-tokens", type=int, default=600, help="tokens of each request against a small cache (default 600)")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="only the soak, for so long")
    options = parser.parse_args()
    options.minke = os.path.abspath(options.minke)
    if not os.access(options.minke, os.X_OK):
        parser.error(f"no program at {options.minke}; `swift build -c release` makes it")
    names = [section.__name__ for section in SECTIONS]
    chosen = options.only.split(",") if options.only else names
    if set(chosen) - set(names):
        parser.error(f"no section {', '.join(set(chosen) - set(names))}; there are {', '.join(names)}")
    checks = Checks()
    for section in [soak] if options.soak else [section for section in SECTIONS if section.__name__ in chosen]:
        print(f"--- {section.__name__}", flush=True)
        try:
            section(checks, options)
        except Exception as error:  # a check that cannot be made has failed; the others are still worth making
            checks.check(False, f"{section.__name__} ended early: {type(error).__name__}: {error}")
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
