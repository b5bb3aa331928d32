"""The context length and rotary base that vLLM 0.32 derives from configs, for test/unit/models/context-lengths.json.

    VENV/bin/python scripts/maintain/goldens/context_lengths.py > test/unit/models/context-lengths.json
"""

import json
import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from vllm.config import ModelConfig

BASE = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 8192,
    "hidden_size": 256,
    "intermediate_size": 640,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
}
ONES = [1.0] * 32
LLAMA3 = {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}


def scaled(length, scaling, **more):
    return {"max_position_embeddings": length, "rope_theta": 20000.0, "rope_scaling": scaling, **more}


CASES = [
    {"max_position_embeddings": 4096},
    {"max_position_embeddings": 4096, "rope_theta": 500000.0},
    {"max_position_embeddings": 4096, "max_seq_len": 1024},
    {"max_position_embeddings": 4096, "seq_length": 8192},
    {"max_position_embeddings": 4096, "model_max_length": 8192},
    scaled(4096, {"rope_type": "default"}),
    scaled(4096, {"type": "linear", "factor": 2.5}),
    scaled(4096, {"rope_type": "linear", "factor": None}),
    scaled(2048, {"type": "dynamic", "factor": 4}),
    scaled(131072, {**LLAMA3, "original_max_position_embeddings": 8192}),
    scaled(8192, {**LLAMA3, "original_max_position_embeddings": 8192}),
    scaled(32768, {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}),
    scaled(40960, {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}),
    scaled(131072, {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}),
    scaled(32768, {"rope_type": "yarn", "factor": 4.0}),
    scaled(163840, {"type": "deepseek_yarn", "factor": 40, "original_max_position_embeddings": 4096}),
    scaled(4096, {"type": "mrope", "mrope_section": [8, 12, 12]}),
    scaled(
        131072,
        {"type": "longrope", "short_factor": ONES, "long_factor": ONES},
        original_max_position_embeddings=4096,
    ),
    scaled(
        131072,
        {"type": "su", "short_factor": ONES, "long_factor": ONES},
        original_max_position_embeddings=8192,
    ),
    {"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "linear", "factor": 2, "rope_theta": 5e5}},
    {
        "max_position_embeddings": 4096,
        "rope_theta": 1234.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
    },
    scaled(
        4096,
        {"type": "linear", "factor": 8},
        rope_parameters={"rope_type": "linear", "factor": 2, "rope_theta": 5e5},
    ),
    {
        "max_position_embeddings": 4096,
        "rope_parameters": {"rope_type": "linear", "factor": 2, "rope_theta": 5e5},
        "rope_scaling": {"type": "dynamic", "factor": 4},
    },
]


def derive(config):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps({**BASE, **config}))
        model = ModelConfig(model=folder, tokenizer=folder, skip_tokenizer_init=True)
    rope = model.hf_config.rope_parameters
    return {"config": config, "length": model.max_model_len, "theta": rope["rope_theta"]}


if __name__ == "__main__":
    print("[\n" + ",\n".join(json.dumps(derive(config)) for config in CASES) + "\n]")
