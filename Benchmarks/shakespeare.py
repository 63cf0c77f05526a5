#!/usr/bin/env python3
"""CPU seconds of training to a validation loss of 1.88 on Shakespeare's characters: minke against PyTorch, alternately.

Ours is `minke train DATA --preset shakespeare-fast --target-loss 1.88 --seed S` (--preset shakespeare: without tables of
n-grams, a released architecture). The peer is `peers/pytorch_dense_baseline.py`
with nanoGPT's documented CPU recipe: its own 2,000 steps and learning-rate schedule, validation over the whole last tenth
of the text every twentieth of the run from the middle on, and it stops at the first validation that reaches the target.
What is compared is the CPU time (user + system, all threads) of training alone: evaluation, loading and compiling count
for neither side. A peer that ends above the target counts with all of its steps, so the ratio is then a lower bound.
--peer-preset best and best-ngram pit minke against tuned recipes of our own instead of the documented one.

  loss                nats per character, on both sides over the last tenth of the text; for minke it is computed from
                      `bits_per_byte`, so that it means the same whatever the tokens are (the text must be ASCII)
  ratio of CPU        peer / minke, pair by pair (one seed, a pair); above 1, minke needs less
  others              cores that other work kept busy during the run: near 0 on a quiet machine

Needs: a release build of minke (`swift build -c release --product minke`), and torch in the interpreter given by --python.
A pair takes about two minutes on two cores, nearly all of it the peer's. Exit code 1 when minke missed the target.
"""
import argparse
import hashlib
import json
import math
import sys
import tempfile
from pathlib import Path

from side_by_side import PEERS, field, find_minke, introduction, machine, quiet_or_warn, run_json, shown, spread, text_of

PEER = PEERS / "pytorch_dense_baseline.py"
PEER_STEPS = {"nanogpt-cpu": 2000, "best": 180, "best-ngram": 85}  # as each preset documents
TINY_SHAKESPEARE = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"  # SHA-256
ROUNDING = 5e-4  # of the losses that the two sides print


def run_minke(binary, seed, options):
    with tempfile.TemporaryDirectory() as folder:
        result = run_json([binary, "train", options.data, "--out", Path(folder) / "model", "--preset", options.preset,
                           "--target-loss", options.target_loss, "--seed", seed, "--fresh", "--quiet", "--json"])
    get = lambda name: field(result, name, "`minke train`")
    return {"loss": get("bits_per_byte") * math.log(2), "cpu_seconds": get("cpu_seconds"),
            "evaluation_cpu_seconds": get("evaluation_cpu_seconds"), "wall_seconds": get("wall_seconds"), "steps": get("steps"),
            "tokens": get("tokens"), "peak_memory_bytes": get("peak_memory_bytes"), "parameters_total": get("parameters_total"),
            "parameters_active": get("parameters_active"), "joules": result.get("joules"), "joules_source": result.get("joules_source"),
            "others": result["others"]}


def run_peer(seed, options):
    steps = options.peer_steps or PEER_STEPS[options.peer_preset]
    command = [options.python, PEER, "--preset", options.peer_preset, "--data", options.data, "--seed", seed, "--steps", steps,
               "--eval-every", max(1, steps // 20), "--eval-from", steps // 2, "--target-loss", options.target_loss]
    if options.compile:
        command.append("--compile")
    result = run_json(command)
    return {"loss": result["val_loss"], "cpu_seconds": result["cpu_seconds_train"], "wall_seconds": result["seconds_wall"],
            "steps": result["steps"], "tokens": result["tokens"], "peak_memory_bytes": int(result["peak_rss_mb"] * 2**20),
            "parameters_total": result["params"], "others": result["others"], "torch": result["torch"], "threads": result["threads"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the text, for instance tinyshakespeare (the README here says where it is)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="a pair of runs for each (default 1 2 3)")
    parser.add_argument("--target-loss", type=float, default=1.88, help="nats per character (default 1.88, nanoGPT's documented loss)")
    parser.add_argument("--preset", default="shakespeare-fast", help="recipe of minke (default shakespeare-fast)")
    parser.add_argument("--peer-preset", choices=sorted(PEER_STEPS), default="nanogpt-cpu", help="recipe of the peer (default nanogpt-cpu)")
    parser.add_argument("--peer-steps", type=int, help="steps of the peer (default: as its recipe documents; fewer only to try this script)")
    parser.add_argument("--compile", action="store_true", help="run the peer under torch.compile (its compilation is not counted)")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has torch (default: this one)")
    parser.add_argument("--minke", help="the minke binary (default: this package's release build)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, the rest on standard error")
    options = parser.parse_args()

    def say(line):
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    try:
        text = Path(options.data).read_bytes()
    except OSError as error:
        parser.error(f"cannot read the text: {error}")
    if not text.isascii():
        parser.error(f"{options.data} is not ASCII: losses per character and per byte would differ")
    digest = hashlib.sha256(text).hexdigest()
    binary, facts = find_minke(options.minke), machine()
    say(introduction(facts))
    say(f"data: {len(text):,} bytes, {'tinyshakespeare' if digest == TINY_SHAKESPEARE else 'NOT tinyshakespeare, SHA-256 ' + digest}")
    say(f"minke --preset {options.preset} against PyTorch {options.peer_preset}, both to {options.target_loss} nats per character\n")
    say(f"{'seed':>5} {'others':>6}  {'':8} {'loss':>7} {'CPU s':>8} {'wall s':>8} {'steps':>6} {'tokens':>10} {'MiB':>6}")
    pairs = []
    for seed in options.seeds:
        pair = {"seed": seed}
        for side, run in (("minke", lambda: run_minke(binary, seed, options)), ("peer", lambda: run_peer(seed, options))):
            r = pair[side] = run()
            r["reached"] = r["loss"] <= options.target_loss + ROUNDING
            say(f"{seed:5} {shown(r['others']):>6}  {side:8} {r['loss']:7.4f} {r['cpu_seconds']:8.1f} {r['wall_seconds']:8.1f} {r['steps']:6} "
                f"{r['tokens']:10,} {r['peak_memory_bytes'] / 2**20:6.0f}{'' if r['reached'] else '  above the target'}")
        if pair["minke"]["reached"]:
            pair["ratio"] = pair["peer"]["cpu_seconds"] / pair["minke"]["cpu_seconds"]
            say(f"{'':14}peer / minke: {'' if pair['peer']['reached'] else 'at least '}{pair['ratio']:.1f}")
        pairs.append(pair)

    counted = [pair for pair in pairs if "ratio" in pair]
    missed = [pair["seed"] for pair in pairs if "ratio" not in pair]
    above = [pair["seed"] for pair in counted if not pair["peer"]["reached"]]
    summary = spread([pair["ratio"] for pair in counted]) if counted else None
    say("")
    if summary:
        say(f"CPU seconds of training, peer / minke: {text_of(summary, 1)}")
        evaluation = spread([pair["minke"]["evaluation_cpu_seconds"] for pair in counted])
        say(f"minke's evaluations took {evaluation['median']:.1f} CPU seconds more (median), not counted above")
    quiet_or_warn(say, [pair[side] for pair in pairs for side in ("minke", "peer")])
    if above:
        say(f"the peer ended above the target with seed {', '.join(map(str, above))}: these ratios are lower bounds")
    if missed:
        say(f"minke missed the target with seed {', '.join(map(str, missed))}: no ratio for these")
    if options.json:
        print(json.dumps({"benchmark": "shakespeare", "machine": facts, "data_sha256": digest, "target_loss": options.target_loss,
                          "preset": options.preset, "peer_preset": options.peer_preset, "compile": options.compile, "cpu_seconds_peer_over_minke": summary,
                          "seeds_peer_above_target": above, "seeds_minke_missed": missed, "pairs": pairs}))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
