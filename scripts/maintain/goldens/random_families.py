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
        "head_dim": 16, "intermediate_size": 96, "sliding_window": 40, "original_max_position_embeddings": 256,
        "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 1000.0, "partial_rotary_factor": 0.75,
            "original_max_position_embeddings": 256,
            "short_factor": [1.0 + 0.05 * i for i in range(6)],
            "long_factor": [1.0 + 0.5 * i for i in range(6)],
        },
    }),
    # Norms after each half, all heads normed as one.
    "olmo2": ("Olmo2", {"intermediate_size": 96, "head_dim": 16}),
    "olmo3": ("Olmo3", {
        "intermediate_size": 96, "head_dim": 16, "num_hidden_layers": 4, "sliding_window": 24,
        "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0,
            "original_max_position_embeddings": 64, "beta_fast": 32.0, "beta_slow": 1.0,
        },
    }),
    "granite": ("Granite", {
        "intermediate_size": 96, "embedding_multiplier": 3.0, "residual_multiplier": 0.6,
        "attention_multiplier": 0.2, "logits_scaling": 1.5,
    }),
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
        (target / "config.json").write_text(json.dumps(saved, indent=1) + "\n")
        lines = json.dumps(golden, separators=(",", ":")).replace('},{"prompt_ids"', '},\n{"prompt_ids"')
        (target / "golden.json").write_text(lines + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for name in sys.argv[1:] or FAMILIES:
        make_family(name)
