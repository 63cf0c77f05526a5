#!/usr/bin/env python3
"""Compare what `minke plan serve --chip this` expects of a model with what `minke bench` measures.

Needs a machine with nothing else to do: both sides are measurements. The limits are measured before the model and
after it, and planned with both.

  python3 Benchmarks/plan_against_bench.py .build/release/minke model.gguf
"""
import json
import subprocess
import sys
import tempfile


def run(*command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    minke, model = sys.argv[1:3]
    machines = [run(minke, "bench", "--machine", "--json")]
    bench = run(minke, "bench", model, "--prefill", "64,256,1024", "--depth", "4,1024,4096", "--batch", "1,4,8",
                "--json")
    machines.append(run(minke, "bench", "--machine", "--json"))

    def planned(key, **options):
        rates = []
        for machine in machines:
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(machine, file)
                file.flush()
                arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
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
              ", ".join(f"{rate:.1f} ({rate / measured:.2f})" for rate in rates))


main()
