"""A small Llama: GQA, RMSNorm, SwiGLU, RoPE (rotate-half), tied embeddings.

Parameter names are those of Hugging Face's LlamaForCausalLM, so the export is a plain state dict.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class LlamaShape:
    """Sizes of one model; the JSON files under configs/ hold one each."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int = 1024
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @staticmethod
    def load(path: Path) -> "LlamaShape":
        return LlamaShape(**json.loads(path.read_text()))


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def rotate(x, cos, sin):
    """RoPE in the rotate-half layout. x: [batch, heads, time, head_dim]; cos, sin: [time, head_dim]."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


class Attention(nn.Module):
    def __init__(self, shape: LlamaShape):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = (
            shape.num_attention_heads,
            shape.num_key_value_heads,
            shape.head_dim,
        )
        width = shape.hidden_size
        self.q_proj = nn.Linear(width, self.heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(width, self.kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(width, self.kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_dim, width, bias=False)

    def forward(self, x, cos, sin, mask, cache):
        batch, time, _ = x.shape
        q = self.q_proj(x).view(batch, time, self.heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(batch, time, self.kv_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(batch, time, self.kv_heads, self.head_dim).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            k, v = cache.extend(self, k, v)
        group = self.heads // self.kv_heads
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        causal = mask is None and time > 1
        y = F.scaled_dot_product_attention(q, k, v.to(q.dtype), attn_mask=mask, is_causal=causal)
        return self.o_proj(y.transpose(1, 2).reshape(batch, time, -1))


class Mlp(nn.Module):
    def __init__(self, shape: LlamaShape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, shape: LlamaShape, dropout: float):
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.mlp = Mlp(shape)
        self.dropout = dropout

    def forward(self, x, cos, sin, mask, cache):
        y = self.self_attn(self.input_layernorm(x), cos, sin, mask, cache)
        x = x + F.dropout(y, self.dropout, self.training)
        y = self.mlp(self.post_attention_layernorm(x))
        return x + F.dropout(y, self.dropout, self.training)


class Trunk(nn.Module):
    """What Hugging Face names `model.`: everything but the (tied) head."""

    def __init__(self, shape: LlamaShape, dropout: float):
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(
            Block(shape, dropout) for _ in range(shape.num_hidden_layers)
        )
        self.norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)


class KvCache:
    """Grows by concatenation: enough for evaluation and roll-outs of a tiny model."""

    def __init__(self):
        self.pairs: dict[nn.Module, tuple[torch.Tensor, torch.Tensor]] = {}
        self.length = 0

    def extend(self, layer, k, v):
        if layer in self.pairs:
            past_k, past_v = self.pairs[layer]
            k, v = torch.cat((past_k, k), dim=2), torch.cat((past_v, v), dim=2)
        self.pairs[layer] = (k, v)
        return k, v


class Llama(nn.Module):
    def __init__(self, shape: LlamaShape, dropout: float = 0.0):
        super().__init__()
        self.shape = shape
        self.model, self.dropout = Trunk(shape, dropout), dropout
        for name, weight in self.named_parameters():
            if "layernorm" in name or name.endswith("norm.weight"):
                continue
            if "o_proj" in name or "down_proj" in name:
                nn.init.zeros_(weight)
            elif "embed" in name:
                nn.init.normal_(weight, std=0.02)
            else:
                nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
        inverse = shape.rope_theta ** (
            -torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
        )
        angles = torch.outer(torch.arange(shape.max_position_embeddings).float(), inverse)
        angles = torch.cat((angles, angles), dim=-1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def hidden(self, ids, mask=None, cache: KvCache | None = None):
        """ids: [batch, time] → [batch, time, hidden], after the last norm."""
        start = cache.length if cache else 0
        end = start + ids.shape[1]
        x = F.dropout(self.model.embed_tokens(ids), self.dropout, self.training)
        if torch.is_autocast_enabled("cpu"):
            x = x.to(torch.bfloat16)
        cos, sin = self.cos[start:end].to(x.dtype), self.sin[start:end].to(x.dtype)
        for layer in self.model.layers:
            x = layer(x, cos, sin, mask, cache)
        if cache:
            cache.length = end
        return self.model.norm(x)

    def forward(self, ids, mask=None, cache: KvCache | None = None):
        """ids: [batch, time] → logits [batch, time, vocab]."""
        return F.linear(self.hidden(ids, mask, cache), self.model.embed_tokens.weight)

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())


def hugging_face_config(shape: LlamaShape, ids: dict[str, int]) -> dict:
    """config.json for LlamaForCausalLM. ids: the special tokens' numbers."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **asdict(shape),
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "torch_dtype": "bfloat16",
        "use_cache": True,
    }
