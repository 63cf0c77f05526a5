#!/usr/bin/env python3
"""Bits per byte of held-out novels after the same training time: minke against PyTorch, alternately.

Ours is `minke train TRAIN --validation VALID --preset memory --max-seconds S`. The peer is `peers/pytorch_dense_baseline.py
--preset prose`: a dense transformer with all that helps one (Muon, rotary positions, normalised queries and keys, squared
ReLU, zero-initialised outputs, a cap on the logits, tuned size, batch and rates, torch.compile). Both have vocabularies of
the same size, which each learns on the training text with its own byte-pair trainer, and all cores that this script may
use.

What is compared is bits per byte over the whole validation text, in windows of the training context, each of which begins
without what came before. The time is wall-clock of the training loop alone: tokenizing, starting, initialising, compiling
and evaluating are outside it on both sides. --tables runs a third side as well, the peer with the same hashed tables of
pairs and triples of tokens as minke has (with sparse gradients and sparse Adam, which torch.compile cannot do), to tell
what the recipe saves and what the implementation.

  bits       per byte of the validation text
  of peer    minke / peer, pair by pair (one seed, a pair); below 1, minke is better
  others     cores that other work kept busy during the run: near 0 on a quiet machine

Needs: a release build of minke (`swift build -c release --product minke`); torch and tokenizers in the interpreter given
by --python. A pair takes about 22 minutes with the default budget. Exit code 1 when minke has more than --bar of the
peer's bits.
"""
import argparse
import gzip
import json
import shutil
import sys
import tempfile
from pathlib import Path

from side_by_side import PEERS, field, find_minke, introduction, machine, quiet_or_warn, run_json, shown, spread, text_of

PEER = PEERS / "pytorch_dense_baseline.py"
EVERYTHING = 1 << 40  # tokens of an evaluation


def plain(path, folder):
    """The text itself, unpacked if need be."""
    path = Path(path)
    if path.suffix != ".gz":
        return path
    target = folder / path.stem
    with gzip.open(path, "rb") as source, open(target, "wb") as copy:
        shutil.copyfileobj(source, copy)
    return target


def run_minke(binary, seed, options, train, valid, folder):
    run = folder / "minke"  # the next seed finds its tokens there
    result = run_json([binary, "train", train, "--validation", valid, "--out", run, "--preset", "memory",
                       f"depth={options.depth}", f"tokenizer_vocabulary={options.vocabulary}", f"vocab_size={options.vocabulary}",
                       "eval_interval=0", f"eval_tokens={EVERYTHING}", *options.set, "--max-seconds", options.seconds,
                       "--seed", seed, "--fresh", "--quiet", "--json"])
    get = lambda name: field(result, name, "`minke train`")
    return {"bits_per_byte": get("bits_per_byte"), "cpu_seconds": get("cpu_seconds"), "tokens": get("tokens"), "flops": get("flops"),
            "wall_seconds": get("wall_seconds"), "steps": get("steps"), "peak_memory_bytes": get("peak_memory_bytes"),
            "parameters_total": get("parameters_total"), "parameters_active": get("parameters_active"), "others": result["others"]}


def run_peer(seed, options, train, valid, cache, more, curve=None):
    command = [options.python, PEER, "--preset", "prose", "--data", train, "--validation", valid, "--tokenizer",
               f"bpe:{options.vocabulary}", "--token-cache", cache, "--max-seconds", options.seconds, "--seed", seed, *more]
    if not options.eager and "--ngram" not in more:
        command.append("--compile")
    if curve:
        command += ["--curve-file", curve, "--eval-every", 100, "--curve-windows", 128]
    result = run_json(command)
    return {"bits_per_byte": result["bits_per_byte"], "cpu_seconds": result["cpu_seconds_train"], "tokens": result["tokens"],
            "flops": result["flops"], "wall_seconds": result["seconds"], "steps": result["steps"],
            "peak_memory_bytes": int(result["peak_rss_mb"] * 2**20), "parameters_total": result["params"],
            "others": result["others"], "torch": result["torch"], "threads": result["threads"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the novels to train on (text, or .gz)")
    parser.add_argument("--validation", required=True, help="the novels held out (text, or .gz)")
    parser.add_argument("--seconds", type=float, default=600, help="training time of each run (default 600)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="a pair of runs for each (default 1 2)")
    parser.add_argument("--vocabulary", type=int, default=1024, help="tokens of both sides (default 1024)")
    parser.add_argument("--depth", type=int, default=2, help="layers of minke's model (default 2)")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="further settings of minke's run")
    parser.add_argument("--peer", default="", help="further arguments of the peer, in one string: '--layers 3 --dim 192'")
    parser.add_argument("--eager", action="store_true", help="run the peer without torch.compile")
    parser.add_argument("--tables", action="store_true", help="also run the peer with tables of n-grams")
    parser.add_argument("--curve", help="file for the peer's curve, which `minke compare --peer-curve` draws (first seed)")
    parser.add_argument("--token-cache", help="folder that keeps the peer's tokens for the next call")
    parser.add_argument("--bar", type=float, default=0.92, help="share of the peer's bits that counts as reached (default 0.92)")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has torch and tokenizers (default: this one)")
    parser.add_argument("--minke", help="the minke binary (default: this package's release build)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, the rest on standard error")
    options = parser.parse_args()

    def say(line):
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    binary, facts = find_minke(options.minke), machine()
    say(introduction(facts))
    pairs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            train, valid = plain(options.data, folder), plain(options.validation, folder)
            say(f"train: {train.stat().st_size:,} bytes, validation: {valid.stat().st_size:,} bytes, {options.seconds:g} s a run\n")
        except OSError as error:
            parser.error(f"cannot read the text: {error}")
        say(f"{'seed':>5} {'others':>6}  {'':14} {'bits':>7} {'CPU s':>8} {'wall s':>8} {'steps':>7} {'tokens':>12} {'FLOP':>9} {'MiB':>6}")
        own, cache = options.peer.split(), options.token_cache or folder / "tokens"
        for seed in options.seeds:
            pair = {"seed": seed}
            curve = options.curve if seed == options.seeds[0] else None
            sides = [("minke", lambda: run_minke(binary, seed, options, train, valid, folder)),
                     ("peer", lambda: run_peer(seed, options, train, valid, cache, own, curve))]
            if options.tables:
                sides.append(("peer, tables", lambda: run_peer(seed, options, train, valid, cache,
                                                               own + ["--ngram", "3", "--hash-size", str(1 << 19)])))
            for side, run in sides:
                r = pair[side] = run()
                say(f"{seed:5} {shown(r['others']):>6}  {side:14} {r['bits_per_byte']:7.4f} {r['cpu_seconds']:8.1f} {r['wall_seconds']:8.1f} "
                    f"{r['steps']:7} {r['tokens']:12,} {r['flops']:9.2e} {r['peak_memory_bytes'] / 2**20:6.0f}")
            for side in list(pair)[2:]:
                pair["of " + side] = pair["minke"]["bits_per_byte"] / pair[side]["bits_per_byte"]
            pairs.append(pair)

    summary = {side: spread([pair["of " + side] for pair in pairs]) for side in ("peer", "peer, tables") if "of " + side in pairs[0]}
    say("")
    for side, s in summary.items():
        say(f"bits per byte, minke / {side}: {text_of(s, 3)}")
    quiet_or_warn(say, [run for pair in pairs for run in pair.values() if isinstance(run, dict)])
    if options.json:
        print(json.dumps({"benchmark": "novels", "machine": facts, "seconds": options.seconds, "bits_minke_over": summary, "pairs": pairs}))
    sys.exit(0 if summary["peer"]["median"] <= options.bar else 1)


if __name__ == "__main__":
    main()
