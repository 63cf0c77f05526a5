#!/usr/bin/env python3
"""Check that model folders mean the same to minke and to Hugging Face's transformers.

For each folder:
  loading     AutoModelForCausalLM (f32, eager attention) builds the class named in config.json, and no weight is missing,
              mismatched or unexpected (keys of multi-token-prediction layers, which transformers leaves out, are fine)
  logits      random id sequences of several lengths through both; the largest absolute difference must stay below
              --tolerance times the largest logit
  generation  greedy continuation, id by id; where the two part, the reference must hold both ids equal within that tolerance
  tokenizer   ids of a handful of strings, without special tokens; skipped where there is no tokenizer.json

Needs: pip install torch transformers safetensors tokenizers numpy (transformers 5 or newer), and the minke binary.
Exit code 1 when anything disagrees.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # folders only: nothing is to be fetched
import torch
import transformers
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parent.parent
STRINGS = [
    "The little whale reads 42 books, and then 1,234 more.",
    " leading and trailing ",
    "two  blanks\tand\ttabs\n\n\nthree line feeds \n and a mix \r\n\t  ",
    "def f(x):\n    return {'a': x ** 2, \"b\": [1, 2, 3]}  # don't",
    "Größe, naïve café, Ελληνικά, Привет, שלום, नमस्ते",
    "中文分词测试,日本語のテスト、한국어",
    "👩‍👩‍👧‍👦 🇩🇪 e\u0301 ﬁ \u00a0\u3000\u200b end",
    "",
]


class Disagreement(Exception):
    """One line on what the two sides do not agree about."""


def run(command, text=None):
    """Standard output of a command; its failure is a disagreement."""
    done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise Disagreement(f"`minke {command[1]}` ended with code {done.returncode}: {reason}")
    return done.stdout


def load(folder):
    """The reference model, after checking its class and its weights."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    wanted = config["architectures"][0]
    if type(model).__name__ != wanted:
        raise Disagreement(f"config.json names {wanted}, transformers built {type(model).__name__}")

    def beyond_the_layers(key):
        layer = re.match(r"model\.layers\.(\d+)\.", key)
        return layer is not None and int(layer[1]) >= config["num_hidden_layers"]

    faults = {kind: sorted(map(str, info[kind])) for kind in ("missing_keys", "mismatched_keys", "unexpected_keys")}
    faults["unexpected_keys"] = [key for key in faults["unexpected_keys"] if not beyond_the_layers(key)]
    for kind, keys in faults.items():
        if keys:
            raise Disagreement(f"{len(keys)} {kind.replace('_', ' ')}: {', '.join(keys[:5])}")
    model.eval()
    return model, f"{wanted}, {sum(p.numel() for p in model.parameters()):,} parameters, all weights found"


@torch.no_grad()
def reference_logits(model, ids):
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()


def random_sequences(model, options):
    source = torch.Generator().manual_seed(options.seed)
    limit = getattr(model.config, "max_position_embeddings", None) or max(options.lengths)
    return [torch.randint(model.config.vocab_size, (min(length, limit),), generator=source).tolist() for length in options.lengths]


def check_logits(folder, model, options):
    sequences = random_sequences(model, options)
    with tempfile.TemporaryDirectory() as scratch:
        ids, out = Path(scratch) / "ids.json", Path(scratch) / "logits.safetensors"
        ids.write_text(json.dumps(sequences))
        run([options.minke, "logits", folder, "--ids", ids, "--out", out])
        if not out.is_file():
            raise Disagreement("`minke logits` wrote no file")
        ours = load_file(out)
    worst, largest, where = 0.0, 0.0, None
    for k, sequence in enumerate(sequences):
        expected, got = reference_logits(model, sequence), ours.get(f"logits_{k}")
        if got is None or got.shape != expected.shape:
            raise Disagreement(f"logits_{k} is {'missing' if got is None else list(got.shape)}, wanted {list(expected.shape)}")
        per_position = (got.float() - expected).abs().amax(dim=1)
        largest = max(largest, expected.abs().max().item())
        position = per_position.argmax().item()
        difference = per_position[position].item()
        if not torch.isfinite(got).all():
            raise Disagreement(f"logits_{k} are not all finite")
        if where is None or difference > worst:
            worst, where = difference, f"sequence {k} ({len(sequence)} ids), position {position}"
    line = f"max |difference| {worst:.2e}, {worst / largest:.1e} of the largest logit {largest:.2f}, at {where}"
    if worst > options.tolerance * largest:
        raise Disagreement(f"{line}; the tolerance is {options.tolerance:g}")
    return line


def check_generation(folder, model, options):
    prompt = random_sequences(model, options)[-1][:16]
    out = json.loads(run([options.minke, "generate", folder, "--ids", ",".join(map(str, prompt)), "--max-tokens", options.new_tokens,
                          "--temperature", "0", "--ignore-eos", "--json"]))
    ours = out["ids"]
    if len(ours) == len(prompt) + options.new_tokens and ours[:len(prompt)] == prompt:
        ours = ours[len(prompt):]
    if len(ours) != options.new_tokens:
        raise Disagreement(f"{len(ours)} ids generated, wanted {options.new_tokens}")
    ids = list(prompt)
    for step, got in enumerate(ours):
        logits = reference_logits(model, ids)[-1]
        best = logits.argmax().item()
        if got != best:
            if not 0 <= got < len(logits):
                raise Disagreement(f"id {got} at step {step} is outside the vocabulary")
            gap = (logits[best] - logits[got]).item()
            if gap > options.tolerance * logits.abs().max().item():
                raise Disagreement(f"step {step}: {got} instead of {best}, whose logit is greater by {gap:.3g}")
            return f"equal for {step} ids, then a tie ({got} or {best}, {gap:.1e} apart)"
        ids.append(best)
    return f"all {len(ours)} greedy ids equal"


def check_tokenizer(folder, options):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in STRINGS)
    answers = [json.loads(line) for line in run([options.minke, "tokenizer", "encode", folder, "--jsonl"], lines).split("\n") if line]
    if len(answers) != len(STRINGS):
        raise Disagreement(f"{len(answers)} answers for {len(STRINGS)} strings")
    for text, answer in zip(STRINGS, answers):
        expected = tokenizer.encode(text, add_special_tokens=False)
        if answer["ids"] != expected:
            raise Disagreement(f"{text!r} is {expected} to transformers, {answer['ids']} to minke")
    return f"{len(STRINGS)} strings equal"


def check(folder, options):
    """Print one line a check; whether all of them agreed."""
    print(folder, flush=True)
    agreed = True

    def report(name, work):
        nonlocal agreed
        try:
            line, mark = work(), "ok"
        except Disagreement as error:
            line, mark, agreed = error, "FAILED", False
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:  # unreadable folders and answers
            line, mark, agreed = f"{type(error).__name__}: {error}", "FAILED", False
        print(f"  {name:10} {mark:6} {line}", flush=True)

    model = None

    def loading():
        nonlocal model
        model, line = load(folder)
        return line

    report("loading", loading)
    if model is not None:
        report("logits", lambda: check_logits(folder, model, options))
        report("generation", lambda: check_generation(folder, model, options))
    if (folder / "tokenizer.json").is_file():
        report("tokenizer", lambda: check_tokenizer(folder, options))
    else:
        print("  tokenizer  skipped: no tokenizer.json")
    return agreed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL_DIR", help="a Hugging Face folder: config.json, *.safetensors, maybe tokenizer.json")
    parser.add_argument("--minke", type=Path, default=ROOT / ".build" / "release" / "minke", help="the minke binary (default: this package's release build)")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="largest difference, as a fraction of the largest |logit| (default 1e-3)")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 2, 7, 33, 96], help="lengths of the random sequences (default 1 2 7 33 96)")
    parser.add_argument("--new-tokens", type=int, default=24, help="ids to generate (default 24)")
    parser.add_argument("--seed", type=int, default=1, help="of the random sequences (default 1)")
    options = parser.parse_args()
    if not options.minke.is_file():
        parser.error(f"no binary at {options.minke}; run `swift build -c release --product minke` first, or give --minke PATH")
    if min(options.lengths) < 1 or options.new_tokens < 1:
        parser.error("--lengths and --new-tokens must be at least 1")
    options.minke = options.minke.resolve()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    results = [check(folder, options) for folder in options.models]
    print(f"{sum(results)} of {len(results)} folders agree")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
