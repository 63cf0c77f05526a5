#!/usr/bin/env python3
"""Throughput of a server under load: `minke serve` against llama.cpp's server, alternately, with the same load generator.

Each round starts both servers, one after the other, on the same file with the same threads, and puts the same requests on
each with `minke bench --server` (random words, greedy, streamed completions; the seed of the round). A pair shares the
machine's mood; ratios are formed pair by pair.

  output tokens/s   of all clients together, from the first request to the last answer
  TTFT, ITL         median time to the first token, and between tokens
  others            cores that other work kept busy while one server was under load: near 0 on a quiet machine

The peer is `python -m llama_cpp.server` of llama-cpp-python, or with --llama-server PATH llama.cpp's own server, which
batches (one slot a client: `--parallel`). llama-cpp-python's answers one request at a time.

Needs: a release build of both programs (`swift build -c release`), a GGUF file, as by `make_synthetic_gguf.py`, and
llama-cpp-python[server] in the interpreter given by --python. Everything stays on 127.0.0.1.

  serving.py v2-lite.gguf                                              # 1, 4, 8 and 16 clients, 3 pairs
  serving.py v2-lite.gguf --rounds 1 --clients 1,8 --output-tokens 16  # a quick look
"""
import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from side_by_side import cores, field, find_minke, introduction, machine, quiet_or_warn, run_json, shown, spread, text_of

HOST = "127.0.0.1"


class Server:
    """A server that runs while a `with` lasts."""

    def __init__(self, name, command, port):
        self.name, self.command, self.port = name, [str(part) for part in command], port

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 300
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://{HOST}:{self.port}/v1/models", timeout=5):
                    return self
            except OSError:
                time.sleep(0.2)
        self.stop()
        self.log.seek(0)
        raise SystemExit(f"{self.name} does not answer:\n{' '.join(self.command)}\n{self.log.read()[-2000:]}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __exit__(self, *_):
        self.stop()
        self.log.close()

    def peak_memory(self):
        """VmHWM in bytes; None where the system does not say."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return None
        return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), None)


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def minke_server(binary, options):
    port = free_port()
    return Server("minke serve", [binary, "serve", options.model, "--port", port, "--threads", options.threads,
                                  "--context", options.context, "--max-sequences", max(options.clients)], port)


def peer_server(options):
    port = free_port()
    if options.llama_server:
        slots = max(options.clients)
        return Server("llama-server", [
            options.llama_server, "-m", options.model, "--host", HOST, "--port", port, "-t", options.threads, "--parallel", slots,
            "-c", options.context * slots], port)
    return Server("llama_cpp.server", [
        options.python, "-m", "llama_cpp.server", "--model", options.model, "--host", HOST, "--port", port, "--n_threads",
        options.threads, "--n_threads_batch", options.threads, "--n_ctx", options.context, "--interrupt_requests", "false"], port)


def measure(server, binary, options, seed):
    """Figures by number of clients."""
    figures, others = {}, []
    with server:
        for clients in options.clients:
            requests = max(options.requests, 2 * clients)
            command = [binary, "bench", "--server", f"http://{HOST}:{server.port}", "--clients", clients, "--requests", requests,
                       "--prompt-tokens", options.prompt_tokens, "--output-tokens", options.output_tokens, "--interface", "completions",
                       "--seed", 1000 * seed + clients, "--json"]
            before = busy_seconds(server.process.pid)
            result = run_json(command)
            run = field(result, "runs", "`minke bench --server`")[0]
            if run["failed"]:
                raise SystemExit(f"{server.name}, {clients} clients: {run['failures']}")
            # The server's own work is no disturbance.
            own = busy_seconds(server.process.pid) - before
            if result["others"] is not None:
                others.append(round(max(0.0, result["others"] - own / max(run["seconds"], 1e-9)), 2))
            figures[clients] = run
        memory = server.peak_memory()
    return {"figures": figures, "peak_memory_bytes": memory, "others": max(others, default=None)}


def busy_seconds(pid):
    """CPU seconds of a process so far."""
    try:
        parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def numbers(text):
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list like 1,4,8,16")
    if min(found) < 1:
        raise argparse.ArgumentTypeError("numbers below 1")
    return found


def peer_version(options):
    if options.llama_server:
        return f"llama-server {Path(options.llama_server).name}"
    command = [options.python, "-c", "import llama_cpp; print(llama_cpp.__version__)"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{options.python} has no llama_cpp: pip install 'llama-cpp-python[server]', or name another --python")
    return f"llama-cpp-python {done.stdout.strip().splitlines()[-1]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("--clients", type=numbers, default=[1, 4, 8, 16], help="numbers of clients (default 1,4,8,16)")
    parser.add_argument("--requests", type=int, default=4, help="requests of a run; at least two a client (default 4)")
    parser.add_argument("--prompt-tokens", default="64", help="tokens of a prompt, as 64 or 32-128 (default 64)")
    parser.add_argument("--output-tokens", default="32", help="tokens of an answer (default 32)")
    parser.add_argument("--context", type=int, default=512, help="tokens of a prompt and its answer at most (default 512)")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs (default 3)")
    parser.add_argument("--threads", type=int, default=cores(), help="threads of each side (default: the cores there are)")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has llama-cpp-python[server] (default: this one)")
    parser.add_argument("--llama-server", metavar="PATH", help="llama.cpp's server instead of llama-cpp-python's")
    parser.add_argument("--minke", help="the minke binary (default: this package's release build)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, the rest on standard error")
    options = parser.parse_args()
    if min(options.rounds, options.requests, options.threads, options.context) < 1:
        parser.error("--rounds, --requests, --threads and --context must be at least 1")
    if not Path(options.model).is_file():
        parser.error(f"no file {options.model}")

    def say(line):
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    binary, facts, peer = find_minke(options.minke), machine(), peer_version(options)
    say(introduction(facts))
    say(f"{Path(options.model).name}, {Path(options.model).stat().st_size / 1e9:.2f} GB, {options.threads} threads, prompts of "
        f"{options.prompt_tokens} tokens, answers of {options.output_tokens}; peer: {peer}\n")
    rounds = []
    for number in range(1, options.rounds + 1):
        pair = {}
        for side, make in (("minke", lambda: minke_server(binary, options)), ("peer", lambda: peer_server(options))):
            r = pair[side] = measure(make(), binary, options, number)
            speeds = ", ".join(f"{clients}: {run['output_tokens_per_second']:.1f}" for clients, run in r["figures"].items())
            say(f"{number:3} {side:6} others {shown(r['others'])}  tokens/s by clients  {speeds}")
        rounds.append(pair)

    def speed(pair, side, clients):
        return pair[side]["figures"][clients]["output_tokens_per_second"]

    def span(side, clients):
        values = [speed(pair, side, clients) for pair in rounds]
        return f"{min(values):.1f}–{statistics.median(values):.1f}–{max(values):.1f}"

    def middle(side, clients, name):
        values = [pair[side]["figures"][clients][name]["p50"] for pair in rounds]
        return 1e3 * statistics.median(value for value in values if value is not None)

    ratios = {clients: spread([speed(pair, "minke", clients) / speed(pair, "peer", clients) for pair in rounds]) for clients in options.clients}
    say(f"\n{'clients':>7}  {'minke, tokens/s':>18}  {'peer, tokens/s':>18}  {'TTFT ms, minke / peer':>22}  {'ITL ms, minke / peer':>21}  minke / peer")
    for clients in options.clients:
        latencies = [f"{middle('minke', clients, name):.0f} / {middle('peer', clients, name):.0f}" for name in ("ttft", "itl")]
        say(f"{clients:7}  {span('minke', clients):>18}  {span('peer', clients):>18}  {latencies[0]:>22}  {latencies[1]:>21}  {text_of(ratios[clients])}")
    memories = {side: [pair[side]["peak_memory_bytes"] for pair in rounds if pair[side]["peak_memory_bytes"]] for side in ("minke", "peer")}
    if all(memories.values()):
        say("peak memory, GB: " + ", ".join(f"{side} {max(values) / 1e9:.2f}" for side, values in memories.items()))
    quiet_or_warn(say, [pair[side] for pair in rounds for side in ("minke", "peer")])
    if options.json:
        settings = {key: getattr(options, key) for key in ("clients", "requests", "prompt_tokens", "output_tokens", "context", "threads")}
        print(json.dumps({"benchmark": "serving", "machine": facts, "peer": peer, "settings": settings, "model": Path(options.model).name,
                          "minke_over_peer": {"output_tokens_per_second": ratios}, "rounds": rounds}))


if __name__ == "__main__":
    main()
