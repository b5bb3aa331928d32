"""vLLM's own greedy ids of the small random families, beside those of transformers.

    python vllm_ids.py [NAME …]      writes models/tiny/drawn/NAME/vllm.json

Needs vLLM 0.32's CPU build. Its attention there takes heads of 32 and more, and it is asked
for float32; weights and prompts are those of golden.json (random_families.py).
"""
from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

import numpy
import torch
import vllm
from make_goldens import OUT, STEPS
from random_families import STORED_AS, uniform
from safetensors.torch import save_file
from vllm.distributed import cleanup_dist_env_and_memory

DENSE = ["gemma3", "phi3", "olmo2", "olmo3", "granite", "granite4", "smollm3", "exaone", "exaone4"]


def folder_of(name: str, folder: Path) -> dict:
    """Writes the model as users have it; what vLLM must be told beside its config."""
    golden = json.loads((OUT / "drawn" / name / "golden.json").read_text())
    config = json.loads((OUT / "drawn" / name / "config.json").read_text())
    overrides = {}
    if name in STORED_AS:
        # transformers reads no config of this type: a Llama's does, with the family's own keys over it.
        overrides = {"architectures": config["architectures"]}
        config |= {"model_type": "llama", "num_hidden_layers": config["num_layers"], "hidden_act": "silu"}
    (folder / "config.json").write_text(json.dumps(config))
    tensors, first = {}, 0
    for tensor, shape, centre, half in golden["tensors"]:
        count = int(numpy.prod(shape))
        values = centre + half * (2 * uniform(first, count) - 1)
        tensors[tensor] = torch.from_numpy(values.astype(numpy.float32).reshape(shape))
        first += count
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return {"prompts": [case["prompt_ids"] for case in golden["cases"]], "overrides": overrides,
            "expected": [case["output_ids"] for case in golden["cases"]]}


def ask(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asked = folder_of(name, Path(folder))
        llm = vllm.LLM(
            folder, dtype="float32", enforce_eager=True, skip_tokenizer_init=True, max_num_seqs=16,
            hf_overrides=asked["overrides"],
        )
        params = vllm.SamplingParams(temperature=0, max_tokens=STEPS, ignore_eos=True, detokenize=False)
        answers = llm.generate([{"prompt_token_ids": ids} for ids in asked["prompts"]], params)
        ids = [list(answer.outputs[0].token_ids) for answer in answers]
        same = sum(one == other for one, other in zip(ids, asked["expected"]))
        print(f"{name}: {same} of {len(ids)} as transformers", flush=True)
        saved = {"reference": f"vllm {vllm.__version__}, float32, CPU", "output_ids": ids}
        (OUT / "drawn" / name / "vllm.json").write_text(json.dumps(saved, separators=(",", ":")) + "\n")
        del llm
        cleanup_dist_env_and_memory()


if __name__ == "__main__":
    for name in sys.argv[1:] or DENSE:
        ask(name)
