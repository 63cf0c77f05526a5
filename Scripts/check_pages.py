#!/usr/bin/env python3
"""Drives the chat page and the run page in headless Chromium and says what does not work.

    Scripts/check_pages.py [--chromium PATH] [--shots FOLDER] [--server URL] [-v]

Needs Chromium or Chrome; ends with code 2 where there is none. The pages are served by a stand-in with scripted answers
and the headers that Minke sends, so that every case can be made to happen. With --server, a running `minke-server` is
tried too: a question, its answer, its figures. --shots keeps pictures at 1280 and 390 pixels, light and dark.
"""

import argparse
import base64
import http.server
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

root = Path(__file__).resolve().parent.parent
web = root / "Sources/CMinkePages/web"
types = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".svg": "image/svg+xml"}


def policy():
    """The Content-Security-Policy as the server sends it."""
    source = (root / "Sources/MinkeServing/Pages/Pages.swift").read_text()
    start = source.index("static let securityPolicy")
    return "".join(re.findall(r'"([^"]*)"', source[start:source.index("\n\n", start)]))


# The stand-in for the server.

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
            return self.refused() or self.reply(200, {"object": "list", "data": models})
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


# The browser, through its DevTools pipe: messages of JSON, each ended by a zero byte.

class Browser:
    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="minke-pages-")
        to_browser, self.output = os.pipe()
        self.input, from_browser = os.pipe()

        def hand_over():
            os.dup2(to_browser, 30)
            os.dup2(from_browser, 31)
            os.dup2(30, 3)
            os.dup2(31, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
             f"--user-data-dir={self.folder}", "--disable-dev-shm-usage", "about:blank"],
            preexec_fn=hand_over, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest, self.problems = 0, b"", []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                data = os.read(self.input, 1 << 20)
                if not data:
                    raise SystemExit("the browser ended")
                self.rest += data
            text, self.rest = self.rest.split(b"\0", 1)
            answer = json.loads(text)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.note(answer)

    def note(self, event):
        """What the console says counts: a violated policy, an exception."""
        if event.get("method") == "Runtime.exceptionThrown":
            details = event["params"]["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            self.problems.append(event["params"]["entry"]["text"] + " " + event["params"]["entry"].get("url", ""))

    def js(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"].get("exception", {}).get("description", expression))
        return result["result"].get("value")

    def wait(self, expression, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.js(expression):
                return True
            time.sleep(0.05)
        return False

    def go(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
        time.sleep(0.3)

    def size(self, width, height=860, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1,
                  mobile=phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key, modifiers=0):
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowUp": 38, "k": 75}
        common = {"key": key, "code": key if len(key) > 1 else f"Key{key.upper()}", "windowsVirtualKeyCode": codes[key],
                  "modifiers": modifiers}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def click(self, selector):
        place = self.js(f"(() => {{ const node = document.querySelector({json.dumps(selector)}); node.scrollIntoView("
                        "{block: 'nearest'}); const box = node.getBoundingClientRect();"
                        "return [box.x + box.width / 2, box.y + box.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def shot(self, folder, name):
        if folder:
            data = self.call("Page.captureScreenshot", format="png")["data"]
            (folder / f"{name}.png").write_bytes(base64.b64decode(data))


# The checks.

class Checks:
    def __init__(self, browser, address, shots, verbose):
        self.browser, self.address, self.shots, self.verbose = browser, address, shots, verbose
        self.passed, self.failed = 0, []

    def expect(self, what, holds):
        if holds:
            self.passed += 1
        else:
            self.failed.append(what)
        if self.verbose or not holds:
            print(("ok      " if holds else "FAILED  ") + what, flush=True)

    def ask(self, text):
        self.browser.js("document.querySelector('#input').focus()")
        self.browser.type(text)
        self.browser.press("Enter")

    def idle(self):
        return self.browser.wait("!document.body.classList.contains('busy')")

    last = "[...document.querySelectorAll('.theirs')].at(-1)"

    def said(self, part=".body"):
        return self.browser.js(f"{self.last}.querySelector('{part}').innerText")

    def chat(self):
        page, expect = self.browser, self.expect
        page.size(1280)
        page.scheme("light")
        page.go(self.address)
        page.shot(self.shots, "chat-empty-light-1280")
        expect("the field to write in has the focus", page.js("document.activeElement.id === 'input'"))
        expect("the model's name is shown", page.wait("document.querySelector('#model-name').textContent === 'minke-small'"))
        expect("a link to the run page is shown", page.js("!document.querySelector('#run-link').hidden"))

        page.type("hello")
        page.press("Enter", modifiers=8)
        page.type("there")
        expect("Shift+Enter starts a line", page.js("document.querySelector('#input').value") == "hello\nthere")
        page.press("Enter")
        expect("Enter sends, and the answer comes", self.idle() and self.said() == "You said: hello\nthere")
        request = StandIn.requests[-1]
        expect("the request is streamed with usage", request["stream"] and request["stream_options"]["include_usage"])
        expect("unset settings are left to the server", set(request) == {"model", "messages", "stream", "stream_options"})
        facts = self.said(".facts")
        expect(f"tokens, speed, first token and cost are shown: {facts!r}",
               all(part in facts for part in ("34 tokens", "tokens/s", "first after", "$0.0")))
        expect("the answer is told to those who listen",
               "You said: hello" in page.js("document.querySelector('#status').textContent"))
        expect("the conversation is in the list",
               page.js("document.querySelector('#conversations button[aria-current=page]').innerText") == "hello there")

        self.ask("think about whales")
        expect("an answer with reasoning ends", self.idle())
        expect("reasoning is folded", page.js(f"!{self.last}.querySelector('details').open"))
        expect("its label says how long", page.js(f"{self.last}.querySelector('summary').innerText").startswith("Thought for"))
        page.js(f"{self.last}.querySelector('summary').click()")
        expect("unfolded, it is there", page.wait(f"{self.last}.querySelector('.thought strong')?.innerText === 'Then'"))
        expect("the history goes along, without reasoning", [message["role"] for message in StandIn.requests[-1]["messages"]]
               == ["user", "assistant", "user"] and "reasoning_content" not in json.dumps(StandIn.requests[-1]))
        for selector, number in {"h3": 1, "ol > li": 3, "ul > li": 2, "blockquote": 1, "table tbody tr": 3, "td.right": 6,
                                 "pre code": 1, "del": 1, ".body a": 1}.items():
            found = page.js(f"{self.last}.querySelector('.body').parentNode.querySelectorAll('{selector}').length")
            expect(f"Markdown: {number} × {selector}, found {found}", found == number)
        expect("Markdown: stars and underscores within words stay",
               "2 * 3 * 4 = 24, snake_case_name stays" in self.said())
        page.js(f"{self.last}.querySelector('summary').click()")
        page.js(f"{self.last}.querySelector('.listing button').click()")
        expect("code can be copied", page.wait(f"/Copied|Not copied/.test({self.last}.querySelector('.listing').innerText)"))
        page.js("document.querySelector('#scroller').scrollTop = 260")
        page.shot(self.shots, "chat-rich-light-1280")
        page.js("document.querySelector('#scroller').scrollTop = 1e9")

        self.ask("a long answer")
        page.wait(f"{self.last}.querySelector('.body').innerText.length > 60")
        expect("while it is written, the button stops", page.js("document.querySelector('#send').ariaLabel") == "Stop")
        expect("the speed is shown while it is written", "about" in self.said(".facts"))
        page.press("Escape")
        expect("Esc stops", self.idle() and "Stopped." in self.said(".problem"))
        length = page.js(f"{self.last}.querySelector('.body').innerText.length")
        time.sleep(0.3)
        expect("and nothing comes after it", page.js(f"{self.last}.querySelector('.body').innerText.length") == length > 0)
        expect("the server notices", self.browser.wait("true") and self.eventually(lambda: "left" in StandIn.logs))

        before = page.js("document.querySelectorAll('article').length")
        number = len(StandIn.requests)
        page.js(f"{self.last}.querySelector('[title=\"Answer again\"]').click()")
        page.wait(f"{self.last}.querySelector('.body').innerText.length > 20")
        page.js("document.querySelector('#send').click()")
        expect("an answer can be asked for again, and the button stops it", self.idle()
               and page.js("document.querySelectorAll('article').length") == before and len(StandIn.requests) == number + 1)

        page.js("[...document.querySelectorAll('.mine')][1].querySelector('[title=\"Edit and send again\"]').click()")
        expect("editing puts the cursor into the text", page.js("document.activeElement.closest('.edit') !== null"))
        page.press("Escape")
        expect("Esc leaves it as it was", page.js("document.querySelectorAll('.edit').length") == 0
               and page.js("document.querySelectorAll('article').length") == before)
        page.js("[...document.querySelectorAll('.mine')][1].querySelector('[title=\"Edit and send again\"]').click()")
        page.js("document.activeElement.select()")
        page.type("edited")
        page.press("Enter")
        expect("an edited message is sent, and replaces what followed", self.idle() and self.said() == "You said: edited"
               and page.js("document.querySelectorAll('article').length") == 4)
        page.press("ArrowUp")
        expect("the arrow up edits the last message", page.js("document.activeElement.value") == "edited")
        page.press("Escape")
        self.ask("to the limit")
        expect("an answer cut at the limit says so", self.idle() and "token limit" in self.said(".problem"))

    def hostile(self):
        page, expect = self.browser, self.expect
        page.press("k", modifiers=2)
        expect("Ctrl+K starts a chat", page.wait("document.querySelectorAll('article').length === 0")
               and page.js("document.activeElement.id === 'input'"))
        self.ask("hostile <b>question</b>")
        expect("a hostile answer ends", self.idle())
        time.sleep(0.3)
        expect("no script of the model ran", page.js("window.hacked === undefined"))
        expect("its tags are text", "<img src=x onerror=" in self.said() and "<b>not bold</b>" in self.said())
        expect("no element came of it", page.js(f"{self.last}.querySelectorAll('.body :is(img, script, svg:not(.icon), i, u, b)').length") == 0)
        links = page.js(f"[...{self.last}.querySelectorAll('.body a')].map((link) => link.href)")
        expect(f"only links of http(s) are links: {links}",
               all(link.startswith("https://example.org/") for link in links) and "https://example.org/path_(a)?q=1" in links)
        expect("links open apart and tell nothing", page.js(
            f"[...{self.last}.querySelectorAll('.body a')].every((a) => a.rel.includes('noopener') && a.target === '_blank')"))
        expect("the question's tags are text", page.js("document.querySelector('.mine b') === null"))
        expect("the console is quiet: " + " | ".join(page.problems), not page.problems)
        taken = page.js("""(async () => {
            const { renderMarkdown } = await import('./pages/markdown.js');
            const texts = ['*a **b '.repeat(20000), '['.repeat(50000), '`'.repeat(3) + ' ` '.repeat(30000), '> '.repeat(20000),
                '- '.repeat(20000), '_a*b~~c`d['.repeat(10000), '|'.repeat(50000) + '\\n' + '|-'.repeat(25000),
                '![](' .repeat(20000), '<h'.repeat(40000), '\\\\'.repeat(50001), '**'.repeat(40000), 'https://'.repeat(9000)];
            return texts.map((text) => {
                const start = performance.now();
                renderMarkdown(document.createElement('div'), text);
                return Math.round(performance.now() - start);
            }); })()""")
        print(f"        milliseconds to render texts made to be slow: {taken}")
        whole = page.js("""(async () => {
            const { renderMarkdown } = await import('./pages/markdown.js');
            const once = document.createElement('div'), grown = document.createElement('div');
            const text = """ + json.dumps(RICH) + """;
            renderMarkdown(once, text);
            for (let end = 0; end <= text.length; end += 1) renderMarkdown(grown, text.slice(0, end));
            return once.isEqualNode(grown); })()""")
        expect("a text that came letter by letter looks like one that came at once", whole)

    def history(self):
        page, expect = self.browser, self.expect
        number = page.js("document.querySelectorAll('#conversations li').length")
        page.go(self.address)
        expect("after a reload the history is there", number == 2
               and page.js("document.querySelectorAll('#conversations li').length") == 2
               and page.js("document.querySelectorAll('article').length") == 2)
        page.js("document.querySelectorAll('#conversations button')[1].click()")
        expect("another conversation opens", page.wait("document.querySelectorAll('article').length === 6"))
        expect("with its figures", "34 tokens" in self.said(".facts"))
        page.click("#rename")
        page.type("Of whales")
        page.press("Enter")
        expect("it can be renamed", page.wait("document.querySelector('#title').textContent === 'Of whales'")
               and "Of whales" in page.js("document.querySelector('#conversations').innerText"))
        text = page.js("""(async () => { let kept; const make = URL.createObjectURL;
            URL.createObjectURL = (blob) => { kept = blob; return make.call(URL, blob); };
            document.querySelector('#export').click(); URL.createObjectURL = make; return await kept.text(); })()""")
        expect("it can be exported", text.startswith("# Of whales\n\n## You\n\nhello\nthere\n"))
        page.click("#delete")
        page.wait("document.querySelector('#question').open")
        page.shot(self.shots, "chat-delete-light-1280")
        page.press("Escape")
        expect("deleting asks first", page.wait("!document.querySelector('#question').open")
               and page.js("document.querySelectorAll('#conversations li').length") == 2)
        page.click("#delete")
        page.wait("document.querySelector('#question').open")
        page.click("#question-yes")
        expect("and then deletes", page.wait("document.querySelectorAll('#conversations li').length === 1"))
        page.js("localStorage.setItem('minke.chats', '{broken'); localStorage.setItem('minke.settings', '7')")
        page.go(self.address)
        expect("a damaged history is as good as none", page.js("!document.querySelector('#welcome').hidden"))
        page.js("localStorage.clear()")

    def settings(self):
        page, expect = self.browser, self.expect
        page.go(self.address)
        page.click("#open-settings")
        page.wait("document.querySelector('#settings').open")
        for name, value in {"system": "Be brief.", "temperature": "0.7", "top_p": "0.9", "max_tokens": "50"}.items():
            page.js(f"document.querySelector('#settings [name={name}]').value = {json.dumps(value)}")
        page.js("document.querySelector('#settings [name=thinking]').value = 'disabled'")
        page.shot(self.shots, "settings-light-1280")
        page.click("#settings .primary")
        page.wait("!document.querySelector('#settings').open")
        self.ask("with settings")
        self.idle()
        request = StandIn.requests[-1]
        expect("settings go into the request", request["temperature"] == 0.7 and request["top_p"] == 0.9
               and request["max_tokens"] == 50 and request["thinking"] == {"type": "disabled"}
               and request["messages"][0] == {"role": "system", "content": "Be brief."})
        StandIn.models = ["minke-small", "minke-base"]
        page.js("localStorage.removeItem('minke.settings')")
        page.go(self.address)
        page.wait("!document.querySelector('#model').hidden")
        page.js("document.querySelector('#model').value = 'minke-base';"
                "document.querySelector('#model').dispatchEvent(new Event('change'))")
        page.press("k", modifiers=2)
        for text in ("Once upon", "The king"):
            self.ask(text)
            self.idle()
        expect("a model without a template continues texts", self.said() == "a time" and StandIn.requests[-1]
               == {"model": "minke-base", "prompt": "Once upon a time\nThe king", "max_tokens": 256, "stream": True,
                   "stream_options": {"include_usage": True}})
        expect("and says so", "continues texts" in page.js("document.querySelector('#model-line').innerText"))
        page.shot(self.shots, "chat-base-light-1280")
        StandIn.models = ["minke-small"]
        page.js("localStorage.setItem('minke.settings', JSON.stringify({temperature: '0.7'}))")
        page.go(self.address)
        page.click("#open-settings")
        expect("settings last", page.js("document.querySelector('#settings [name=temperature]').value") == "0.7")
        page.press("Escape")
        page.js("localStorage.clear()")

    def errors(self):
        page, expect = self.browser, self.expect
        page.go(self.address)
        for question, words, kept in (("busy", "busy. Try again in 7", False), ("broken", "Something went wrong on the server", False),
                                      ("lost", "connection was lost", True), ("sour", "out of memory", True)):
            self.ask(question)
            self.idle()
            text = self.said(".problem")
            expect(f"{question}: {text!r}", words in text and (not kept or self.said().startswith("You said")))
        expect("an error offers another try", page.js(f"{self.last}.querySelector('.problem button').innerText") == "Try again")
        page.shot(self.shots, "chat-errors-light-1280")

        page.press("k", modifiers=2)
        StandIn.key = "secret"
        self.ask("with a key")
        expect("without a key, the settings ask for it", page.wait("document.querySelector('#settings').open")
               and page.js("document.activeElement.name === 'key'") and "API key" in self.said(".problem"))
        page.type("secret")
        page.press("Enter")
        expect("with it, the question is asked again", page.wait("!document.querySelector('#settings').open") and self.idle()
               and self.said() == "You said: with a key")
        expect("the key is kept for the tab only", page.js("sessionStorage.getItem('minke.key')") == "secret"
               and "secret" not in page.js("JSON.stringify({...localStorage})"))
        StandIn.key = None
        page.js("sessionStorage.clear(); localStorage.clear()")

    def looks(self):
        page, expect = self.browser, self.expect
        page.go(self.address)
        self.ask("Tell me about whales, and think first")
        self.idle()
        for scheme in ("light", "dark"):
            page.scheme(scheme)
            for width, phone in ((1280, False), (390, True)):
                page.size(width, 844, phone)
                page.js("document.querySelector('#scroller').scrollTop = 0")
                time.sleep(0.3)
                page.shot(self.shots, f"chat-{scheme}-{width}")
                page.js("document.querySelector('#scroller').scrollTop = 1e9")
                time.sleep(0.2)
                page.shot(self.shots, f"chat-end-{scheme}-{width}")
                wide = page.js("document.documentElement.scrollWidth - innerWidth")
                expect(f"{width} pixels, {scheme}: nothing sticks out", wide <= 0)
        expect("dark is dark", page.js("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 27)")
        page.click("#open-menu")
        expect("on a phone the list slides in", page.wait("document.querySelector('#sidebar').getBoundingClientRect().x === 0"))
        page.shot(self.shots, "chat-menu-dark-390")
        page.press("Escape")
        time.sleep(0.4)
        expect("and out again", page.js("document.querySelector('#sidebar').getBoundingClientRect().right <= 0"))
        small = page.js("""[...document.querySelectorAll('main button, .dock button')].filter((node) => node.offsetParent
            && (node.offsetWidth < 32 || node.offsetHeight < 32)).length""")
        expect("buttons are large enough for fingers", small == 0)
        page.size(1280)
        page.js("document.querySelector('[data-theme-switch]').click()")
        expect("the switch overrules the system", page.js("getComputedStyle(document.body).backgroundColor") == "rgb(251, 251, 250)")
        page.go(self.address)
        expect("and lasts", page.js("document.documentElement.dataset.theme") == "light")
        page.js("localStorage.clear()")
        page.scheme("light")

        page.go(self.address)
        page.js("document.querySelector('#new').focus()")
        page.press("Tab")
        expect("the focus can be seen", page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid")
        for name in ("chat", "run"):
            page.go(self.address + ("run" if name == "run" else ""))
            unnamed = page.js("""[...document.querySelectorAll('button, a, input, textarea, select')].filter((node) =>
                !(node.innerText?.trim() || node.ariaLabel || node.labels?.length)).map((node) => node.outerHTML)""")
            expect(f"{name}: everything has a name: {unnamed}", not unnamed)

    def run(self):
        page, expect = self.browser, self.expect
        page.size(1280)
        page.scheme("light")
        StandIn.metrics = b""
        page.go(self.address + "run")
        expect("before its first step a run is waited for", page.wait("!document.querySelector('#waiting').hidden"))
        StandIn.metrics = metric_lines(1, 90)
        expect("then it appears by itself", page.wait("document.querySelectorAll('.plot').length === 4")
               and "training" in page.js("document.querySelector('#state').textContent"))
        expect("with the loads of all layers", page.js("document.querySelectorAll('.heat').length") == 5)
        figures = page.js("document.querySelector('#figures').innerText")
        expect("and its figures", all(word in figures for word in
                                      ("Validation loss", "Speed", "Time left", "Cost so far", "Learning rate")))
        expect("a sample's tags are text", "<b>swam</b>" in page.js("document.querySelector('#sample-text').innerText"))
        path = page.js("document.querySelector('.plot > svg .line').getAttribute('d')")
        StandIn.metrics += metric_lines(91, 260)
        expect("it goes on", page.wait("document.querySelector('#progress-text').innerText.startsWith('Step 260 of 400')")
               and page.js("document.querySelector('.plot > svg .line').getAttribute('d')") != path)
        for scheme in ("light", "dark"):
            page.scheme(scheme)
            for width, phone in ((1280, False), (390, True)):
                page.size(width, 844, phone)
                time.sleep(0.3)
                page.shot(self.shots, f"run-{scheme}-{width}")
                page.js("document.querySelector('#plots').scrollIntoView()")
                page.shot(self.shots, f"run-plots-{scheme}-{width}")
                page.js("document.querySelector('#experts').scrollIntoView()")
                page.shot(self.shots, f"run-experts-{scheme}-{width}")
                page.js("scrollTo(0, 0)")
                expect(f"run page, {width} pixels, {scheme}: nothing sticks out",
                       page.js("document.documentElement.scrollWidth - innerWidth") <= 0)
        page.size(1280)
        StandIn.metrics = metric_lines(1, 30)
        expect("a run begun anew is drawn anew",
               page.wait("document.querySelector('#progress-text').innerText.startsWith('Step 30 of')"))
        StandIn.metrics += metric_lines(31, 400)
        expect("the end is seen", page.wait("document.querySelector('#state').textContent === 'finished'"))
        expect("the console is quiet: " + " | ".join(page.problems), not page.problems)

    def real(self, server):
        page, expect = self.browser, self.expect
        page.size(1280)
        page.scheme("light")
        page.go(server if server.endswith("/") else server + "/")
        page.js("localStorage.clear()")
        page.go(server if server.endswith("/") else server + "/")
        expect("real server: the model's name is shown", page.wait("document.querySelector('#model-name').textContent !== ''"))
        self.ask("Once upon a time")
        expect("real server: an answer comes", page.wait("document.querySelectorAll('.theirs').length === 1", 60)
               and page.wait("!document.body.classList.contains('busy')", 300) and self.said() != "")
        print(f"        the answer's figures: {self.said('.facts')!r} {self.said('.problem')!r}")
        expect("real server: with its figures", "tokens" in self.said(".facts") and "about" not in self.said(".facts"))
        expect("real server: the console is quiet: " + " | ".join(page.problems), not page.problems)
        page.shot(self.shots, "real-light-1280")

    def eventually(self, holds, seconds=10):
        end = time.monotonic() + seconds
        while not holds() and time.monotonic() < end:
            time.sleep(0.05)
        return holds()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chromium")
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--server")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    program = arguments.chromium or next(filter(None, map(shutil.which, names)), None)
    if not program:
        print("no Chromium here; install one, or name it with --chromium", file=sys.stderr)
        return 2
    size = sum(file.stat().st_size for file in web.iterdir())
    if arguments.shots:
        arguments.shots.mkdir(parents=True, exist_ok=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = Browser(program)
    try:
        checks = Checks(browser, f"http://127.0.0.1:{server.server_port}/", arguments.shots, arguments.verbose)
        checks.expect(f"the pages are smaller than 200 KB: {size} bytes", size < 200_000)
        outside = [f"{file.name}: {match}" for file in web.iterdir()
                   for match in re.findall(r'(?:src|href)="(?!pages/|#|run"|\./")[^"]*"', file.read_text())]
        checks.expect(f"nothing comes from elsewhere: {outside}", not outside)
        for part in (checks.chat, checks.hostile, checks.history, checks.settings):
            part()
        browser.problems.clear()
        checks.errors()
        browser.problems.clear()
        checks.looks()
        checks.run()
        if arguments.server:
            checks.real(arguments.server)
    finally:
        browser.close()
        server.shutdown()
    print(f"{checks.passed} of {checks.passed + len(checks.failed)} checks hold")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
