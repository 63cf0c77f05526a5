#!/usr/bin/env python3
"""Check that what `minke convert` writes means the same to llama.cpp and to Hugging Face's transformers.

For each model folder and each type:
  to GGUF     `minke convert FOLDER x.gguf --type TYPE`, then llama.cpp (llama-cpp-python, CPU, float32 cache)
  back        `minke convert x.gguf back --type f32`, then `minke logits back`: the very weights that the GGUF file holds,
              so that llama.cpp is compared with the same model and not with the one before quantisation
  llama.cpp   the largest difference between the two, as a fraction of the largest logit.  llama.cpp multiplies F16 and
              BF16 weights with activations rounded to that type, and blocks with activations rounded to eight bits,
              which also sends single tokens to other experts: for these types the median over positions must stay
              below a looser tolerance
  transformers  the same for the folder that came back, in float32 (for the first type only: all go the same way)

  tokenizer   llama.cpp's tokens of a handful of strings against `minke tokenizer encode` of the folder and of the one that
              came back

Needs: pip install llama-cpp-python torch transformers safetensors numpy, and the minke binary.
Exit code 1 when anything disagrees.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # folders only: nothing is to be fetched
import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent
EXACT = {"f32": 2e-4}
ROUNDED = {"f16": 5e-3, "bf16": 2e-2, "q8_0": 5e-2, "q6_k": 5e-2, "q5_k": 5e-2, "q4_0": 5e-2, "q4_k": 5e-2, "q4_k_m": 5e-2}
GGML_F32 = 0
STRINGS = [
    "The little whale reads 42 books, and then 1,234 more.",
    " leading and  two  blanks\tand\ttabs\n\n\nthree line feeds \n and a mix \r\n\t  ",
    "def f(x):\n    return {'a': x ** 2, \"b\": [1, 2, 3]}  # don't",
    "Größe, naïve café, Ελληνικά, Привет, 中文分词测试,日本語のテスト 👩‍👩‍👧‍👦",
]


class Disagreement(Exception):
    """One line on what the two sides do not agree about."""


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise Disagreement(f"`minke {command[1]}` ended with code {done.returncode}: {reason}")
    return done.stdout


def minke_logits(folder, sequences, options, scratch):
    ids, out = scratch / "ids.json", scratch / "logits.safetensors"
    ids.write_text(json.dumps(sequences))
    run(options.minke, "logits", folder, "--ids", ids, "--out", out)
    tensors = load_file(out)
    return [tensors[f"logits_{k}"] for k in range(len(sequences))]


def llama_logits(path, sequences):
    from llama_cpp import Llama
    longest = max(map(len, sequences))
    try:
        model = Llama(str(path), n_ctx=max(64, longest), n_batch=max(64, longest), logits_all=True, verbose=False,
                      type_k=GGML_F32, type_v=GGML_F32)
    except (ValueError, AssertionError) as error:
        raise Disagreement(f"llama.cpp does not load it: {error}") from error
    results = []
    for sequence in sequences:
        model.reset()
        model.eval(sequence)
        results.append(np.array(model.scores[:len(sequence)], dtype=np.float32))
    model.close()
    return results


def transformers_logits(folder, sequences):
    import torch
    import transformers
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    if info["missing_keys"] or info["mismatched_keys"]:
        raise Disagreement(f"transformers misses {sorted(map(str, info['missing_keys'] | info['mismatched_keys']))[:5]}")
    model.eval()
    with torch.no_grad():
        return [model(input_ids=torch.tensor([s]), use_cache=False).logits[0].float().numpy() for s in sequences]


def check_tokenizer(minke, folder, back, gguf):
    from llama_cpp import Llama
    model = Llama(str(gguf), vocab_only=True, verbose=False)
    for text in STRINGS:
        expected = model.tokenize(text.encode(), add_bos=False, special=False)
        for name in (folder, back):
            line = run(minke, "tokenizer", "encode", name, "--no-special", "--text", text)
            if [int(i) for i in line.strip().split(",")] != expected:
                raise Disagreement(f"{text!r} is {expected} to llama.cpp, {line.strip()} to minke in {name.name}")
    return f"{len(STRINGS)} strings equal in all three"


def compare(expected, got, tolerance, exact=True):
    """The line to print; a disagreement when the largest difference, or else the median, is beyond the tolerance."""
    largest = max(float(np.abs(e).max()) for e in expected)
    differences = np.concatenate([np.abs(e - g).max(axis=1) for e, g in zip(expected, got)])
    same = np.concatenate([e.argmax(1) == g.argmax(1) for e, g in zip(expected, got)]).mean()
    worst, median = float(differences.max()) / largest, float(np.median(differences)) / largest
    line = (f"largest difference {worst:.1e} of the largest logit, median over positions {median:.1e}, "
            f"same best token at {100 * same:.1f} %")
    if not (worst if exact else median) <= tolerance:
        raise Disagreement(f"{line}; the tolerance is {tolerance:g}")
    return line


def check(folder, options):
    """Print one line a check; whether all of them agreed."""
    print(folder, flush=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    source = np.random.default_rng(options.seed)
    limit = config.get("max_position_embeddings", max(options.lengths))
    sequences = [source.integers(0, config["vocab_size"], min(n, limit)).tolist() for n in options.lengths]
    agreed = True

    def report(name, work):
        nonlocal agreed
        try:
            line, mark = work(), "ok"
        except Disagreement as error:
            line, mark, agreed = error, "FAILED", False
        print(f"  {name:20} {mark:6} {line}", flush=True)

    for kind in options.types:
        with tempfile.TemporaryDirectory() as scratch:
            scratch = Path(scratch)
            gguf, back = scratch / "model.gguf", scratch / "back"
            expected = []

            def convert():
                size = json.loads(run(options.minke, "convert", folder, gguf, "--type", kind, "--json", "--quiet"))
                run(options.minke, "convert", gguf, back, "--type", "f32", "--quiet")
                expected.extend(minke_logits(back, sequences, options, scratch))
                return f"{size['bytes_before']} -> {size['bytes_after']} bytes, relative error {size['relative_rms_error']:.2e}"

            report(f"{kind} there and back", convert)
            if not expected:
                continue
            if config.get("topk_method") == "group_limited_greedy":
                print("  llama.cpp skipped: it chooses groups of experts by their two best, DeepSeek-V2 by the best one")
            else:
                report(f"{kind} llama.cpp", lambda: compare(
                    expected, llama_logits(gguf, sequences), (EXACT | ROUNDED)[kind] * options.slack, exact=kind in EXACT))
            if kind == options.types[0]:
                report(f"{kind} transformers", lambda: compare(expected, transformers_logits(back, sequences), 1e-3))
                if (folder / "tokenizer.json").is_file():
                    report("tokenizer", lambda: check_tokenizer(options.minke, folder, back, gguf))
    return agreed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL_DIR", help="a Hugging Face folder")
    parser.add_argument("--minke", type=Path, default=ROOT / ".build" / "release" / "minke", help="the minke binary (default: this package's release build)")
    parser.add_argument("--types", nargs="+", choices=sorted(EXACT | ROUNDED), default=["f32", "bf16", "f16", "q8_0", "q4_k_m"], help="types to convert to")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 7, 40], help="lengths of the random sequences (default 1 7 40)")
    parser.add_argument("--slack", type=float, default=1, help="factor on the tolerances of llama.cpp (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the random sequences (default 1)")
    options = parser.parse_args()
    if not options.minke.is_file():
        parser.error(f"no binary at {options.minke}; run `swift build -c release --product minke` first, or give --minke PATH")
    options.minke = options.minke.resolve()
    results = [check(folder, options) for folder in options.models]
    print(f"{sum(results)} of {len(results)} folders agree")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
