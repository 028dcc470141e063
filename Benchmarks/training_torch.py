"""An AFMoE model in PyTorch, trained by Muon and AdamW: what `training.py` compares `trinity train` with.

Every row is one document. Usage: training_torch.py RECIPE PRECISION THREADS; prints one line of JSON for each step.
"""

import json
import math
import pathlib
import sys
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


class RMSNorm(torch.autograd.Function):
    """Keeps the normalized input only; autograd would keep every intermediate result."""

    @staticmethod
    def forward(ctx, x, gain, epsilon, dtype):
        x = x.float()
        factor = torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)
        normed = x * factor
        ctx.save_for_backward(normed, factor, gain)
        return (normed * gain).to(dtype)

    @staticmethod
    def backward(ctx, change):
        normed, factor, gain = ctx.saved_tensors
        change = change.float()
        gain_change = (change * normed).flatten(0, -2).sum(0)
        change = change * gain
        return (change - normed * (change * normed).mean(-1, keepdim=True)).mul_(factor), gain_change, None, None


class SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gate, up):
        ctx.save_for_backward(gate, up)
        return F.silu(gate) * up

    @staticmethod
    def backward(ctx, change):
        gate, up = ctx.saved_tensors
        share = torch.sigmoid(gate)
        silu = gate * share
        return change * up * (share + silu * (1 - share)), change * silu


class Model:
    def __init__(self, config, tensors, dtype):
        self.c, self.dtype = config, dtype
        self.experts = config["num_experts"]
        self.dense = config["num_dense_layers"]
        self.weights, self.bias = {}, {}
        for name, tensor in tensors.items():
            if name.endswith("expert_bias"):
                self.bias[name] = tensor.clone()
            elif ".experts." not in name:
                self.weights[name] = tensor.clone().requires_grad_()
        # The experts of a layer are stacked.
        for layer in range(self.dense, config["num_hidden_layers"]):
            for part in ("gate_proj", "up_proj", "down_proj"):
                name = f"model.layers.{layer}.mlp.experts"
                stack = [tensors[f"{name}.{expert}.{part}.weight"] for expert in range(self.experts)]
                self.weights[f"{name}.{part}"] = torch.stack(stack).requires_grad_()
        self.bias = dict(sorted(self.bias.items(), key=lambda item: int(item[0].split(".")[2])))
        self.masks = {}

    def mask(self, length, window):
        if (length, window) not in self.masks:
            place = torch.arange(length)
            distance = place[:, None] - place[None]
            visible = (distance >= 0) & (distance < window)
            self.masks[length, window] = torch.zeros(length, length, dtype=self.dtype).masked_fill(~visible, -math.inf)
        return self.masks[length, window]

    def norm(self, x, name, dtype):
        return RMSNorm.apply(x, self.weights[name + ".weight"], self.c["rms_norm_eps"], dtype)

    def linear(self, x, *names):
        weights = [self.weights[name + ".weight"] for name in names]
        return F.linear(x, (torch.cat(weights) if len(weights) > 1 else weights[0]).to(self.dtype))

    def attention(self, x, layer, cos, sin):
        c, prefix = self.c, f"model.layers.{layer}.self_attn."
        rows, length, _ = x.shape
        heads, pairs, d = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        parts = [prefix + name for name in ("q_proj", "k_proj", "v_proj", "gate_proj")]
        sizes = [heads * d, pairs * d, pairs * d, heads * d]
        q, k, v, gate = self.linear(x, *parts).split(sizes, -1)
        q = self.norm(q.view(rows, length, heads, d), prefix + "q_norm", self.dtype).transpose(1, 2)
        k = self.norm(k.view(rows, length, pairs, d), prefix + "k_norm", self.dtype).transpose(1, 2)
        v = v.view(rows, length, pairs, d).transpose(1, 2)
        full = c["layer_types"][layer] == "full_attention"
        if not full:
            q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k, v = (t.repeat_interleave(heads // pairs, 1) for t in (k, v))
        # The flash attention of PyTorch's CPU kernels, which skips what is above the diagonal if no mask is given.
        if full or c["sliding_window"] >= length:
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask(length, c["sliding_window"]))
        out = out.transpose(1, 2).reshape(rows, length, heads * d) * torch.sigmoid(gate)
        return self.linear(out, prefix + "o_proj")

    def feed_forward(self, x, prefix):
        return self.linear(
            SwiGLU.apply(self.linear(x, prefix + "gate_proj"), self.linear(x, prefix + "up_proj")), prefix + "down_proj")

    def mixture(self, h, layer, rows):
        """From float32 h (tokens, hidden) to the output, the tokens of each expert and the balance loss."""
        c, prefix = self.c, f"model.layers.{layer}.mlp."
        chosen = c["num_experts_per_tok"]
        x = h.to(self.dtype)
        scores = torch.sigmoid(F.linear(h, self.weights[prefix + "router.gate.weight"]))
        ids = (scores.detach() + self.bias[prefix + "expert_bias"]).topk(chosen, -1).indices
        route = scores.gather(-1, ids)
        route = route / (route.sum(-1, keepdim=True) + 1e-20) * c["route_scale"]
        flat = ids.flatten()
        order = flat.argsort(stable=True)
        counts = torch.bincount(flat, minlength=self.experts)
        tokens = order // chosen
        inputs = torch.cat(
            [self.weights[prefix + "experts.gate_proj"], self.weights[prefix + "experts.up_proj"]], 1).to(self.dtype)
        downs = self.weights[prefix + "experts.down_proj"].to(self.dtype)
        outputs = []
        for expert, part in enumerate(x[tokens].split(counts.tolist())):
            gate, up = F.linear(part, inputs[expert]).chunk(2, -1)
            outputs.append(F.linear(SwiGLU.apply(gate, up), downs[expert]))
        routed = torch.cat(outputs).float() * route.flatten()[order][:, None]
        shared = self.feed_forward(x, prefix + "shared_experts.").float()
        length = len(h) // rows
        with torch.no_grad():
            share = torch.stack([torch.bincount(row, minlength=self.experts) for row in ids.view(rows, -1)]).float()
            share *= self.experts / (chosen * length)
        mean = (scores / scores.sum(-1, keepdim=True)).view(rows, length, -1).mean(1)
        return shared.index_add(0, tokens, routed), counts, (share * mean).sum()

    def loss(self, ids, objective):
        c, (rows, length) = self.c, ids.shape
        hidden = c["hidden_size"]
        x = F.embedding(ids, self.weights["model.embed_tokens.weight"])
        if c.get("mup_enabled"):
            x = x * math.sqrt(hidden)
        half = c["head_dim"] // 2
        angles = torch.arange(length)[:, None] * c["rope_theta"] ** (-torch.arange(half) / half)
        cos, sin = angles.cos().to(self.dtype), angles.sin().to(self.dtype)
        counts, balance = [], 0.0
        for layer in range(c["num_hidden_layers"]):
            prefix = f"model.layers.{layer}."
            h = self.norm(x, prefix + "input_layernorm", self.dtype)
            x = x + self.norm(self.attention(h, layer, cos, sin), prefix + "post_attention_layernorm", torch.float32)
            h = self.norm(x, prefix + "pre_mlp_layernorm", torch.float32).view(-1, hidden)
            if layer < self.dense:
                out = self.feed_forward(h.to(self.dtype), prefix + "mlp.")
            else:
                out, count, part = self.mixture(h, layer, rows)
                counts.append(count)
                balance = balance + part
            x = x + self.norm(out.view(rows, length, hidden), prefix + "post_mlp_layernorm", torch.float32)
        # The last position of a row has no target.
        h = self.norm(x[:, :-1], "model.norm", self.dtype).reshape(-1, hidden)
        head = "model.embed_tokens" if c.get("tie_word_embeddings") else "lm_head"
        logits = self.linear(h, head).float()
        sums = torch.logsumexp(logits, -1)
        cross_entropy = (sums - logits.gather(-1, ids[:, 1:].reshape(-1, 1)).squeeze(-1)).sum() / objective["targets"]
        z = sums.square().sum() / objective["targets"]
        total = cross_entropy + objective["zeta"] * z + objective["alpha"] * balance / objective["rows"]
        return total, float(cross_entropy.detach()), counts


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def orthogonalize(matrix, dtype):
    """Five Newton-Schulz iterations for a stack of matrices or for one."""
    x = matrix.to(dtype)
    is_tall = x.shape[-2] > x.shape[-1]
    if is_tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.mT if is_tall else x).float()


def main():
    recipe_path, precision, threads = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    recipe = json.loads(recipe_path.read_text())
    numbers = recipe["hyperparameters"]
    folder = recipe_path.parent / recipe["initial"]
    batches = load_file(recipe_path.parent / recipe["batches"])
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    config = json.loads((folder / "config.json").read_text())
    model = Model(config, load_file(folder / "model.safetensors"), dtype)
    matrices = {
        name: weight for name, weight in model.weights.items()
        if weight.dim() > 1 and not any(part in name for part in ("router", "embed_tokens", "lm_head"))}
    rates = {"model.embed_tokens.weight": 4e-3}
    adam = torch.optim.AdamW(
        [{"params": [weight], "lr": rates.get(name, 2e-3)}
         for name, weight in model.weights.items() if name not in matrices],
        betas=(0.9, 0.95), eps=1e-8, weight_decay=0, fused=True)
    momenta = {name: torch.zeros_like(weight) for name, weight in matrices.items()}
    bias_momenta = {name: torch.zeros_like(bias) for name, bias in model.bias.items()}
    for step in range(numbers["steps"]):
        start = time.perf_counter()
        micro = []
        while f"step{step}.micro{len(micro)}.ids" in batches:
            micro.append(batches[f"step{step}.micro{len(micro)}.ids"].long())
        objective = {
            "targets": sum(ids.numel() - len(ids) for ids in micro), "rows": sum(len(ids) for ids in micro),
            "zeta": 1e-4, "alpha": 1e-4}
        cross_entropy, totals = 0.0, None
        for ids in micro:
            loss, part, counts = model.loss(ids, objective)
            loss.backward()
            cross_entropy += part
            counts = torch.stack(counts).float()
            totals = counts if totals is None else totals + counts
        middle = time.perf_counter()
        with torch.no_grad():
            torch.nn.utils.clip_grad_norm_(model.weights.values(), 1.0, foreach=True)
            for name, weight in matrices.items():
                momentum = momenta[name]
                momentum.mul_(0.95).add_(weight.grad)
                update = orthogonalize(weight.grad + 0.95 * momentum, dtype)
                rate = 0.02 * math.sqrt(max(1, weight.shape[-2] / weight.shape[-1]))
                weight.mul_(1 - 0.02 * 0.01).add_(update, alpha=-rate)
            adam.step()
            for name, count in zip(model.bias, totals):
                change = 5e-3 * torch.tanh(2 * (count.mean() - count) / count.mean())
                bias_momenta[name].mul_(0.5).add_(change - change.mean(), alpha=0.5)
                model.bias[name] += bias_momenta[name]
            for weight in model.weights.values():
                weight.grad = None
        end = time.perf_counter()
        print(json.dumps({
            "step": step, "cross_entropy": cross_entropy, "seconds": end - start,
            "seconds_optimizer": end - middle}), flush=True)


if __name__ == "__main__":
    main()
