#!/usr/bin/env python3
"""PyTorch yardstick: training throughput of a tiny DeepSeek-V3-shaped model (MLA + fine-grained MoE) on the CPU.

  --impl transformers   transformers' DeepseekV3ForCausalLM as it ships (choose --experts eager|batched_mm|grouped_mm)
  --impl hand           the same model written for speed: tokens sorted by expert into segments of whole 64 rows
                        (--gemm loop = one torch.mm per expert on a slice, --gemm grouped = torch's grouped_mm),
                        fused gate/up and q_a/kv_a projections, block-causal attention with batched products, cross-entropy
                        in row chunks, bf16 as f32 master weights + one bf16 working copy per step (no autocast).
  Both run with glibc told to keep freed memory (PLAIN_MALLOC=1 switches that off).
  --check               copy the transformers weights into the hand-written model and compare loss and gradients.

Tokens: non-overlapping character pairs of the text given by --data, hashed into the vocabulary (throughput does not
depend on them beyond routing; losses of the two implementations can be compared). The last line printed is JSON; its
`losses` are those of every step, the two untimed warm-up steps first.
FLOPs per token counted: 6 x active matrix parameters (incl. the output head) + 3 x attention products over half the window.
"""
import argparse, json, os, resource, statistics, sys, time
T0 = time.time()
if __name__ == "__main__" and "MALLOC_TRIM_THRESHOLD_" not in os.environ and not os.environ.get("PLAIN_MALLOC"):
    os.environ.update(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_="100000000000", MALLOC_TOP_PAD_="268435456")
    os.execv(sys.executable, [sys.executable] + sys.argv)  # glibc keeps freed blocks: no page faults for every big tensor
import torch
import torch.nn.functional as F

C = dict(vocab=4096, dim=256, layers=6, dense_layers=1, heads=4, q_rank=128, kv_rank=64, nope=32, rope=16, vdim=32,
         experts=16, topk=2, shared=1, moe_ffn=128, dense_ffn=512, theta=10000.0, eps=1e-6, scale=1.0)


def flops_per_token(seq):
    c = C
    attn = c["dim"] * (c["q_rank"] + c["kv_rank"] + c["rope"]) + c["q_rank"] * c["heads"] * (c["nope"] + c["rope"]) \
        + c["kv_rank"] * c["heads"] * (c["nope"] + c["vdim"]) + c["heads"] * c["vdim"] * c["dim"]
    dense = 3 * c["dim"] * c["dense_ffn"]
    moe = 3 * c["dim"] * c["moe_ffn"] * (c["topk"] + c["shared"]) + c["dim"] * c["experts"]
    active = c["layers"] * attn + c["dense_layers"] * dense + (c["layers"] - c["dense_layers"]) * moe + c["dim"] * c["vocab"]
    sdpa = 2 * c["heads"] * (c["nope"] + c["rope"] + c["vdim"]) * (seq / 2) * c["layers"]
    return 6 * active + 3 * sdpa, active


# ---------------------------------------------------------------- grouped products over expert-sorted rows
@torch.library.custom_op("bench::gmm", mutates_args=())
def gmm(x: torch.Tensor, w: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """rows of x are sorted by expert; w is [E, out, in]; ends[e] = row where expert e stops."""
    y = x.new_empty(x.shape[0], w.shape[1])
    a = 0
    for e, b in enumerate(ends.tolist()):
        if b > a:
            torch.mm(x[a:b], w[e].t(), out=y[a:b])
        a = b
    y[a:].zero_()
    return y


@gmm.register_fake
def _(x, w, ends):
    return x.new_empty(x.shape[0], w.shape[1])


@torch.library.custom_op("bench::gmm_grad", mutates_args=())
def gmm_grad(dy: torch.Tensor, x: torch.Tensor, w: torch.Tensor, ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    dx, dw = torch.empty_like(x), torch.empty_like(w)
    a = 0
    for e, b in enumerate(ends.tolist()):
        if b > a:
            torch.mm(dy[a:b], w[e], out=dx[a:b])
            torch.mm(dy[a:b].t(), x[a:b], out=dw[e])
        else:
            dw[e].zero_()
        a = b
    dx[a:].zero_()
    return dx, dw


@gmm_grad.register_fake
def _(dy, x, w, ends):
    return torch.empty_like(x), torch.empty_like(w)


def _setup(ctx, inputs, output):
    ctx.save_for_backward(*inputs)


def _bwd(ctx, dy):
    x, w, ends = ctx.saved_tensors
    dx, dw = gmm_grad(dy.contiguous(), x, w, ends)
    return dx, dw, None


gmm.register_autograd(_bwd, setup_context=_setup)


class ChunkedCE(torch.autograd.Function):
    """Output head + cross-entropy over row chunks; gradients are formed in the forward pass, logits never stored whole."""

    @staticmethod
    def forward(ctx, h, w, tgt, rows):
        n = h.shape[0]
        dh = torch.empty_like(h)
        dw = torch.zeros(w.shape, dtype=torch.float32)
        loss = 0.0
        for i in range(0, n, rows):
            z = (h[i:i + rows] @ w.t()).float()
            t = tgt[i:i + rows, None]
            lse = z.logsumexp(1, keepdim=True)
            loss = loss + (lse - z.gather(1, t)).sum()
            z.sub_(lse).exp_()
            z.scatter_add_(1, t, torch.full(t.shape, -1.0))
            z = z.mul_(1.0 / n).to(h.dtype)
            torch.mm(z, w, out=dh[i:i + rows])
            dw += z.t() @ h[i:i + rows]
        ctx.save_for_backward(dh, dw.to(w.dtype))
        return loss / n

    @staticmethod
    def backward(ctx, g):
        dh, dw = ctx.saved_tensors
        return dh * g.to(dh.dtype), dw * g.to(dw.dtype), None, None


# ---------------------------------------------------------------- hand-written model
def make_params():
    c = C
    g = torch.Generator().manual_seed(0)
    n = lambda *s: torch.randn(*s, generator=g) * 0.02
    p = {"emb": n(c["vocab"], c["dim"]), "head": n(c["vocab"], c["dim"]), "norm": torch.ones(c["dim"])}
    for l in range(c["layers"]):
        q = f"l{l}."
        p[q + "n1"], p[q + "n2"] = torch.ones(c["dim"]), torch.ones(c["dim"])
        p[q + "qn"], p[q + "kvn"] = torch.ones(c["q_rank"]), torch.ones(c["kv_rank"])
        p[q + "a"] = n(c["q_rank"] + c["kv_rank"] + c["rope"], c["dim"])  # q_a and kv_a in one matrix
        p[q + "qb"] = n(c["heads"] * (c["nope"] + c["rope"]), c["q_rank"])
        p[q + "kvb"] = n(c["heads"] * (c["nope"] + c["vdim"]), c["kv_rank"])
        p[q + "o"] = n(c["dim"], c["heads"] * c["vdim"])
        if l < c["dense_layers"]:
            p[q + "gu"], p[q + "d"] = n(2 * c["dense_ffn"], c["dim"]), n(c["dim"], c["dense_ffn"])
        else:
            p[q + "r"] = n(c["experts"], c["dim"])
            p[q + "egu"], p[q + "ed"] = n(c["experts"], 2 * c["moe_ffn"], c["dim"]), n(c["experts"], c["dim"], c["moe_ffn"])
            p[q + "gu"], p[q + "d"] = n(2 * c["moe_ffn"] * c["shared"], c["dim"]), n(c["dim"], c["moe_ffn"] * c["shared"])
    return p


def rope_tables(T):
    f = 1.0 / (C["theta"] ** (torch.arange(0, C["rope"], 2).float() / C["rope"]))
    a = torch.outer(torch.arange(T).float(), f)
    return a.cos(), a.sin()


def rot(x, cos, sin):  # pairs (0,1),(2,3)...; output order is even parts then odd parts, the same for q and k
    a, b = x[..., 0::2].float(), x[..., 1::2].float()
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)


def glu(h):
    g, u = h.chunk(2, -1)
    return F.silu(g) * u


class BlockAttention(torch.autograd.Function):
    """Causal attention as batched products over query blocks (only the needed keys); probabilities are kept."""
    ROWS = 128

    @staticmethod
    def forward(ctx, q, k, v):  # [BH, T, d]
        R, T = BlockAttention.ROWS, q.shape[1]
        o = torch.empty(q.shape[0], T, v.shape[2], dtype=v.dtype)
        mask = torch.full((R, R), float("-inf"), dtype=q.dtype).triu_(1)
        sc = q.shape[2] ** -0.5
        ps = []
        for a in range(0, T, R):
            b = min(T, a + R)
            s = torch.bmm(q[:, a:b] * sc, k[:, :b].transpose(1, 2))
            s[:, :, a:b] += mask[: b - a, : b - a]
            s = torch.softmax(s, -1)
            torch.bmm(s, v[:, :b], out=o[:, a:b]) if T == R else o[:, a:b].copy_(torch.bmm(s, v[:, :b]))
            ps.append(s)
        ctx.save_for_backward(q, k, v, *ps)
        return o

    @staticmethod
    def backward(ctx, do):
        q, k, v, *ps = ctx.saved_tensors
        R, T = BlockAttention.ROWS, q.shape[1]
        sc = q.shape[2] ** -0.5
        dq, dk, dv = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for i, a in enumerate(range(0, T, R)):
            b = min(T, a + R)
            p, d = ps[i], do[:, a:b]
            dv[:, :b] += torch.bmm(p.transpose(1, 2), d)
            ds = torch._softmax_backward_data(torch.bmm(d, v[:, :b].transpose(1, 2)), p, -1, p.dtype).mul_(sc)
            dq[:, a:b] = torch.bmm(ds, k[:, :b])
            dk[:, :b] += torch.bmm(ds.transpose(1, 2), q[:, a:b])
        return dq, dk, dv


def block_attn(p, q, x, cos, sin, attn):
    c = C
    B, T, D = x.shape
    H = c["heads"]
    h = F.rms_norm(x, (D,), p[q + "n1"], c["eps"])
    qa, kva, kr = F.linear(h, p[q + "a"]).split((c["q_rank"], c["kv_rank"], c["rope"]), -1)
    qh = F.linear(F.rms_norm(qa, (c["q_rank"],), p[q + "qn"], c["eps"]), p[q + "qb"]).view(B, T, H, c["nope"] + c["rope"])
    kv = F.linear(F.rms_norm(kva, (c["kv_rank"],), p[q + "kvn"], c["eps"]), p[q + "kvb"]).view(B, T, H, c["nope"] + c["vdim"])
    qn, qr = qh.split((c["nope"], c["rope"]), -1)
    kn, v = kv.split((c["nope"], c["vdim"]), -1)
    cs, sn = cos[None, :, None], sin[None, :, None]
    qf = torch.cat((qn, rot(qr, cs, sn)), -1).transpose(1, 2)
    kf = torch.cat((kn, rot(kr[:, :, None], cs, sn).expand(B, T, H, c["rope"])), -1).transpose(1, 2)
    v = v.transpose(1, 2)
    if attn == "blocks":
        y = BlockAttention.apply(*(t.reshape(B * H, T, -1) for t in (qf, kf, v))).view(B, H, T, -1)
    else:
        if attn == "flash":  # the CPU flash kernel wants equal head sizes
            v = F.pad(v, (0, c["nope"] + c["rope"] - c["vdim"]))
        y = F.scaled_dot_product_attention(qf, kf, v, is_causal=True)[..., : c["vdim"]]
    return x + F.linear(y.transpose(1, 2).reshape(B, T, H * c["vdim"]), p[q + "o"])


PAD = 64  # expert segments start at multiples of this many rows: few distinct GEMM shapes, so oneDNN reuses its kernels


def route(p, q, h, bias):
    """sigmoid scores, bias only for the choice, weights renormalised; `slot` = row of each (token, choice) in the
    expert-sorted, padded buffer; `ends` = where each expert's padded segment stops; `load` = real rows per expert."""
    c = C
    s = F.linear(h.float(), p[q + "r"].float()).sigmoid()
    idx = torch.topk(s.detach() + bias, c["topk"], dim=-1, sorted=False)[1]
    w = s.gather(1, idx)
    w = (w / (w.sum(-1, keepdim=True) + 1e-20) * c["scale"]).to(h.dtype)
    flat = idx.reshape(-1)
    n = flat.numel()
    order = flat.argsort(stable=True)
    load = torch.zeros(c["experts"], dtype=torch.long).scatter_add_(0, flat, torch.ones_like(flat))
    padded = (load + PAD - 1) // PAD * PAD
    ends = padded.cumsum(0)
    shift = (ends - padded) - (load.cumsum(0) - load)
    slot = torch.empty_like(order).scatter_(0, order, torch.arange(n) + shift[flat[order]])
    return w, slot, ends, load


class Dispatch(torch.autograd.Function):
    """Copy each token to its k slots; the gradient is a gather-and-sum (no atomics)."""

    @staticmethod
    def forward(ctx, x, slot, k, rows):
        ctx.save_for_backward(slot)
        ctx.k = k
        src = torch.full((rows,), x.shape[0], dtype=torch.long).scatter_(0, slot, torch.arange(slot.numel()) // k)
        return torch.cat((x, x.new_zeros(1, x.shape[1]))).index_select(0, src)

    @staticmethod
    def backward(ctx, d):
        (slot,) = ctx.saved_tensors
        return d.index_select(0, slot).view(-1, ctx.k, d.shape[1]).sum(1), None, None, None


class Combine(torch.autograd.Function):
    """Weighted sum of a token's k expert outputs."""

    @staticmethod
    def forward(ctx, e, w, slot):
        k = w.shape[1]
        y = e.index_select(0, slot).view(w.shape[0], k, -1)
        ctx.save_for_backward(y, w, slot)
        ctx.rows = e.shape[0]
        return (y * w[..., None]).sum(1)

    @staticmethod
    def backward(ctx, d):
        y, w, slot = ctx.saved_tensors
        dw = (y * d[:, None]).sum(-1)
        de = d.new_zeros(ctx.rows, d.shape[1])
        de.index_copy_(0, slot, (d[:, None] * w[..., None]).view(-1, d.shape[1]))
        return de, dw, None


def block_ffn(p, q, x, moe, bias, gemm):
    c = C
    B, T, D = x.shape
    h = F.rms_norm(x, (D,), p[q + "n2"], c["eps"]).view(B * T, D)
    y = F.linear(glu(F.linear(h, p[q + "gu"])), p[q + "d"])
    if moe:
        w, slot, ends, load = route(p, q, h, bias)
        xs = Dispatch.apply(h, slot, c["topk"], B * T * c["topk"] + c["experts"] * PAD)
        if gemm == "loop":
            e = gmm(glu(gmm(xs, p[q + "egu"], ends)), p[q + "ed"], ends)
        else:
            offs = ends.to(torch.int32)
            e = F.grouped_mm(glu(F.grouped_mm(xs, p[q + "egu"].transpose(1, 2), offs=offs)), p[q + "ed"].transpose(1, 2), offs=offs)
        y = y + Combine.apply(e, w, slot)
        return x + y.view(B, T, D), load
    return x + y.view(B, T, D), None


def hand_forward(p, idx, tgt, cos, sin, bias, gemm, rows, attn):
    x = F.embedding(idx, p["emb"])
    loads = []
    for l in range(C["layers"]):
        x = block_attn(p, f"l{l}.", x, cos, sin, attn)
        x, e = block_ffn(p, f"l{l}.", x, l >= C["dense_layers"], None if l < C["dense_layers"] else bias[l], gemm)
        if e is not None:
            loads.append(e)
    x = F.rms_norm(x, (x.shape[-1],), p["norm"], C["eps"]).view(-1, x.shape[-1])
    if rows:
        return ChunkedCE.apply(x, p["head"], tgt.reshape(-1), rows), loads
    return F.cross_entropy(F.linear(x, p["head"]).float(), tgt.reshape(-1)), loads


# ---------------------------------------------------------------- transformers model
def make_hf(experts):
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM
    c = C
    cfg = DeepseekV3Config(vocab_size=c["vocab"], hidden_size=c["dim"], num_hidden_layers=c["layers"], first_k_dense_replace=c["dense_layers"],
                           num_attention_heads=c["heads"], num_key_value_heads=c["heads"], q_lora_rank=c["q_rank"], kv_lora_rank=c["kv_rank"],
                           qk_nope_head_dim=c["nope"], qk_rope_head_dim=c["rope"], v_head_dim=c["vdim"], n_routed_experts=c["experts"],
                           num_experts_per_tok=c["topk"], n_shared_experts=c["shared"], moe_intermediate_size=c["moe_ffn"],
                           intermediate_size=c["dense_ffn"], n_group=1, topk_group=1, routed_scaling_factor=c["scale"], rms_norm_eps=c["eps"],
                           rope_parameters={"rope_type": "default", "rope_theta": c["theta"]}, max_position_embeddings=2048,
                           num_nextn_predict_layers=0, tie_word_embeddings=False)
    torch.manual_seed(0)
    try:
        m = DeepseekV3ForCausalLM._from_config(cfg, attn_implementation="sdpa", experts_implementation=experts)
    except TypeError:
        m = DeepseekV3ForCausalLM._from_config(cfg, attn_implementation="sdpa")
        m.set_experts_implementation(experts)
    m.config.use_cache = False
    return m.float()


def hf_to_hand(m):
    s = dict(m.named_parameters())
    p = {"emb": s["model.embed_tokens.weight"], "head": s["lm_head.weight"], "norm": s["model.norm.weight"]}
    for l in range(C["layers"]):
        a, q = f"model.layers.{l}.", f"l{l}."
        p[q + "n1"], p[q + "n2"] = s[a + "input_layernorm.weight"], s[a + "post_attention_layernorm.weight"]
        p[q + "qn"], p[q + "kvn"] = s[a + "self_attn.q_a_layernorm.weight"], s[a + "self_attn.kv_a_layernorm.weight"]
        p[q + "a"] = torch.cat((s[a + "self_attn.q_a_proj.weight"], s[a + "self_attn.kv_a_proj_with_mqa.weight"]))
        p[q + "qb"], p[q + "kvb"], p[q + "o"] = (s[a + f"self_attn.{k}.weight"] for k in ("q_b_proj", "kv_b_proj", "o_proj"))
        if l < C["dense_layers"]:
            b = a + "mlp."
        else:
            b = a + "mlp.shared_experts."
            p[q + "r"] = s[a + "mlp.gate.weight"]
            p[q + "egu"], p[q + "ed"] = s[a + "mlp.experts.gate_up_proj"], s[a + "mlp.experts.down_proj"]
        p[q + "gu"] = torch.cat((s[b + "gate_proj.weight"], s[b + "up_proj.weight"]))
        p[q + "d"] = s[b + "down_proj.weight"]
    return {k: v.detach().clone() for k, v in p.items()}


def peak(dtype, n=2048):
    a, b = torch.randn(n, n).to(dtype), torch.randn(n, n).to(dtype)
    best = 1e9
    t = time.perf_counter()
    while time.perf_counter() - t < 1.5:
        s = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - s)
    return 2 * n ** 3 / best / 1e9


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--impl", default="hand", choices=["transformers", "hand"])
    ap.add_argument("--experts", default="grouped_mm", choices=["eager", "batched_mm", "grouped_mm"])
    ap.add_argument("--gemm", default="loop", choices=["loop", "grouped"])
    ap.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    ap.add_argument("--compile", action="store_true")
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--seq", type=int, default=256)
    ap.add_argument("--steps", type=int, default=20)
    ap.add_argument("--max-seconds", type=float, default=0, help="stop timing after this many seconds")
    ap.add_argument("--ce-rows", type=int, default=512, help="rows per cross-entropy chunk; 0 = whole logits")
    ap.add_argument("--attn", default="blocks", choices=["blocks", "flash", "sdpa"], help="hand: own blocks, SDPA with padded values, plain SDPA")
    ap.add_argument("--lr", type=float, default=1e-3)
    ap.add_argument("--threads", type=int, default=0)
    ap.add_argument("--data", required=True)
    ap.add_argument("--check", action="store_true")
    c = ap.parse_args()
    if c.threads:
        torch.set_num_threads(c.threads)
    torch.manual_seed(1)
    raw = torch.tensor(list(open(c.data, "rb").read()), dtype=torch.long)
    raw = raw[: len(raw) // 2 * 2].view(-1, 2)
    toks = (raw[:, 0] * 97 + raw[:, 1]) % C["vocab"]
    gen = torch.Generator().manual_seed(1)

    def batch():
        i = torch.randint(len(toks) - c.seq - 1, (c.batch, 1), generator=gen) + torch.arange(c.seq)
        return toks[i], toks[i + 1]

    cos, sin = rope_tables(c.seq)
    if c.check:
        m = make_hf(c.experts)
        with torch.no_grad():
            for p_ in m.parameters():
                if p_.dim() > 1:
                    p_.normal_(std=0.06)
        p = {k: v.requires_grad_() for k, v in hf_to_hand(m).items()}
        x, y = batch()
        a = F.cross_entropy(m(input_ids=x).logits.view(-1, C["vocab"]), y.reshape(-1))
        a.backward()
        b, _ = hand_forward(p, x, y, cos, sin, torch.zeros(C["layers"], C["experts"]), c.gemm, c.ce_rows, c.attn)
        b.backward()
        s = dict(m.named_parameters())
        rel = lambda u, v: ((u - v).norm() / (v.norm() + 1e-12)).item()
        g = {"emb": rel(p["emb"].grad, s["model.embed_tokens.weight"].grad), "head": rel(p["head"].grad, s["lm_head.weight"].grad),
             "egu": rel(p["l2.egu"].grad, s["model.layers.2.mlp.experts.gate_up_proj"].grad),
             "router": rel(p["l3.r"].grad, s["model.layers.3.mlp.gate.weight"].grad),
             "qb": rel(p["l1.qb"].grad, s["model.layers.1.self_attn.q_b_proj.weight"].grad)}
        print(json.dumps(dict(check=True, loss_transformers=a.item(), loss_hand=b.item(), grad_rel_diff=g)))
        return
    bf = c.dtype == "bf16"
    bias = torch.zeros(C["layers"], C["experts"])
    if c.impl == "hand":
        master = {k: v.requires_grad_() for k, v in make_params().items()}
        nparams = sum(v.numel() for v in master.values())
        work = {k: v.detach().to(torch.bfloat16).requires_grad_() for k, v in master.items()} if bf else master
        opt = torch.optim.AdamW(list(master.values()), lr=c.lr, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        fn = torch.compile(hand_forward) if c.compile else hand_forward

        def train_step():
            x, y = batch()
            loss, loads = fn(work, x, y, cos, sin, bias, c.gemm, c.ce_rows, c.attn)
            loss.backward()
            if bf:
                for k, v in master.items():
                    v.grad = work[k].grad.float()
                    work[k].grad = None
            opt.step()
            opt.zero_grad(set_to_none=True)
            if bf:
                with torch.no_grad():
                    torch._foreach_copy_(list(work.values()), list(master.values()))
            for l, e in zip(range(C["dense_layers"], C["layers"]), loads):  # loss-free balancing
                n = e.float()
                bias[l] += 1e-3 * torch.sign(n.mean() - n)
            return loss
    else:
        m = make_hf(c.experts)
        m.train()
        nparams = sum(v.numel() for v in m.parameters())
        opt = torch.optim.AdamW(m.parameters(), lr=c.lr, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        fn = torch.compile(m) if c.compile else m

        def train_step():
            x, y = batch()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf):
                z = fn(input_ids=x, use_cache=False).logits
                loss = F.cross_entropy(z.float().view(-1, C["vocab"]), y.reshape(-1))
            loss.backward()
            opt.step()
            opt.zero_grad(set_to_none=True)
            return loss
    w0 = time.time()
    losses = [train_step().item(), train_step().item()]
    warm = time.time() - w0
    ts = []
    cpu0, t0 = time.process_time(), time.perf_counter()
    for _ in range(c.steps):
        s = time.perf_counter()
        losses.append(train_step().item())
        ts.append(time.perf_counter() - s)
        if c.max_seconds and time.perf_counter() - t0 > c.max_seconds:
            break
    wall, cpu = time.perf_counter() - t0, time.process_time() - cpu0
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    fl, active = flops_per_token(c.seq)
    pf, pb = peak(torch.float32), peak(torch.bfloat16)
    n = c.batch * c.seq
    med = statistics.median(ts)
    q = sorted(ts)
    print(json.dumps(dict(impl=c.impl, experts=c.experts if c.impl == "transformers" else c.gemm, dtype=c.dtype, compile=c.compile, batch=c.batch,
                          attn=c.attn if c.impl == "hand" else "sdpa", seq=c.seq, steps=len(ts), params=nparams, params_active_matrices=active, flops_per_token=fl,
                          step_ms_median=round(med * 1e3, 1), step_ms_min=round(q[0] * 1e3, 1), step_ms_p90=round(q[int(len(q) * .9)] * 1e3, 1),
                          tokens_per_s=round(n / med, 1), tokens_per_s_best=round(n / q[0], 1), cpu_s_per_wall_s=round(cpu / wall, 2),
                          gflops=round(n * fl / med / 1e9, 1), peak_f32_gflops=round(pf, 1), peak_bf16_gflops=round(pb, 1),
                          fraction_f32_peak=round(n * fl / med / 1e9 / pf, 3), fraction_own_peak=round(n * fl / med / 1e9 / (pb if bf else pf), 3),
                          loss_first=round(losses[0], 4), loss_last=round(losses[-1], 4), losses=[round(v, 4) for v in losses], warmup_seconds=round(warm, 1), seconds_wall=round(time.time() - T0, 1),
                          peak_rss_mb=round(rss, 1), threads=torch.get_num_threads(), torch=torch.__version__)))


if __name__ == "__main__":
    main()
