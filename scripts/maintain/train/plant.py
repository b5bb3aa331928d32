"""Plants a copying circuit into the free dimensions of a freshly grown model.

A few million tokens are too few for copying ("after A comes what came after A before") to arise by itself, yet
naming a function from a list is nothing else. The circuit is the usual two-layer one, built from parts that
training then shapes as it likes:

- each token's embedding gets a code (whitened principal components of its old embedding) and a constant;
- layer FIRST: one head looks one token back (constant query and key, RoPE phases one step apart) and writes
  the previous token's code beside the present one's;
- layer SECOND: two heads look for places whose previous code is the present token's (in RoPE's slow
  dimensions, which distance hardly turns) and add that place's own code, which the tied head reads.
"""

import torch

from llama import Llama

FIRST, SECOND = 1, 4  # layers that grow() left empty
CODE = 48  # dimensions of the code: two heads of 24 matching dimensions
CODE_SCALE, CONSTANT = 0.08, 0.3  # small beside the embedding's norm of about 2.4
BACK_SCORE, MATCH_SCORE = 40.0, 20.0  # attention scores of the place looked for
OUTPUT_NORM = 6.0  # the last RMSNorm's weight on the code
LOGIT = 4.5  # what a clean match adds to the copied token's logit
FAST, SLOW = range(0, 6), range(20, 32)  # RoPE pairs of the two layers


def token_code(embedding: torch.Tensor) -> torch.Tensor:
    """[vocab, CODE], each row of norm sqrt(CODE)."""
    rows = embedding - embedding.mean(0)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-6)
    u, _, _ = torch.linalg.svd(rows, full_matrices=False)
    code = u[:, :CODE]
    turn = torch.linalg.qr(torch.randn(CODE, CODE))[0]
    code = code @ turn
    return code / code.norm(dim=1, keepdim=True) * CODE**0.5


@torch.no_grad()
def plant(model: Llama, width: int, sample: torch.Tensor) -> None:
    """width: the old model's; sample: [batch, time] of real tokens to measure norms on."""
    shape, head = model.shape, model.shape.head_dim
    embedding = model.model.embed_tokens.weight
    now, before = slice(width, width + CODE), slice(width + CODE, width + 2 * CODE)
    code = token_code(embedding[:, :width].clone())
    embedding[:, width:] = 0
    embedding[:, now], embedding[:, -1] = code * CODE_SCALE, CONSTANT
    model.model.norm.weight[now] = OUTPUT_NORM
    model.model.norm.weight[before] = 0
    model.model.norm.weight[-1] = 0
    for layer in model.model.layers:  # what is free so far stays unread
        for linear in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj):
            linear.weight[:, width:] = 0
    theta = shape.rope_theta ** (-2 * torch.arange(head // 2).float() / head)

    first = model.model.layers[FIRST].self_attn
    norm = measured_norms(model, sample)[FIRST]
    weights = theta[list(FAST)]
    strength = (BACK_SCORE * head**0.5 * weights / weights.sum()).sqrt() * norm / CONSTANT
    first.q_proj.weight[:head] = 0
    first.k_proj.weight[:head] = 0
    for pair, size in zip(FAST, strength):
        first.q_proj.weight[pair, -1] = size
        first.k_proj.weight[pair, -1] = size * theta[pair].cos()
        first.k_proj.weight[pair + head // 2, -1] = size * theta[pair].sin()
    first.v_proj.weight[:CODE] = 0
    first.v_proj.weight[:CODE, now] = torch.eye(CODE)
    first.o_proj.weight[before, :CODE] = torch.eye(CODE) * norm

    second = model.model.layers[SECOND].self_attn
    norm = measured_norms(model, sample)[SECOND]
    half, group = CODE // 2, shape.num_attention_heads // shape.num_key_value_heads
    size = (MATCH_SCORE * head**0.5 / half) ** 0.5 * norm / CODE_SCALE
    rows = torch.tensor(list(SLOW) + [pair + head // 2 for pair in SLOW])
    last_norm = measured_norms(model, sample)[-1]
    # The head is tied: what is written into the code's dimensions is compared with every token's code.
    gain = LOGIT * last_norm / (OUTPUT_NORM * CODE_SCALE * CODE)
    for kv in range(2):
        part = torch.arange(half) + kv * half
        query, key = kv * group * head, kv * head
        second.q_proj.weight[query : query + head] = 0
        second.k_proj.weight[key : key + head] = 0
        second.q_proj.weight[query + rows, width + part] = size
        second.k_proj.weight[key + rows, width + CODE + part] = size
        second.v_proj.weight[key : key + CODE] = 0
        second.v_proj.weight[key : key + CODE, now] = torch.eye(CODE) * norm / CODE_SCALE
        second.o_proj.weight[now, query : query + CODE] = torch.eye(CODE) * (gain / 2)


@torch.no_grad()
def measured_norms(model: Llama, sample: torch.Tensor) -> list[float]:
    """Root mean square at each layer's entry, and at the last norm."""
    found: list[float] = []
    modules = [layer.input_layernorm for layer in model.model.layers] + [model.model.norm]
    hooks = [
        module.register_forward_pre_hook(
            lambda _, inputs: found.append(inputs[0].pow(2).mean(-1).sqrt().mean().item())
        )
        for module in modules
    ]
    model.hidden(sample)
    for hook in hooks:
        hook.remove()
    return found


class Reserve:
    """Keeps the circuit's residual dimensions to itself while the rest trains: whatever an optimiser step wrote
    into them, in the embedding or from other layers, is undone."""

    def __init__(self, model: Llama, width: int):
        self.model, self.width = model, width
        self.embedding = model.model.embed_tokens.weight[:, width:].detach().clone()

    @torch.no_grad()
    def restore(self) -> None:
        self.model.model.embed_tokens.weight[:, self.width :] = self.embedding
        now = slice(self.width, self.width + CODE)
        before = slice(self.width + CODE, self.width + 2 * CODE)
        for number, layer in enumerate(self.model.model.layers):
            for linear in (layer.self_attn.o_proj, layer.mlp.down_proj):
                if not (number == SECOND and linear is layer.self_attn.o_proj):
                    linear.weight[now] = 0
                if not (number == FIRST and linear is layer.self_attn.o_proj):
                    linear.weight[before] = 0
                linear.weight[-1] = 0
