#!/usr/bin/env python3
"""Compare what `minke plan serve --chip this` expects of a model with what `minke bench` measures.

Needs a machine with nothing else to do: both sides are measurements. The limits are measured before the model and
after it, and planned with both; where the machine's speed moves meanwhile, the mean of the two plans counts.

  python3 Benchmarks/plan_against_bench.py .build/release/minke model.gguf
  python3 Benchmarks/plan_against_bench.py .build/release/minke model.gguf --prefill 64,512 --depth 4,4096 --batch 1,8
"""
import argparse
import json
import statistics
import subprocess
import tempfile


def run(*command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minke")
    parser.add_argument("model")
    parser.add_argument("--prefill", default="64,256,1024")
    parser.add_argument("--depth", default="4,1024,4096")
    parser.add_argument("--batch", default="1,4,8")
    options = parser.parse_args()
    minke, model = options.minke, options.model
    machines = [run(minke, "bench", "--machine", model, "--json")]
    bench = run(minke, "bench", model, "--prefill", options.prefill, "--depth", options.depth, "--batch", options.batch,
                "--json")
    machines.append(run(minke, "bench", "--machine", model, "--json"))

    def planned(key, **settings):
        rates = []
        for machine in machines:
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(machine, file)
                file.flush()
                arguments = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
                rates.append(run(minke, "plan", "serve", "--model", model, "--chips", file.name, "--chip", "this",
                                 "--json", *arguments)[key])
        return rates

    for figure in bench["prefill"] + bench["decode"]:
        if "tokens" in figure:
            name = f"prompt of {figure['tokens']}"
            rates = planned("prefill_tokens_per_second", prompt=figure["tokens"], context=64, batch=1)
        else:
            name = f"depth {figure['depth']}, batch {figure['batch']}"
            rates = planned("decode_tokens_per_second", context=figure["depth"] + 4, batch=figure["batch"])
        measured = figure["tokens_per_second"]
        print(f"{name:22} measured {measured:8.1f}  planned",
              ", ".join(f"{rate:.1f} ({rate / measured:.2f})" for rate in rates),
              f" mean {statistics.geometric_mean(rates) / measured:.2f}")


main()
