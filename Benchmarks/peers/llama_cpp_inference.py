#!/usr/bin/env python3
"""Prompt and decoding speed of a GGUF file with llama.cpp, through llama-cpp-python's low-level API.

Measures what `minke bench MODEL` measures, in the same way: each figure once to warm up and then `--rounds` times, the
median counting; random tokens; a forward pass for every decoded token with its logits, and no sampling.

  prefill    one prompt into an empty cache, in micro-batches of llama.cpp's default size
  decode     `--steps` tokens, one `llama_decode` call each, behind a cache of the given depth
  batch      the same with one token of every sequence in each call, at the first depth

llama.cpp's settings are its defaults for a CPU (weights repacked for the processor, f16 cache, flash attention where it
chooses it) but for threads, context size and the number of sequences.

Depth. Running tens of thousands of tokens through the model only to fill its cache takes longer than everything else, and
the time of a decoded token depends on how many tokens are cached, not on which. So `--seed-tokens` tokens are run once,
their state is saved, and copies of it, moved to consecutive positions, fill the cache: all of it by public calls
(`llama_state_seq_set_data`, `llama_memory_seq_add`, `llama_memory_seq_cp`). The number of cached positions is checked.
`--fill prompt` runs a prompt of the whole depth instead.

Needs: llama-cpp-python and numpy. Prints one JSON object.
"""
import argparse
import ctypes
import json
import random
import resource
import statistics
import sys
import time
from pathlib import Path

import llama_cpp as api


@api.llama_log_callback
def quiet(level, text, data):
    """Drops what llama.cpp says, errors apart (level 4)."""
    if level == 4:
        sys.stderr.write(text.decode("utf-8", "replace"))


class Batch:
    """Tokens of any sequences for one call."""

    def __init__(self, capacity):
        self.capacity, self.raw = capacity, api.llama_batch_init(capacity, 0, 1)

    def fill(self, entries):
        """Entries are (token, position, sequence, whether its logits are wanted)."""
        self.raw.n_tokens = len(entries)
        for index, (token, position, sequence, wanted) in enumerate(entries):
            self.raw.token[index] = token
            self.raw.pos[index] = position
            self.raw.n_seq_id[index] = 1
            self.raw.seq_id[index][0] = sequence
            self.raw.logits[index] = wanted
        return self.raw


class Context:
    """A model with a cache of `tokens` for each of some sequences; a unified cache holds them all in one."""

    def __init__(self, model, tokens, threads, sequences=1, unified=False):
        settings = api.llama_context_default_params()
        settings.n_ctx = -(-tokens // 256) * 256 * (1 if unified else sequences)
        settings.n_seq_max = sequences
        settings.kv_unified = unified
        settings.n_threads = settings.n_threads_batch = threads
        settings.no_perf = True
        self.raw = api.llama_init_from_model(model, settings)
        if not self.raw:
            raise SystemExit(f"llama.cpp makes no context of {tokens} tokens")
        self.memory = api.llama_get_memory(self.raw)
        self.largest = api.llama_n_batch(self.raw)
        self.batch = Batch(max(self.largest, sequences))

    def decode(self, entries):
        code = api.llama_decode(self.raw, self.batch.fill(entries))
        if code:
            raise SystemExit(f"llama_decode ended with {code}")
        # Waits for the computation, as reading its result would.
        api.llama_synchronize(self.raw)

    def prompt(self, tokens, sequence=0):
        """Runs a prompt from position 0; only the last token's logits are computed."""
        for start in range(0, len(tokens), self.largest):
            part = range(start, min(start + self.largest, len(tokens)))
            self.decode([(tokens[i], i, sequence, i == len(tokens) - 1) for i in part])

    def clear(self):
        api.llama_memory_clear(self.memory, False)

    def cached(self, sequence):
        """Positions that a sequence has in the cache."""
        return api.llama_memory_seq_pos_max(self.memory, sequence) + 1

    def truncate(self, sequence, count):
        if not api.llama_memory_seq_rm(self.memory, sequence, count, -1):
            raise SystemExit("llama.cpp cannot truncate this model's cache")

    def fill(self, state, length, depth, spare):
        """Fills sequence 0 to a depth with copies of the saved state of `length` tokens, by way of sequence `spare`."""
        data = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        for start in range(0, depth, length):
            api.llama_memory_seq_rm(self.memory, spare, -1, -1)
            if not api.llama_state_seq_set_data(self.raw, data, len(state), spare):
                raise SystemExit("llama.cpp does not take its own state back; try --fill prompt")
            self.truncate(spare, min(length, depth - start))
            if start:
                api.llama_memory_seq_add(self.memory, spare, 0, -1, start)
            api.llama_memory_seq_cp(self.memory, spare, 0, -1, -1)
        api.llama_memory_seq_rm(self.memory, spare, -1, -1)
        if self.cached(0) != depth or api.llama_memory_seq_pos_min(self.memory, 0) != 0:
            raise SystemExit(f"the cache holds {self.cached(0)} positions and not {depth}")

    def state(self, sequence):
        size = api.llama_state_seq_get_size(self.raw, sequence)
        data = (ctypes.c_uint8 * size)()
        return ctypes.string_at(data, api.llama_state_seq_get_data(self.raw, data, size, sequence))

    def free(self):
        api.llama_batch_free(self.batch.raw)
        api.llama_free(self.raw)


def speeds(tokens, rounds, prepare, body):
    """Tokens a second: median, least and greatest, after a round that warms up. `prepare` is not timed."""
    taken = []
    for _ in range(rounds + 1):
        prepare()
        start = time.perf_counter()
        body()
        taken.append(time.perf_counter() - start)
    found = sorted(tokens / seconds for seconds in taken[1:])
    return {"tokens_per_second": statistics.median(found), "tokens_per_second_min": found[0], "tokens_per_second_max": found[-1]}


class Benchmark:
    def __init__(self, model, options):
        self.model, self.options = model, options
        self.vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
        self.saved = None

    def tokens(self, count, sequence=0):
        source = random.Random(sequence)
        return [source.randrange(self.vocabulary) for _ in range(count)]

    def prefill(self, count):
        context = Context(self.model, count, self.options.threads)
        tokens = self.tokens(count)
        found = speeds(count, self.options.rounds, context.clear, lambda: context.prompt(tokens))
        context.free()
        return {"tokens": count} | found

    def seed_state(self, count):
        """The state of some tokens that have been run, computed once."""
        if self.saved is None or self.saved[1] < count:
            context = Context(self.model, count, self.options.threads)
            context.prompt(self.tokens(count))
            self.saved = (context.state(0), count)
            context.free()
        return self.saved

    def decode(self, depth, batch):
        options = self.options
        if depth and options.fill == "copies":
            seed = self.seed_state(min(depth, options.seed_tokens))
            # While a copy is put in, it lies beside what is already filled, as a second sequence of the same cache.
            context = Context(self.model, depth + options.steps + seed[1], options.threads, sequences=2, unified=True)
            context.fill(*seed, depth, spare=1)
        else:
            context = Context(self.model, depth + options.steps, options.threads, sequences=batch)
            for sequence in range(batch if depth else 0):
                context.prompt(self.tokens(depth, sequence), sequence)
        tokens = [self.tokens(options.steps, sequence) for sequence in range(batch)]

        def body():
            for step in range(options.steps):
                context.decode([(tokens[sequence][step], depth + step, sequence, True) for sequence in range(batch)])

        def prepare():
            for sequence in range(batch):
                context.truncate(sequence, depth)

        found = speeds(batch * options.steps, options.rounds, prepare, body)
        context.free()
        return {"depth": depth, "batch": batch} | found


def peak_memory():
    """The most bytes of this process that were resident."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def numbers(text):
    return [int(part) for part in text.split(",") if part]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="the GGUF file, or the first of its shards")
    parser.add_argument("--prefill", type=numbers, default=[512], help="lengths of prompts (default 512)")
    parser.add_argument("--depths", type=numbers, default=[0, 4096, 16384], help="tokens before the decoded ones (default 0,4096,16384)")
    parser.add_argument("--batches", type=numbers, default=[1, 8], help="sequences decoded together (default 1,8)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each figure (default 3)")
    parser.add_argument("--steps", type=int, default=8, help="tokens decoded in one measurement (default 8)")
    parser.add_argument("--threads", type=int, default=2, help="threads (default 2)")
    parser.add_argument("--fill", choices=["copies", "prompt"], default="copies", help="how the cache gets its depth (default copies)")
    parser.add_argument("--seed-tokens", type=int, default=256, help="tokens run for the copies (default 256)")
    options = parser.parse_args()
    if options.fill == "copies" and options.depths and options.depths[0] and max(options.batches) > 1:
        parser.error("several sequences behind a depth need --fill prompt; or begin --depths with 0")

    api.llama_log_set(quiet, ctypes.c_void_p(0))
    api.llama_backend_init()
    settings = api.llama_model_default_params()
    settings.n_gpu_layers = 0
    start = time.perf_counter()
    model = api.llama_model_load_from_file(options.model.encode(), settings)
    if not model:
        raise SystemExit(f"llama.cpp does not load {options.model}")
    loading = time.perf_counter() - start
    benchmark = Benchmark(model, options)
    prefill = [benchmark.prefill(count) for count in options.prefill]
    decode = [benchmark.decode(depth, batch) for index, depth in enumerate(options.depths) for batch in options.batches
              if batch == 1 or index == 0]
    print(json.dumps({"prefill": prefill, "decode": decode, "peak_memory": peak_memory(), "load_seconds": loading,
                      "threads": options.threads, "version": api.__version__, "fill": options.fill,
                      "system": api.llama_print_system_info().decode().strip()}))


if __name__ == "__main__":
    main()
