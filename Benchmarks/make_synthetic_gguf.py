#!/usr/bin/env python3
"""Write a GGUF model file with random weights: the shapes, names, types and sizes of a real model, and nothing learned.

Speed and memory of a program do not depend on what the weights say, so a file of noise is enough to measure them, and
needs no download. Blocks get random codes, and scales for which the decoded weights have mean 0 and the deviation of a
usual initialisation: activations stay of the size they have in a trained model. The text of such a model is noise.

  v2-lite   DeepSeek-V2-Lite: 27 layers × 2,048, 64 experts of which 6 + 2 shared run; 15.7 B parameters, 2.4 B a token;
            in Q4_K_M 10.4 GB
  small     the same kinds of layers at 12 × 1,024 with 32 experts, 1.3 B parameters; in Q4_K_M 0.8 GB
  tiny      3 × 256 with 8 experts; a few MB, for trying commands

The types of `Q4_K_M` follow llama.cpp's quantiser: Q6_K for the head and for part of the down projections, Q5_0 and Q8_0
where a row is no multiple of 256, float32 for norms and routers. The same seed gives the same file.

Needs: numpy and gguf.

  python3 Benchmarks/make_synthetic_gguf.py v2-lite.gguf
  python3 Benchmarks/make_synthetic_gguf.py small.gguf --model small --quant Q8_0
"""
import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

Type = gguf.GGMLQuantizationType


@dataclass(frozen=True)
class Shape:
    """A DeepSeek-V2 model in numbers; the fields are named as in `config.json`, shortened."""
    layers: int
    hidden: int
    heads: int
    experts: int
    experts_per_token: int
    shared_experts: int
    expert_width: int
    dense_width: int
    vocabulary: int
    dense_layers: int = 1
    query_latent: int = 0  # 0: queries are projected at once
    latent: int = 512
    rotary: int = 64
    nope: int = 128
    value: int = 128
    context: int = 163_840


MODELS = {
    "v2-lite": Shape(layers=27, hidden=2048, heads=16, experts=64, experts_per_token=6, shared_experts=2,
                     expert_width=1408, dense_width=10_944, vocabulary=102_400),
    "small": Shape(layers=12, hidden=1024, heads=8, experts=32, experts_per_token=4, shared_experts=1,
                   expert_width=1024, dense_width=4096, vocabulary=32_768, query_latent=512),
    "tiny": Shape(layers=3, hidden=256, heads=4, experts=8, experts_per_token=2, shared_experts=1,
                  expert_width=256, dense_width=512, vocabulary=2048, query_latent=256, context=16_384),
}

# ------------------------------------------------------------------------------------------------------------- tensors


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file: outermost dimension first; a deviation of None means all ones."""
    name: str
    shape: tuple
    deviation: float | None
    type: Type


def tensors(model, quantisation):
    """Every tensor in the order of the file."""
    listed = []

    def matrix(name, *shape, gain=1.0):
        """A projection; a gain below 1 keeps the residual stream from growing over the layers."""
        listed.append(Tensor(name, shape, gain / math.sqrt(shape[-1]), type_of(name, shape, quantisation, model.layers)))

    def norm(name, size):
        listed.append(Tensor(name, (size,), None, Type.F32))

    matrix("token_embd.weight", model.vocabulary, model.hidden)
    norm("output_norm.weight", model.hidden)
    matrix("output.weight", model.vocabulary, model.hidden)
    for layer in range(model.layers):
        block = f"blk.{layer}."
        norm(block + "attn_norm.weight", model.hidden)
        queries = model.heads * (model.nope + model.rotary)
        if model.query_latent:
            matrix(block + "attn_q_a.weight", model.query_latent, model.hidden)
            norm(block + "attn_q_a_norm.weight", model.query_latent)
            matrix(block + "attn_q_b.weight", queries, model.query_latent)
        else:
            matrix(block + "attn_q.weight", queries, model.hidden)
        matrix(block + "attn_kv_a_mqa.weight", model.latent + model.rotary, model.hidden)
        norm(block + "attn_kv_a_norm.weight", model.latent)
        matrix(block + "attn_k_b.weight", model.heads, model.latent, model.nope, gain=math.sqrt(model.nope / model.latent))
        matrix(block + "attn_v_b.weight", model.heads, model.value, model.latent)
        matrix(block + "attn_output.weight", model.hidden, model.heads * model.value, gain=0.3)
        norm(block + "ffn_norm.weight", model.hidden)
        if layer < model.dense_layers:
            parts = [("", (), model.dense_width)]
        else:
            matrix(block + "ffn_gate_inp.weight", model.experts, model.hidden)
            parts = [("_exps", (model.experts,), model.expert_width),
                     ("_shexp", (), model.shared_experts * model.expert_width)]
        for suffix, leading, width in parts:
            matrix(f"{block}ffn_gate{suffix}.weight", *leading, width, model.hidden)
            matrix(f"{block}ffn_up{suffix}.weight", *leading, width, model.hidden)
            matrix(f"{block}ffn_down{suffix}.weight", *leading, model.hidden, width, gain=0.3)
    return listed


def type_of(name, shape, quantisation, layers):
    """The type that llama.cpp's quantiser would choose for a matrix."""
    if "ffn_gate_inp" in name:
        return Type.F32
    if quantisation != "Q4_K_M":
        return Type[quantisation]
    careful = name == "output.weight"
    if "ffn_down" in name:  # the first and last eighth of the layers, and every third between
        layer, eighth = int(name.split(".")[1]), layers // 8
        careful = layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2
    if shape[-1] % 256:
        return Type.Q8_0 if careful else Type.Q5_0
    return Type.Q6_K if careful else Type.Q4_K


# -------------------------------------------------------------------------------------------------------------- blocks

BLOCKS = {
    Type.Q4_0: [("d", "<f2"), ("codes", "u1", 16)],
    Type.Q5_0: [("d", "<f2"), ("codes", "u1", 20)],
    Type.Q8_0: [("d", "<f2"), ("codes", "u1", 32)],
    Type.Q4_K: [("d", "<f2"), ("minimum", "<f2"), ("scales", "u1", 12), ("codes", "u1", 128)],
    Type.Q6_K: [("codes", "u1", 192), ("scales", "i1", 16), ("d", "<f2")],
}
# The deviation of uniformly random codes about their middle: of n levels, sqrt((n² - 1) / 12).
CODE_DEVIATION = {kind: math.sqrt((levels**2 - 1) / 12) for kind, levels in
                  {Type.Q4_0: 16, Type.Q5_0: 32, Type.Q8_0: 256, Type.Q4_K: 16, Type.Q6_K: 64}.items()}


def random_blocks(random, kind, weights, deviation):
    """Bytes of a number of weights of a type."""
    if kind in (Type.F32, Type.F16):
        return (random.standard_normal(weights, np.float32) * deviation).astype("<f4" if kind == Type.F32 else "<f2").view(np.uint8)
    if kind == Type.BF16:
        wide = (random.standard_normal(weights, np.float32) * deviation).view(np.uint32)
        return (wide >> 16).astype("<u2").view(np.uint8)
    size, length = gguf.GGML_QUANT_SIZES[kind]
    count = weights // size
    blocks = np.zeros(count, BLOCKS[kind])
    assert blocks.itemsize == length, kind
    blocks["codes"] = np.frombuffer(random.bytes(blocks["codes"].size), np.uint8).reshape(blocks["codes"].shape)
    unit = deviation / CODE_DEVIATION[kind] * random.uniform(0.8, 1.2, count)
    if kind == Type.Q4_K:
        # Eight sub-blocks of weight = d·s·code − minimum·m with 6-bit s and m. With s = m and minimum = 7.5 d the mean is 0.
        scales = random.integers(32, 64, (count, 8), dtype=np.uint8)
        low, high = scales[:, :4], scales[:, 4:]
        for first in (0, 4):
            blocks["scales"][:, first:first + 4] = low | (high >> 4) << 6
        blocks["scales"][:, 8:] = (high & 15) * 17
        blocks["d"] = unit / 47.5
        blocks["minimum"] = blocks["d"].astype(np.float32) * 7.5
    elif kind == Type.Q6_K:
        blocks["scales"] = random.integers(64, 127, (count, 16), dtype=np.int8)
        blocks["d"] = unit / 95
    else:
        blocks["d"] = unit
    return blocks.view(np.uint8)


# ---------------------------------------------------------------------------------------------------------------- file

BEGIN, END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
# Questions and answers by name, as DeepSeek-V2's chat models have them: servers that are compared build the same prompt.
CHAT = """\
{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\n\n' }}\
{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + eos_token }}\
{% else %}{{ message['content'] + '\n\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"""


def vocabulary(size):
    """Byte-level tokens: the 256 bytes, pairs of them as far as there is room, fillers, and the two that begin and end a text."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbol = {byte: chr(byte) for byte in printable}
    symbol |= {byte: chr(256 + index) for index, byte in enumerate(sorted(set(range(256)) - set(printable)))}
    bytes_ = [symbol[byte] for byte in range(256)]
    pairs = [(a, b) for a in bytes_ for b in bytes_][:size - 258]
    fillers = [f"[filler {index}]" for index in range(size - 258 - len(pairs))]
    tokens = bytes_ + [a + b for a, b in pairs] + fillers + [BEGIN, END]
    types = [gguf.TokenType.NORMAL] * (256 + len(pairs)) + [gguf.TokenType.UNUSED] * len(fillers) + [gguf.TokenType.CONTROL] * 2
    return tokens, [int(kind) for kind in types], [f"{a} {b}" for a, b in pairs]


def describe(writer, model, name, quantisation):
    """The metadata."""
    writer.add_name(f"synthetic {name}")
    writer.add_file_type(gguf.LlamaFileType["MOSTLY_" + quantisation if quantisation != "F32" else "ALL_F32"])
    writer.add_quantization_version(2)
    writer.add_block_count(model.layers)
    writer.add_context_length(model.context)
    writer.add_embedding_length(model.hidden)
    writer.add_feed_forward_length(model.dense_width)
    writer.add_leading_dense_block_count(model.dense_layers)
    writer.add_vocab_size(model.vocabulary)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(1)  # the latent, which all heads share
    if model.query_latent:
        writer.add_q_lora_rank(model.query_latent)
    writer.add_kv_lora_rank(model.latent)
    writer.add_key_length(model.latent + model.rotary)
    writer.add_value_length(model.latent)
    writer.add_key_length_mla(model.nope + model.rotary)
    writer.add_value_length_mla(model.value)
    writer.add_expert_count(model.experts)
    writer.add_expert_used_count(model.experts_per_token)
    writer.add_expert_shared_count(model.shared_experts)
    writer.add_expert_feed_forward_length(model.expert_width)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SOFTMAX)
    writer.add_expert_weights_norm(False)
    writer.add_expert_weights_scale(1.0)
    writer.add_rope_dimension_count(model.rotary)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(40.0)
    writer.add_rope_scaling_orig_ctx_len(4096)
    writer.add_rope_scaling_yarn_log_mul(0.0707)
    tokens, types, merges = vocabulary(model.vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("deepseek-llm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index(BEGIN))
    writer.add_eos_token_id(tokens.index(END))
    writer.add_add_bos_token(True)
    writer.add_chat_template(CHAT)


def write(path, model, name, quantisation, seed):
    writer = gguf.GGUFWriter(path, "deepseek2")
    describe(writer, model, name, quantisation)
    listed = tensors(model, quantisation)
    for tensor in listed:
        size, length = gguf.GGML_QUANT_SIZES[tensor.type]
        writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), math.prod(tensor.shape) // size * length,
                               raw_dtype=tensor.type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = np.random.Generator(np.random.SFC64(seed))
    for number, tensor in enumerate(listed, 1):
        weights = math.prod(tensor.shape)
        if tensor.deviation is None:
            data = np.ones(weights, "<f4").view(np.uint8)
        else:
            part = 1 << 24  # weights at a time, a multiple of every block
            data = np.concatenate([random_blocks(random, tensor.type, min(part, weights - start), tensor.deviation)
                                   for start in range(0, weights, part)])
        writer.write_tensor_data(data)
        if sys.stderr.isatty():
            print(f"\r{number} of {len(listed)} tensors", end="", file=sys.stderr)
    writer.close()
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"{path}: {sum(math.prod(tensor.shape) for tensor in listed) / 1e9:.2f} B parameters, "
          f"{Path(path).stat().st_size / 1e9:.2f} GB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="the file to write")
    parser.add_argument("--model", choices=MODELS, default="v2-lite", help="the shape (default v2-lite)")
    parser.add_argument("--quant", choices=["Q4_K_M", "Q4_0", "Q8_0", "BF16", "F16", "F32"], default="Q4_K_M",
                        help="the type of the matrices (default Q4_K_M)")
    parser.add_argument("--seed", type=int, default=1, help="of the random weights (default 1)")
    options = parser.parse_args()
    write(options.out, MODELS[options.model], options.model, options.quant, options.seed)


if __name__ == "__main__":
    main()
