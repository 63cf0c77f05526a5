"""A stand-in for Minke's server: the pages themselves, scripted answers, and the metrics of a made-up run."""

import http.server
import json
import math
import re
import time
from pathlib import Path

root = Path(__file__).resolve().parent.parent.parent
web = root / "Sources/CMinkePages/web"
types = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".svg": "image/svg+xml"}


def policy():
    """The Content-Security-Policy as the server sends it."""
    source = (root / "Sources/MinkeServing/Pages/Pages.swift").read_text()
    start = source.index("static let securityPolicy")
    return "".join(re.findall(r'"([^"]*)"', source[start:source.index("\n\n", start)]))


HOSTILE = """<img src=x onerror="window.hacked=1"> <script>window.hacked=2</script>

[click](javascript:window.hacked=3) [data](data:text/html,<script>1</script>) ![x](https://example.org/a"onload="x)
<https://example.org/"><svg/onload=window.hacked=4>> [ok](https://example.org/path_(a)?q=1) javascript:alert(1)

```html"><script>window.hacked=5</script>
<b>not bold</b>
```

| a | <i>b</i> |
|---|---|
| `<u>` | [x](JaVaScRiPt:window.hacked=6) |
"""

RICH = """# Whales of the north

A **minke whale** is *small*, for a whale: about `8 m`. It feeds on:

1. krill, which it filters
2. small fish
   - capelin
   - herring
3. and ~~plankton~~ whatever is there

> The sea, once it casts its spell,
> holds one in its net of wonder forever.

| species | length | weight |
|:--|--:|--:|
| minke | 8 m | 7 t |
| fin | 22 m | 60 t |
| blue | 27 m | 130 t |

```swift
func breathe(every minutes: Int) -> String {
    // A whale has to come up.
    "breath in \\(minutes) min"
}
```

More at https://example.org/whales, and 2 * 3 * 4 = 24, snake_case_name stays.
"""


class StandIn(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests = []
    models = ["minke-small"]
    key = None
    is_loading = False
    metrics = b""
    logs = []

    def log_message(self, *arguments):
        pass

    def reply(self, status, body, kind="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def refused(self):
        if StandIn.key and self.headers.get("Authorization") != f"Bearer {StandIn.key}":
            self.reply(401, {"error": {"message": "no key", "type": "authentication_error", "param": None,
                                       "code": "invalid_api_key"}})
            return True
        return False

    def loads(self):
        """Whether the model is not there yet, in the server's words."""
        if StandIn.is_loading:
            self.reply(503, {"error": {"message": "Loading model", "type": "unavailable_error", "param": None,
                                       "code": "loading"}}, Retry_After="1")
        return StandIn.is_loading

    def do_GET(self):
        path = self.path.split("?")[0]
        names = {"/": "chat.html", "/run": "run.html"}
        name = names.get(path) or (path[len("/pages/"):] if path.startswith("/pages/") else "")
        if path == "/pages/settings":
            return self.reply(200, {"model": "minke-small", "price_per_core_hour": 0.04, "cores": 8,
                                    "needs_key": StandIn.key is not None, "version": "0.1.0", "has_run": True})
        if "/" not in name and (web / name).is_file():
            return self.reply(200, (web / name).read_bytes(), types[(web / name).suffix],
                              Content_Security_Policy=policy(), X_Content_Type_Options="nosniff", Cache_Control="no-cache")
        if path == "/v1/models":
            models = [{"id": name, "object": "model", "meta": {"chat": name != "minke-base"}} for name in StandIn.models]
            return self.refused() or self.loads() or self.reply(200, {"object": "list", "data": models})
        if path.startswith("/runs/metrics"):
            return self.refused() or self.metrics_reply(path[len("/runs/metrics"):].strip("/"))
        self.reply(404, {"error": {"message": "not found"}})

    def metrics_reply(self, cursor):
        start = int(cursor.split("-")[0]) if cursor else 0
        restarted = start > len(StandIn.metrics)
        start = 0 if restarted else start
        piece = StandIn.metrics[start:start + 100_000]
        end = piece.rfind(b"\n") + 1
        body = {"name": "books", "lines": [json.loads(line) for line in piece[:end].splitlines()],
                "cursor": f"{start + end}-", "restarted": restarted, "more": start + end < len(StandIn.metrics) and end > 0,
                "age_seconds": 1.0 if StandIn.metrics else None}
        if start == 0:
            body["settings"] = {"num_hidden_layers": 6, "hidden_size": 384, "n_routed_experts": 16, "num_experts_per_tok": 4,
                                "learning_rate": 0.002, "steps": 400, "precision": "bf16"}
        self.reply(200, body)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        StandIn.requests.append(body)
        if self.refused():
            return
        question = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        self.chats = "messages" in body
        if "busy" in question:
            return self.reply(429, {"error": {"message": "queue full", "type": "rate_limit_error"}}, Retry_After="7")
        if "broken" in question:
            return self.reply(500, {"error": {"message": "it broke", "type": "server_error"}})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self.stream(question)
        except (BrokenPipeError, ConnectionResetError):
            StandIn.logs.append("left")

    def stream(self, question):
        def event(delta=None, usage=None, finish=None, **others):
            chunk = {"id": "c", "object": "chat.completion.chunk", "usage": usage,
                     "choices": [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}], **others}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

        if not self.chats:
            for piece in (" a", " time"):
                event(**{"choices": [{"index": 0, "text": piece, "finish_reason": None}]})
            event(**{"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]})
            event(usage={"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4})
            return self.wfile.write(b"data: [DONE]\n\n")
        event({"role": "assistant", "content": ""})
        self.wfile.write(b": keep-alive\n\n")
        if "think" in question:
            for word in "First I look at the question. **Then** I answer it.".split(" "):
                event({"reasoning_content": word + " "})
                time.sleep(0.01)
        text = (HOSTILE if "hostile" in question else RICH if "whales" in question
                else "word " * 2000 if "long" in question else f"You said: {question}")
        for at, piece in enumerate(re.findall(r"\s*\S+", text)):
            event({"content": piece})
            time.sleep(0.02 if "long" in question else 0.002)
            if "lost" in question and at == 2:
                return
            if "sour" in question and at == 2:
                return event(error={"message": "out of memory", "type": "server_error"})
        event({}, finish="length" if "limit" in question else "stop")
        event(usage={"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46,
                     "prompt_tokens_details": {"cached_tokens": 8}})
        self.wfile.write(b"data: [DONE]\n\n")


def metric_lines(first, last, total=400):
    """A run's metrics from one step to another."""
    lines = []
    for step in range(first, last + 1):
        loss = 2 + 5 * math.exp(-step / 60) + 0.15 * math.sin(step * 7)
        line = {"step": step, "tokens": step * 8192, "cpu_seconds": step * 6.4, "seconds": step * 0.8, "loss": loss,
                "gradient_norm": 0.4, "rate": min(1, step / 40, (total - step) / 100 + 0.1), "total_steps": total,
                "tokens_per_second": 10_000 + 700 * math.sin(step), "dollars": step * 7.1e-5,
                "expert_load": {str(layer): [int(500 * (1 + 0.8 * math.sin(expert * 2 + layer) * math.exp(-step / 90)))
                                             for expert in range(16)] for layer in range(1, 6)}}
        lines.append(json.dumps(line))
        if step % 40 == 0:
            lines.append(json.dumps({"step": step, "tokens": step * 8192, "validation_loss": loss + 0.1,
                                     "validation_bits_per_byte": (loss + 0.1) / 2.6}))
    lines.append(json.dumps({"step": last, "sample": "The whale <b>swam</b> home,\nand nobody saw it."}))
    return ("\n".join(lines) + "\n").encode()
