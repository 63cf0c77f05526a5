#!/usr/bin/env python3
"""Training throughput of one MoE + MLA configuration: minke against hand-optimised PyTorch, alternately.

Each round runs `minke bench train` and then `peers/pytorch_deepseek_baseline.py` on the same text, batch, window, number
type and number of steps, so that a pair shares the machine's mood. Ratios are formed pair by pair.

  ratio of tokens/s   minke / peer, from each side's median step; above 1, minke is faster
  ratio of memory     minke / peer, from each process's peak resident size; below 1, minke needs less
  loss curves         both start from random weights of their own and draw their own batches, so the curves agree
                      up to that noise and no further; the mean absolute difference is over the steps both report
  of peak             of the matrix-product rate that each side measures for itself, in the number type in use
  --arithmetic int8   minke's products of the body in 8 bits, the peer's in --dtype: give the one in which it is faster.
                      torch.compile takes f32 with --gemm loop only
  others              cores that other work kept busy during the run: near 0 on a quiet machine

Needs: a release build of minke (`swift build -c release --product minke`), and torch (and transformers for
`--impl transformers`) in the interpreter given by --python.
"""
import argparse
import itertools
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path

from side_by_side import PEERS, field, find_minke, introduction, machine, quiet_or_warn, run_json, shown, spread, text_of

PEER = PEERS / "pytorch_deepseek_baseline.py"


def generated_text(size=1 << 20):
    """Sentences of made-up words with Zipf-like frequencies: the same text on every machine."""
    source = random.Random(1)
    syllables = ["ka", "lo", "mi", "ren", "tu", "sha", "vel", "or", "in", "est", "ba", "quo"]
    words = ["".join(source.choices(syllables, k=1 + i % 4)) for i in range(2000)]
    totals = list(itertools.accumulate(1 / (i + 1) for i in range(len(words))))
    text, length = [], 0
    while length < size:
        sentence = " ".join(source.choices(words, cum_weights=totals, k=6 + int(source.random() * 12))).capitalize() + ".\n"
        text.append(sentence)
        length += len(sentence)
    return "".join(text)


def run_minke(binary, data, options):
    result = run_json([binary, "bench", "train", "--data", data, "--steps", options.steps, "--dtype", options.arithmetic,
                       "--batch", options.batch, "--sequence", options.sequence, "--json"])
    get = lambda name: field(result, name, "`minke bench train`")
    return {"tokens_per_second": get("tokens_per_second"), "tokens_per_second_best": get("tokens_per_second_best"),
            "step_ms_median": get("step_ms_median"), "peak_memory_bytes": get("peak_memory_bytes"),
            "flops_per_token": get("flops_per_token"), "fraction_of_peak": get("fraction_of_peak"), "losses": get("losses"),
            "others": result["others"]}


def run_peer(data, options):
    command = [options.python, PEER, "--impl", options.impl, "--data", data, "--steps", options.steps, "--dtype", options.dtype,
               "--batch", options.batch, "--seq", options.sequence]
    if options.impl == "hand":
        command += ["--gemm", options.gemm]
    if options.compile:
        command.append("--compile")
    result = run_json(command)
    return {"tokens_per_second": result["tokens_per_s"], "tokens_per_second_best": result["tokens_per_s_best"],
            "step_ms_median": result["step_ms_median"], "peak_memory_bytes": int(result["peak_rss_mb"] * 2**20),
            "flops_per_token": result["flops_per_token"], "fraction_of_peak": result["fraction_own_peak"],
            "losses": result["losses"], "others": result["others"], "torch": result["torch"], "threads": result["threads"]}


def compare_losses(ours, peer):
    """First and last of both curves and their mean absolute difference over the steps that both have."""
    both = min(len(ours), len(peer))
    if both == 0:
        raise SystemExit("a side reported no losses")
    return {"minke_first": ours[0], "minke_last": ours[both - 1], "peer_first": peer[0], "peer_last": peer[both - 1], "steps": both,
            "mean_absolute_difference": statistics.fmean(abs(a - b) for a, b in zip(ours, peer))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a text file of at least a few kilobytes (default: 1 MiB of generated text, the same everywhere)")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs (default 3)")
    parser.add_argument("--steps", type=int, default=20, help="timed steps a run (default 20)")
    parser.add_argument("--dtype", choices=["bf16", "f32"], default="bf16", help="number type of the products on both sides (default bf16)")
    parser.add_argument("--arithmetic", choices=["bf16", "f32", "int8"], help="what minke's products work in, if other than --dtype: int8 has no counterpart in PyTorch on a CPU")
    parser.add_argument("--batch", type=int, default=16, help="sequences a step (default 16)")
    parser.add_argument("--sequence", type=int, default=256, help="tokens a sequence (default 256)")
    parser.add_argument("--impl", choices=["hand", "transformers"], default="hand", help="which peer (default: the hand-optimised one)")
    parser.add_argument("--gemm", choices=["grouped", "loop"], default="grouped", help="expert products of the hand-optimised peer (default grouped)")
    parser.add_argument("--compile", action="store_true", help="run the peer under torch.compile (its compilation is not timed)")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the peer's packages (default: this one)")
    parser.add_argument("--minke", help="the minke binary (default: this package's release build)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, the rest on standard error")
    options = parser.parse_args()
    if options.rounds < 1 or options.steps < 1:
        parser.error("--rounds and --steps must be at least 1")
    options.arithmetic = options.arithmetic or options.dtype

    def say(line):
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    binary, facts = find_minke(options.minke), machine()
    say(introduction(facts))
    with tempfile.TemporaryDirectory() as folder:
        data = options.data
        if data is None:
            data = str(Path(folder) / "generated.txt")
            Path(data).write_text(generated_text(), encoding="utf-8")
            say("data: generated text (1 MiB, seeded); give your own with --data")
        elif not Path(data).is_file():
            parser.error(f"no file {data}")
        name = f"PyTorch {options.impl}{' compiled' if options.compile else ''}"
        say(f"minke against {name}: {options.dtype if options.arithmetic == options.dtype else f'{options.arithmetic} against {options.dtype}'}, {options.batch} × {options.sequence} tokens a step, {options.steps} timed steps a run\n")
        say(f"{'round':>5} {'others':>6}  {'':8} {'tok/s':>8} {'best':>8} {'ms/step':>9} {'of peak':>7} {'MiB':>7}")
        rounds = []
        for number in range(1, options.rounds + 1):
            pair = {}
            for side, run in (("minke", lambda: run_minke(binary, data, options)), ("peer", lambda: run_peer(data, options))):
                r = pair[side] = run()
                say(f"{number:5} {shown(r['others']):>6}  {side:8} {r['tokens_per_second']:8.0f} {r['tokens_per_second_best']:8.0f} "
                    f"{r['step_ms_median']:9.1f} {r['fraction_of_peak']:7.0%} {r['peak_memory_bytes'] / 2**20:7.0f}")
            pair["ratio"] = pair["minke"]["tokens_per_second"] / pair["peer"]["tokens_per_second"]
            say(f"{'':14}minke / peer: {pair['ratio']:.2f}")
            rounds.append(pair)

    ratio = lambda key: spread([pair["minke"][key] / pair["peer"][key] for pair in rounds])
    summary = {"tokens_per_second": ratio("tokens_per_second"), "tokens_per_second_best": ratio("tokens_per_second_best"),
               "peak_memory_bytes": ratio("peak_memory_bytes")}
    loss = compare_losses(rounds[0]["minke"]["losses"], rounds[0]["peer"]["losses"])
    flops = {side: rounds[0][side]["flops_per_token"] for side in ("minke", "peer")}
    say(f"\ntokens/s, minke / peer            {text_of(summary['tokens_per_second'])}")
    say(f"tokens/s of the best step         {text_of(summary['tokens_per_second_best'])}")
    say(f"peak memory, minke / peer         {text_of(summary['peak_memory_bytes'])}")
    say(f"loss over {loss['steps']} steps (round 1)      minke {loss['minke_first']:.3f} → {loss['minke_last']:.3f}, "
        f"peer {loss['peer_first']:.3f} → {loss['peer_last']:.3f}, mean |difference| {loss['mean_absolute_difference']:.3f}")
    quiet_or_warn(say, [pair[side] for pair in rounds for side in ("minke", "peer")])
    say(f"FLOPs per token as each counts    minke {flops['minke']:.3g}, peer {flops['peer']:.3g}")
    if abs(flops["minke"] / flops["peer"] - 1) > 0.05:
        say("warning: the two sides count different work per token; check that the configurations are the same")
    if options.json:
        settings = {key: getattr(options, key) for key in ("impl", "gemm", "compile", "dtype", "arithmetic", "batch", "sequence", "steps")}
        print(json.dumps({"benchmark": "training_speed", "machine": facts, "settings": settings, "data": options.data or "generated",
                          "minke_over_peer": summary, "loss": loss, "rounds": rounds}))


if __name__ == "__main__":
    main()
