#!/usr/bin/env python3
"""Prompt and decoding speed of one GGUF file: minke against llama.cpp (llama-cpp-python), alternately.

Each round runs `minke bench MODEL` and then `peers/llama_cpp_inference.py` on the same file with the same threads, each in
a process of its own that measures everything once, so that a pair shares the machine's mood. Ratios are formed pair by pair.

  prefill N     tokens/s of one prompt of N tokens into an empty cache
  decode @ D    tokens/s of one sequence behind D cached tokens, one forward pass a token
  decode @ D ×8 the same for 8 sequences at once, all together; at the first depth, which must be 0
  peak memory   VmHWM of the process over all of its figures, mapped pages of the file included
  of limit      minke's share of the read bandwidth (decode) or of the arithmetic peak (prefill) that it measured here
  others        cores that other work kept busy during the run: near 0 on a quiet machine

Both sides use random tokens, warm up once before each figure, and compute the logits of each decoded token without sampling.
Neither runs a prompt to get to a depth: minke fills its cache with noise, llama.cpp's gets copies of a state that it
computed (see the peer's help; `--peer-fill prompt` runs the prompt). Each side keeps its own defaults for the rest: minke's
precision and cache type may be set with --precision and --cache-type; llama.cpp's cache is f16.

Needs: a release build of minke (`swift build -c release --product minke`), llama-cpp-python in the interpreter given by
--python, and a GGUF file, as by `make_synthetic_gguf.py`.

  inference_speed.py v2-lite.gguf                                        # everything, 3 pairs
  inference_speed.py v2-lite.gguf --rounds 1 --prefill 128 --depths 0    # a quick look
  inference_speed.py v2-lite.gguf --skip-peer-depth 16384                # minke alone at that depth
"""
import argparse
import json
import statistics
import sys
from pathlib import Path

from side_by_side import PEERS, cores, field, find_minke, introduction, machine, quiet_or_warn, run_json, shown, spread, text_of

PEER = PEERS / "llama_cpp_inference.py"


def joined(numbers):
    return ",".join(str(number) for number in numbers)


def named(result, command):
    """A run's figures by their names in the table, with their share of the machine's limit where the run says it."""
    figures = {}
    for row in field(result, "prefill", command):
        figures[f"prefill {row['tokens']}"] = (row["tokens_per_second"], row.get("fraction_of_peak"))
    for row in field(result, "decode", command):
        name = f"decode @ {row['depth']}" + (f" ×{row['batch']}" if row["batch"] > 1 else "")
        figures[name] = (row["tokens_per_second"], row.get("fraction_of_bandwidth"))
    return {"figures": {name: speed for name, (speed, _) in figures.items()},
            "shares": {name: share for name, (_, share) in figures.items() if share is not None},
            "peak_memory_bytes": field(result, "peak_memory", command), "others": result["others"], "raw": result}


def run_minke(binary, options):
    command = [binary, "bench", options.model, "--json", "--prefill", joined(options.prefill), "--depth", joined(options.depths),
               "--batch", joined(options.batches), "--rounds", options.repeats, "--steps", options.steps, "--threads", options.threads]
    for name, value in (("--precision", options.precision), ("--cache-type", options.cache_type)):
        if value:
            command += [name, value]
    return named(run_json(command), "`minke bench`")


def run_peer(options):
    depths = [depth for depth in options.depths if depth not in options.skip_peer_depth]
    return named(run_json([options.python, PEER, options.model, "--prefill", joined(options.prefill), "--depths", joined(depths),
                           "--batches", joined(options.batches), "--rounds", options.repeats, "--steps", options.steps,
                           "--threads", options.threads, "--fill", options.peer_fill]), "the peer")


def numbers(text):
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list like 0,4096")
    if min(found) < 0:
        raise argparse.ArgumentTypeError("numbers below 0")
    return found


def span(values, digits):
    return f"{min(values):.{digits}f}–{statistics.median(values):.{digits}f}–{max(values):.{digits}f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a GGUF file, or the first of its shards")
    parser.add_argument("--prefill", type=numbers, default=[512], help="lengths of prompts (default 512)")
    parser.add_argument("--depths", type=numbers, default=[0, 4096, 16384], help="tokens before the decoded ones (default 0,4096,16384)")
    parser.add_argument("--batch", type=int, default=8, help="sequences at once, measured where the first depth is 0 (default 8; 1: leave it out)")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs (default 3)")
    parser.add_argument("--repeats", type=int, default=1, help="measurements of each figure in a run, of which the median counts (default 1)")
    parser.add_argument("--steps", type=int, default=8, help="tokens decoded in one measurement (default 8)")
    parser.add_argument("--threads", type=int, default=cores(), help="threads of each side (default: the cores there are)")
    parser.add_argument("--skip-peer-depth", type=numbers, default=[], help="depths that only minke measures")
    parser.add_argument("--peer-fill", choices=["copies", "prompt"], default="copies", help="how the peer gets to a depth (default copies)")
    parser.add_argument("--precision", help="minke's --precision")
    parser.add_argument("--cache-type", help="minke's --cache-type")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has llama-cpp-python (default: this one)")
    parser.add_argument("--minke", help="the minke binary (default: this package's release build)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, the rest on standard error")
    options = parser.parse_args()
    if min(options.rounds, options.repeats, options.steps, options.threads, options.batch) < 1:
        parser.error("--rounds, --repeats, --steps, --threads and --batch must be at least 1")
    if not Path(options.model).is_file():
        parser.error(f"no file {options.model}")
    options.batches = [1, options.batch] if options.batch > 1 and options.depths[0] == 0 else [1]
    if len(options.batches) > 1 and 0 in options.skip_peer_depth:
        parser.error("--skip-peer-depth 0 needs --batch 1")

    def say(line):
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    binary, facts = find_minke(options.minke), machine()
    say(introduction(facts))
    say(f"{Path(options.model).name}, {Path(options.model).stat().st_size / 1e9:.2f} GB, {options.threads} threads\n")
    rounds = []
    for number in range(1, options.rounds + 1):
        pair = {}
        for side, run in (("minke", lambda: run_minke(binary, options)), ("peer", lambda: run_peer(options))):
            r = pair[side] = run()
            figures = ", ".join(f"{name}: {speed:.1f}" for name, speed in r["figures"].items())
            say(f"{number:3} {side:6} others {shown(r['others'])}  {figures}, {r['peak_memory_bytes'] / 1e9:.2f} GB")
        rounds.append(pair)

    names = list(rounds[0]["minke"]["figures"])
    ratios = {name: spread([pair["minke"]["figures"][name] / pair["peer"]["figures"][name] for pair in rounds])
              for name in names if name in rounds[0]["peer"]["figures"]}
    memory = spread([pair["minke"]["peak_memory_bytes"] / pair["peer"]["peak_memory_bytes"] for pair in rounds])
    peer_name = f"llama.cpp (llama-cpp-python {rounds[0]['peer']['raw']['version']})"
    say(f"\n{'min–median–max, tokens/s':24}  {'minke':>22}  {peer_name:>38}  {'of limit':>8}  minke / peer")
    for name in names:
        of = {side: [pair[side]["figures"][name] for pair in rounds if name in pair[side]["figures"]] for side in ("minke", "peer")}
        share = statistics.median(pair["minke"]["shares"][name] for pair in rounds)
        say(f"{name:24}  {span(of['minke'], 1):>22}  {span(of['peer'], 1) if of['peer'] else '-':>38}  {share:8.0%}  "
            f"{text_of(ratios[name]) if name in ratios else '-'}")
    gigabytes = {side: span([pair[side]["peak_memory_bytes"] / 1e9 for pair in rounds], 2) for side in ("minke", "peer")}
    say(f"{'peak memory, GB':24}  {gigabytes['minke']:>22}  {gigabytes['peer']:>38}  {'':8}  {text_of(memory)}")
    quiet_or_warn(say, [pair[side] for pair in rounds for side in ("minke", "peer")])
    if options.json:
        settings = {key: getattr(options, key) for key in ("prefill", "depths", "batches", "repeats", "steps", "threads", "skip_peer_depth",
                                                           "peer_fill", "precision", "cache_type")}
        print(json.dumps({"benchmark": "inference_speed", "machine": facts, "settings": settings, "model": Path(options.model).name,
                          "minke_over_peer": {"tokens_per_second": ratios, "peak_memory_bytes": memory}, "rounds": rounds}))


if __name__ == "__main__":
    main()
