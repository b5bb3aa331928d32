"""Goldens of small random models of many families, whose weights nobody stores.

    python random_families.py [NAME …]      writes models/tiny/drawn/NAME/{config,golden}.json

The weights are numbers of a counter (mulberry32) that the tests draw again: golden.json
lists each tensor as [name, shape, centre, spread], in the order drawn. Names and shapes are
those that transformers saves. The reference is make_goldens.py's: float32, eager attention,
and prompts whose every greedy choice is clear.
"""
from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy
import torch
import transformers
from make_goldens import CASES, MARGIN, OUT, WITH_LOGITS, logits_entry, run, wanders
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

VOCABULARY = 256
BASE = {
    "vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
    "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
    "bos_token_id": None, "eos_token_id": 255, "pad_token_id": None,
}
LATENT = {
    "num_hidden_layers": 3, "num_key_value_heads": 4, "head_dim": 16, "kv_lora_rank": 32,
    "qk_nope_head_dim": 24, "qk_rope_head_dim": 16, "v_head_dim": 20, "first_k_dense_replace": 1,
    "intermediate_size": 96, "moe_intermediate_size": 32, "n_shared_experts": 2,
}
# Families that transformers has under another name: keys of config.json and of tensors, and what they become.
STORED_AS = {
    "exaone": (
        {
            "architectures": ["ExaoneForCausalLM"], "model_type": "exaone",
            "num_layers": "num_hidden_layers", "layer_norm_epsilon": "rms_norm_eps",
            "activation_function": "hidden_act",
        },
        [
            ("model.embed_tokens.", "transformer.wte."), ("model.norm.", "transformer.ln_f."),
            ("model.layers.", "transformer.h."), ("self_attn.o_proj", "attn.attention.out_proj"),
            ("self_attn.", "attn.attention."), ("input_layernorm", "ln_1"),
            ("post_attention_layernorm", "ln_2"), ("gate_proj", "c_fc_0"), ("up_proj", "c_fc_1"),
            ("down_proj", "c_proj"),
        ],
    ),
}
FAMILIES = {
    # Alternating windows, sinks, YaRN within the tested positions, experts chosen by raw scores.
    "gpt-oss": ("GptOss", {
        "num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 32,
        "sliding_window": 24, "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "beta_fast": 32.0,
            "beta_slow": 1.0, "truncate": False, "original_max_position_embeddings": 64,
        },
    }),
    "qwen3-moe": ("Qwen3Moe", {
        "num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 32,
        "intermediate_size": 96, "mlp_only_layers": [1], "decoder_sparse_step": 1,
        "norm_topk_prob": True, "num_hidden_layers": 3,
    }),
    # An expert that every token visits behind a gate, biases on q, k and v.
    "qwen2-moe": ("Qwen2Moe", {
        "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 64, "intermediate_size": 96, "mlp_only_layers": [0],
        "num_hidden_layers": 3,
    }),
    # Latents with queries of a low rank, groups of experts chosen by their best two, YaRN with both warmths.
    "deepseek-v3": ("DeepseekV3", {
        **LATENT, "q_lora_rank": 48, "n_group": 4, "topk_group": 2, "n_routed_experts": 8,
        "num_experts_per_tok": 3, "routed_scaling_factor": 1.5, "norm_topk_prob": True,
        "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "mscale": 0.9, "mscale_all_dim": 0.7,
            "original_max_position_embeddings": 64, "beta_fast": 32.0, "beta_slow": 1.0,
        },
    }),
    # Queries at once, experts by softmax, groups by their best one, weights unscaled.
    "deepseek-v2": ("DeepseekV2", {
        **LATENT, "q_lora_rank": None, "n_group": 3, "topk_group": 2, "n_routed_experts": 6,
        "num_experts_per_tok": 2, "routed_scaling_factor": 1.0, "norm_topk_prob": False,
        "topk_method": "group_limited_greedy",
    }),
    # Chunks, a layer that sees all, turns nothing and scales its queries; dense beside routed layers.
    "llama4": ("Llama4Text", {
        "num_hidden_layers": 4, "num_local_experts": 4, "num_experts_per_tok": 2,
        "intermediate_size": 32, "intermediate_size_mlp": 96, "interleave_moe_layer_step": 2,
        "attention_chunk_size": 24, "floor_scale": 16, "attn_scale": 0.3,
        "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 1000.0, "factor": 4.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
        },
    }),
    "mixtral": ("Mixtral", {
        "num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 64,
        "sliding_window": None,
    }),
    # Two bases, windows on two of three layers, norms around both halves.
    "gemma3": ("Gemma3Text", {
        "num_hidden_layers": 3, "intermediate_size": 96, "sliding_window": 24,
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
        "query_pre_attn_scalar": 24, "norms_centred_at_one": False,
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "rope_theta": 1000.0, "factor": 2.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
        },
    }),
    # Fused matrices, LongRoPE within its original context, a part of each head turns, a window.
    "phi3": ("Phi3", {
        "hidden_size": 128, "intermediate_size": 96, "sliding_window": 40, "original_max_position_embeddings": 256,
        "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 1000.0, "partial_rotary_factor": 0.75,
            "original_max_position_embeddings": 256,
            "short_factor": [1.0 + 0.05 * i for i in range(12)],
            "long_factor": [1.0 + 0.25 * i for i in range(12)],
        },
    }),
    # Norms after each half, all heads normed as one.
    "olmo2": ("Olmo2", {"intermediate_size": 96, "hidden_size": 128}),
    "olmo3": ("Olmo3", {
        "intermediate_size": 96, "hidden_size": 128, "num_hidden_layers": 4, "sliding_window": 24,
        "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0,
            "original_max_position_embeddings": 64, "beta_fast": 32.0, "beta_slow": 1.0,
        },
    }),
    "granite": ("Granite", {
        "intermediate_size": 96, "embedding_multiplier": 3.0, "residual_multiplier": 0.6,
        "attention_multiplier": 0.2, "logits_scaling": 1.5,
    }),
    # All layers are attention, gate above up in one matrix.
    "granite4": ("GraniteMoeHybrid", {
        "shared_intermediate_size": 96, "intermediate_size": 96, "num_local_experts": 0,
        "num_experts_per_tok": 0, "layer_types": ["full_attention", "full_attention"],
        "position_embedding_type": "rope", "embedding_multiplier": 3.0, "residual_multiplier": 0.6,
        "attention_multiplier": 0.2, "logits_scaling": 1.5, "hidden_size": 128,
    }),
    # Computed as Llama, stored by its own names.
    "exaone": ("Llama", {"intermediate_size": 96, "head_dim": 32, "hidden_size": 128, "rope_parameters": {
        "rope_type": "llama3", "rope_theta": 1000.0, "factor": 4.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
    }}),
    # The second layer does not rotate.
    "smollm3": ("SmolLM3", {
        "intermediate_size": 96, "no_rope_layers": [1, 0], "use_sliding_window": False,
    }),
    # Windows that rotate beside a full layer that does not, norms after each half.
    "exaone4": ("Exaone4", {
        "intermediate_size": 96, "num_hidden_layers": 4, "sliding_window": 24,
        "sliding_window_pattern": 4,
    }),
}


def uniform(first: int, count: int) -> numpy.ndarray:
    """Numbers [first, first + count) of mulberry32 with seed 1, in [0, 1)."""
    step = numpy.uint32(0x6D2B79F5)
    with numpy.errstate(over="ignore"):
        index = numpy.arange(first + 1, first + count + 1, dtype=numpy.uint64).astype(numpy.uint32)
        state = numpy.uint32(1) + index * step
        mixed = (state ^ (state >> numpy.uint32(15))) * (state | numpy.uint32(1))
        mixed ^= mixed + (mixed ^ (mixed >> numpy.uint32(7))) * (mixed | numpy.uint32(61))
        return (mixed ^ (mixed >> numpy.uint32(14))).astype(numpy.float64) / 2**32


def spread(name: str, shape: list[int], centred: bool) -> tuple[float, float]:
    """Centre and half width: as make_goldens' randomize, with even noise of the same deviation."""
    if len(shape) == 1 or name.endswith("bias"):
        return (1.0 if "norm" in name and centred else 0.0), 0.5
    deviation = 0.35 if "embed_tokens" in name else (3.0 if "lm_head" in name else 2.5) / shape[-1] ** 0.5
    return 0.0, round(deviation * 3**0.5, 4)


def make_weights(config, folder: Path, centred: bool) -> list:
    """Writes the folder as transformers saves it, with our numbers; the list of what was drawn."""
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    file = folder / "model.safetensors"
    with safe_open(file, "pt") as stored:
        shapes = {name: list(stored.get_slice(name).get_shape()) for name in sorted(stored.keys())}
    drawn, first, tensors = [], 0, {}
    for name, shape in shapes.items():
        centre, half = spread(name, shape, centred)
        count = int(numpy.prod(shape))
        values = centre + half * (2 * uniform(first, count) - 1)
        tensors[name] = torch.from_numpy(values.astype(numpy.float32).reshape(shape))
        drawn.append([name, shape, centre, half])
        first += count
    save_file(tensors, file, metadata={"format": "pt"})
    return drawn


def make_cases(model) -> list[dict]:
    generator, cases, tried = torch.Generator().manual_seed(7), [], 0
    while len(cases) < CASES:
        tried += 1
        assert tried < 200, f"only {len(cases)} prompts are clear after {tried}"
        # The first cases carry logits: one short, then long ones (longer than any window).
        least, most = (30, 90) if 0 < len(cases) < WITH_LOGITS else (1, 60)
        length = int(torch.randint(least, most, (1,), generator=generator))
        case = run(model, torch.randint(0, VOCABULARY - 1, (length,), generator=generator).tolist())
        if case["margin"] < MARGIN or not wanders(case["output_ids"]):
            continue
        first, last = case.pop("first"), case.pop("last")
        if len(cases) < WITH_LOGITS:
            case |= {"first_logits": logits_entry(first), "last_logits": logits_entry(last)}
        cases.append(case)
    print(f"  {CASES} cases of {tried} tried, smallest margin {min(c['margin'] for c in cases)}")
    return cases


def store_as(name: str, config: dict, drawn: list) -> None:
    """Renames keys of the config and the tensors that were drawn, in place."""
    keys, parts = STORED_AS.get(name, ({}, []))
    for key, value in keys.items():
        config[key] = config.pop(value) if isinstance(value, str) and value in config else value
    for entry in drawn:
        for ours, theirs in parts:
            entry[0] = entry[0].replace(ours, theirs)


def make_family(name: str) -> None:
    print(name)
    kind, numbers = FAMILIES[name]
    more = dict(numbers)
    centred = more.pop("norms_centred_at_one", True)
    config = getattr(transformers, f"{kind}Config")(**{**BASE, **more})
    config.architectures = [f"{kind.removesuffix('Text')}ForCausalLM"]
    with tempfile.TemporaryDirectory() as folder:
        drawn = make_weights(config, Path(folder), centred)
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        golden = {
            "reference": f"transformers {transformers.__version__}, torch {torch.__version__}, float32, eager",
            "tensors": drawn, "cases": make_cases(model),
        }
        target = OUT / "drawn" / name
        target.mkdir(parents=True, exist_ok=True)
        saved = json.loads((Path(folder) / "config.json").read_text())
        store_as(name, saved, drawn)
        (target / "config.json").write_text(json.dumps(saved, indent=1) + "\n")
        lines = json.dumps(golden, separators=(",", ":")).replace('},{"prompt_ids"', '},\n{"prompt_ids"')
        (target / "golden.json").write_text(lines + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for name in sys.argv[1:] or FAMILIES:
        make_family(name)
