#!/usr/bin/env python3
"""Searches what makes training cheap: the effect of single settings, or the best size for a budget of arithmetic.

    python3 Scripts/tune.py levers TEXT --preset shakespeare-fast --base steps=48 --try beta1=0 beta1=0.5 muon_steps=3
    python3 Scripts/tune.py sizes TEXT --validation VALID --budgets 1e11 3e11 1e12 --depths 1 2 3 4

`levers` trains the base and then the base with each setting (several joined by commas are one trial) for every seed, and
prints a table: the change of the validation loss against the base, seed by seed, with its spread, and the CPU time of the
training loop. Losses do not depend on how busy the machine is; CPU times do a little, so compare those of one quiet call.

`sizes` trains the preset at each depth with each budget of floating-point operations, and says for each budget which depth
came out best and how many tokens it read for each active parameter besides embedding, head and rows of tables. That figure is what
`minke train --auto` chooses sizes by.

Both print Markdown, and with --json a file with every run. All losses are nats per byte, whatever the tokens are.
"""
import argparse
import json
import math
import statistics
import subprocess
import tempfile
from pathlib import Path


def train(options, settings, seed):
    with tempfile.TemporaryDirectory() as folder:
        command = [options.minke, "train", options.text, "--out", folder, "--seed", str(seed), "--quiet", "--json",
                   "--threads", str(options.threads), "--preset", options.preset]
        if options.validation:
            command += ["--validation", options.validation]
        done = subprocess.run(command + ["eval_interval=0", *settings], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(settings)}: {done.stderr.strip()[-500:]}")
        result = json.loads(done.stdout.strip().splitlines()[-1])
        run = json.loads((Path(folder) / "run.json").read_text())
    return {"settings": settings, "seed": seed, "loss": result["bits_per_byte"] * math.log(2), "cpu_seconds": result["cpu_seconds"],
            "flops": result["flops"], "tokens": result["tokens"], "steps": result["steps"],
            "tokens_per_step": run["batch_size"] * run["sequence_length"] * run["accumulation"],
            "body": result["parameters_active"] - run["hidden_size"] * (run["vocab_size"] + 1 + max(0, run["ngram_max_order"] - 1))}


def levers(options):
    runs = []

    def trial(settings):
        result = [train(options, options.base + settings, seed) for seed in options.seeds]
        runs.extend(result)
        return [run["loss"] for run in result], statistics.mean(run["cpu_seconds"] for run in result)

    base, base_cpu = trial([])
    print(f"base: {options.preset} {' '.join(options.base)}, seeds {' '.join(map(str, options.seeds))}\n")
    print("| setting | loss | change (least to greatest) | CPU s |\n|---|---|---|---|")
    print(f"| base | {statistics.mean(base):.4f} | ({min(base):.4f} to {max(base):.4f}) | {base_cpu:.2f} |", flush=True)
    for text in options.trials:
        losses, cpu = trial(text.split(","))
        changes = [ours - theirs for ours, theirs in zip(losses, base)]
        print(f"| {text.replace(',', ' ')} | {statistics.mean(losses):.4f} | {statistics.mean(changes):+.4f} "
              f"({min(changes):+.4f} to {max(changes):+.4f}) | {cpu:.2f} |", flush=True)
    return runs


def sizes(options):
    runs, best = [], []
    print("| budget, FLOP | depth | body, active | tokens | tokens per parameter | loss | CPU s |\n|---|---|---|---|---|---|---|")
    for budget in options.budgets:
        row = []
        for depth in options.depths:
            # One step says what a token costs.
            one = train(options, options.base + [f"depth={depth}", "steps=1", "eval_tokens=1"], options.seeds[0])
            steps = max(1, round(budget / one["flops"]))
            each = [train(options, options.base + [f"depth={depth}", f"steps={steps}"], seed) for seed in options.seeds]
            loss, run = statistics.mean(r["loss"] for r in each), each[0]
            row.append((loss, depth, run["tokens"] / run["body"]))
            runs.extend(each)
            print(f"| {budget:.1e} | {depth} | {run['body']:,} | {run['tokens']:,} | {row[-1][2]:.1f} | {loss:.4f} | "
                  f"{statistics.mean(r['cpu_seconds'] for r in each):.1f} |", flush=True)
        best.append((budget, *min(row)))
    print()
    for budget, loss, depth, ratio in best:
        print(f"{budget:.1e} operations: depth {depth} is best, loss {loss:.4f}, {ratio:.1f} tokens for each parameter")
    ratio = math.exp(statistics.mean(math.log(b[3]) for b in best))
    print(f"tokens for each active parameter of the body, geometric mean of the best: {ratio:.1f}")
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["levers", "sizes"])
    parser.add_argument("text", help="text to train on")
    parser.add_argument("--validation", help="text to validate on; otherwise the preset's share of the text")
    parser.add_argument("--preset", default="sparse")
    parser.add_argument("--base", nargs="*", default=[], metavar="NAME=VALUE", help="settings of all runs")
    parser.add_argument("--try", dest="trials", nargs="*", default=[], metavar="NAME=VALUE[,NAME=VALUE]", help="levers: settings to try")
    parser.add_argument("--budgets", type=float, nargs="*", default=[1e11, 3e11, 1e12], help="sizes: floating-point operations")
    parser.add_argument("--depths", type=int, nargs="*", default=[1, 2, 3, 4], help="sizes: depths to try")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1, help="threads of each run; one wastes no CPU time (default)")
    parser.add_argument("--minke", default=str(Path(__file__).resolve().parent.parent / ".build/release/minke"))
    parser.add_argument("--json", help="file for every run")
    options = parser.parse_args()
    runs = levers(options) if options.mode == "levers" else sizes(options)
    if options.json:
        Path(options.json).write_text(json.dumps(runs, indent=1) + "\n")


if __name__ == "__main__":
    main()
