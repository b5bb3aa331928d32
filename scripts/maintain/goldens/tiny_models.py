"""The tiny random models: a shape that is awkward in one way each, and how it is stored."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import torch
from tiny_tokenizers import byte_level, sentence_piece
from tokenizers import Tokenizer
from transformers import LlamaConfig, MistralConfig, PretrainedConfig, Qwen2Config, Qwen3Config

LLAMA_TEMPLATE = """{{- bos_token }}
{%- for message in messages %}
{{- '<|start|>' + message.role + '\\n' + message.content | trim + '<|end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start|>assistant\\n' }}
{%- endif %}"""

CHATML_TEMPLATE = """{%- if messages[0].role != 'system' %}
{{- '<|im_start|>system\\nYou count wagons.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}"""

INST_TEMPLATE = """{{ bos_token }}
{%- for message in messages %}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif %}
{%- if message['role'] == 'user' %}
{{- '[INST] ' + message['content'] + ' [/INST]' }}
{%- else %}
{{- ' ' + message['content'] + eos_token }}
{%- endif %}
{%- endfor %}"""


@dataclass(frozen=True)
class Tiny:
    name: str
    config: PretrainedConfig
    tokenizer: Callable[[], Tokenizer]
    bos: str | None
    eos: str
    template: str
    dtype: torch.dtype
    # Bytes of a shard; None: one file.
    shard_bytes: int | None
    seed: int


CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

TINY = [
    # One KV head for all, RoPE stretched as in Llama 3.1 within the tested positions, own head.
    Tiny(
        name="llama",
        config=LlamaConfig(
            vocab_size=320, hidden_size=64, intermediate_size=128, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=1, max_position_embeddings=512,
            rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=316, eos_token_id=318,
            rope_parameters={
                "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0,
                "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        ),
        tokenizer=lambda: byte_level(
            320, ["<|begin|>", "<|start|>", "<|end|>", "<|pad|>"], "<|begin|>", nfc=False
        ),
        bos="<|begin|>", eos="<|end|>", template=LLAMA_TEMPLATE,
        dtype=torch.bfloat16, shard_bytes=None, seed=1,
    ),
    # 14 heads on 2 KV heads, biases on q, k and v, tied head.
    Tiny(
        name="qwen2",
        config=Qwen2Config(
            vocab_size=320, hidden_size=112, intermediate_size=96, num_hidden_layers=2,
            num_attention_heads=14, num_key_value_heads=2, max_position_embeddings=512,
            rms_norm_eps=1e-6, tie_word_embeddings=True, bos_token_id=None, eos_token_id=319,
            rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        ),
        tokenizer=lambda: byte_level(320, CHATML, None, nfc=True),
        bos=None, eos="<|im_end|>", template=CHATML_TEMPLATE,
        dtype=torch.float16, shard_bytes=None, seed=2,
    ),
    # Norms of Q and K, heads wider than hidden ÷ heads, own head, two shards of F32.
    Tiny(
        name="qwen3",
        config=Qwen3Config(
            vocab_size=320, hidden_size=48, intermediate_size=96, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, head_dim=16,
            max_position_embeddings=512, rms_norm_eps=1e-6, tie_word_embeddings=False,
            bos_token_id=None, eos_token_id=319,
            rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        ),
        tokenizer=lambda: byte_level(320, CHATML, None, nfc=True),
        bos=None, eos="<|im_end|>", template=CHATML_TEMPLATE,
        dtype=torch.float32, shard_bytes=160_000, seed=3,
    ),
    # A window shorter than the longer prompts, tied head, a SentencePiece-style vocabulary.
    Tiny(
        name="mistral",
        config=MistralConfig(
            vocab_size=384, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, head_dim=16, sliding_window=24,
            max_position_embeddings=512, rms_norm_eps=1e-5, tie_word_embeddings=True,
            bos_token_id=1, eos_token_id=2,
            rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        ),
        tokenizer=lambda: sentence_piece(384, ["[INST]", "[/INST]"]),
        bos="<s>", eos="</s>", template=INST_TEMPLATE,
        dtype=torch.bfloat16, shard_bytes=None, seed=4,
    ),
]


def randomize(model: torch.nn.Module, seed: int) -> None:
    """Weights with so much spread that greedy texts wander; norms and biases that matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                centre = 1.0 if "norm" in name else 0.0
                parameter.copy_(centre + 0.3 * noise)
            elif "embed_tokens" in name:
                parameter.copy_(0.35 * noise)
            elif "lm_head" in name:
                parameter.copy_(noise * 3.0 / parameter.shape[1] ** 0.5)
            else:
                parameter.copy_(noise * 2.5 / parameter.shape[1] ** 0.5)
