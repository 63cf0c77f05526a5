#!/usr/bin/env python3
"""Drives the chat page and the run page in headless Chromium and says what does not work.

    Scripts/check_pages.py [--chromium PATH] [--shots FOLDER] [--server URL] [-v]

Needs Chromium or Chrome; ends with code 2 where there is none. The pages are served by a stand-in with scripted answers
and the headers that Minke sends, so that every case can be made to happen. With --server, a running `minke-server` is
tried too: a question, its answer, its figures. --shots keeps pictures at 1280 and 390 pixels, light and dark.
"""

import argparse
import http.server
import json
import re
import shutil
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent / "pages"))

from browser import Browser  # noqa: E402
from standin import RICH, StandIn, metric_lines, web  # noqa: E402


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
        page.js("document.querySelector('#question-yes').click()")
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

    def loading(self):
        page, expect = self.browser, self.expect
        StandIn.is_loading = True
        page.go(self.address)
        expect("while the model loads, the page says so",
               page.wait("document.querySelector('#model-line').innerText.includes('is being loaded')")
               and page.js("document.querySelector('#status').textContent") == "The model is being loaded.")
        page.js("document.querySelector('#input').focus()")
        page.type("early")
        number = len(StandIn.requests)
        page.press("Enter")
        expect("what is written waits", page.js("document.querySelector('#input').value") == "early"
               and page.js("document.querySelector('#send').disabled") and len(StandIn.requests) == number)
        page.shot(self.shots, "chat-loading-light-1280")
        StandIn.is_loading = False
        expect("once it is there, it can be sent", page.wait("!document.querySelector('#send').disabled")
               and page.js("document.querySelector('#model-line').innerText") == "minke-small")
        page.press("Enter")
        expect("and is answered", self.idle() and self.said() == "You said: early")
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
        expect("with it, the question is asked again",
               page.wait(f"{self.last}.querySelector('.body').innerText === 'You said: with a key'") and self.idle())
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
        # A model that has not learned anything may think and then say nothing.
        expect("real server: an answer comes", page.wait("document.querySelectorAll('.theirs').length === 1", 60)
               and page.wait("!document.body.classList.contains('busy')", 300)
               and (self.said() != "" or page.js(f"{self.last}.querySelector('details') !== null")))
        print(f"        the answer's figures: {self.said('.facts')!r} {self.said('.problem')!r}")
        expect("real server: with its figures", "tokens" in self.said(".facts") and "about" not in self.said(".facts"))
        expect("real server: the console is quiet: " + " | ".join(page.problems), not page.problems)
        page.shot(self.shots, "real-light-1280")

    def eventually(self, holds, seconds=10):
        end = time.monotonic() + seconds
        while not holds() and time.monotonic() < end:
            time.sleep(0.05)
        return holds()


def address(text):
    if not re.match(r"https?://[^/\s]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; wanted: that of a running server, http://127.0.0.1:8080")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chromium")
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--server", type=address, metavar="URL")
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
        checks.loading()
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
