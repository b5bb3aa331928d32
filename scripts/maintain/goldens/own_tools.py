"""A tiny random model as each quantising tool saves it, and what the tool and transformers make of it.

    python own_tools.py [NAME …]     writes test/conformance/models/own-tools/NAME/

Names: w8a8, w4a16, fp8 (llm-compressor), gptq (GPTQModel), awq (AutoAWQ). Each tool needs torch, datasets and
accelerate; on two cores GPTQModel wants GPTQMODEL_CPU_WORKERS=2. golden.json holds SHA-256 of every weight as the
tool's own code widens it to F32, and greedy ids and logits of transformers with those weights.
"""
from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")

import torch
from safetensors.torch import load_file
from tiny_models import randomize
from tiny_tokenizers import byte_level
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

OUT = Path(__file__).resolve().parents[3] / "test" / "conformance" / "models" / "own-tools"
GROUP, STEPS, CASES, MARGIN = 32, 64, 4, 2e-3
CONFIG = {
    "vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "eos_token_id": 95, "bos_token_id": None,
    "pad_token_id": None, "tie_word_embeddings": False,
}
# AutoAWQ takes outputs by 64.
WIDER = {"awq": {"head_dim": 32}}


def config_of(name: str) -> LlamaConfig:
    return LlamaConfig(**CONFIG, **WIDER.get(name, {}))


def base(folder: Path, name: str) -> None:
    torch.manual_seed(0)
    model = LlamaForCausalLM(config_of(name))
    randomize(model, 5)
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=byte_level(256, [], None, False)).save_pretrained(folder)


def calibration() -> list[list[int]]:
    drawn = random.Random(3)
    return [[drawn.randrange(90) for _ in range(64)] for _ in range(16)]


def by_llm_compressor(source: Path, target: Path, name: str) -> None:
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from llmcompressor import oneshot
    from llmcompressor.modifiers.quantization import QuantizationModifier

    four = QuantizationScheme(
        targets=["Linear"], weights=QuantizationArgs(num_bits=4, strategy="group", group_size=GROUP, symmetric=True)
    )
    scheme = {"w8a8": {"scheme": "W8A8"}, "fp8": {"scheme": "FP8_DYNAMIC"}, "w4a16": {"config_groups": {"group_0": four}}}
    model = LlamaForCausalLM.from_pretrained(source, dtype=torch.float32)
    oneshot(model=model, recipe=QuantizationModifier(targets="Linear", ignore=["lm_head"], **scheme[name]))
    model.save_pretrained(target, save_compressed=True)


def of_llm_compressor(folder: Path, tensors: dict) -> dict:
    from transformers import CompressedTensorsConfig

    model = LlamaForCausalLM.from_pretrained(
        folder, dtype=torch.float32, quantization_config=CompressedTensorsConfig(run_compressed=False)
    )
    return {key: value for key, value in model.state_dict().items() if key.endswith("proj.weight")}


def by_gptqmodel(source: Path, target: Path, name: str) -> None:
    from gptqmodel import GPTQModel, QuantizeConfig

    model = GPTQModel.load(str(source), QuantizeConfig(bits=4, group_size=GROUP, desc_act=False), device="cpu")
    model.quantize([{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in calibration()], batch_size=1)
    model.save(str(target))


def of_gptqmodel(folder: Path, tensors: dict) -> dict:
    from gptqmodel import BACKEND, GPTQModel

    model = GPTQModel.load(str(folder), backend=BACKEND.TORCH, device="cpu").model
    found = {}
    for name, module in model.named_modules():
        if hasattr(module, "dequantize_weight"):
            # As stored: loaded they are rounded to the model's dtype, and a module in training caches nothing.
            module.scales = tensors[f"{name}.scales"].float()
            module.train()
            found[f"{name}.weight"] = module.dequantize_weight().T
    return found


def by_autoawq(source: Path, target: Path, name: str) -> None:
    from awq import AutoAWQForCausalLM

    model = AutoAWQForCausalLM.from_pretrained(str(source), device_map="cpu", safetensors=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(source)
    told = {"zero_point": True, "q_group_size": GROUP, "w_bit": 4, "version": "GEMM"}
    model.quantize(tokenizer, quant_config=told, calib_data=calibration(), max_calib_seq_len=64)
    model.save_quantized(str(target))


def of_autoawq(folder: Path, tensors: dict) -> dict:
    from awq.utils.packing_utils import dequantize_gemm

    stems = [name[: -len(".qweight")] for name in tensors if name.endswith(".qweight")]
    return {
        f"{stem}.weight": dequantize_gemm(
            tensors[f"{stem}.qweight"], tensors[f"{stem}.qzeros"], tensors[f"{stem}.scales"].float(), 4, GROUP
        ).T
        for stem in stems
    }


TOOLS = {
    "w8a8": (by_llm_compressor, of_llm_compressor), "w4a16": (by_llm_compressor, of_llm_compressor),
    "fp8": (by_llm_compressor, of_llm_compressor), "gptq": (by_gptqmodel, of_gptqmodel), "awq": (by_autoawq, of_autoawq),
}


@torch.no_grad()
def cases(weights: dict, name: str) -> list[dict]:
    model = LlamaForCausalLM(config_of(name)).float().eval()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    drawn, kept = random.Random(11), []
    while len(kept) < CASES:
        prompt = [drawn.randrange(90) for _ in range(drawn.randrange(4, 40))]
        ids, rows = list(prompt), []
        for _ in range(STEPS):
            rows.append(model(torch.tensor([ids])).logits[0, -1])
            ids.append(int(rows[-1].argmax()))
        if min(float(two[0] - two[1]) for two in (row.topk(2).values for row in rows)) < MARGIN:
            continue
        logits = {} if kept else {"first": [round(float(v), 5) for v in rows[0]], "last": [round(float(v), 5) for v in rows[-1]]}
        kept.append({"prompt_ids": prompt, "output_ids": ids[len(prompt):], **logits})
    return kept


def make(name: str) -> None:
    save, widen = TOOLS[name]
    with tempfile.TemporaryDirectory() as path:
        source, saved = Path(path) / "base", Path(path) / "saved"
        base(source, name)
        save(source, saved, name)
        tensors = load_file(saved / "model.safetensors")
        weights = {key: value.float() for key, value in tensors.items() if key.endswith("norm.weight") or "embed" in key or "lm_head" in key}
        weights |= {key: value.detach().float().contiguous() for key, value in widen(saved, tensors).items()}
        golden = {
            "weights": {key: hashlib.sha256(value.numpy().tobytes()).hexdigest() for key, value in sorted(weights.items())},
            "cases": cases(weights, name),
        }
        shutil.rmtree(OUT / name, ignore_errors=True)
        (OUT / name).mkdir(parents=True)
        config = json.loads((saved / "config.json").read_text())
        # A path of the machine it was made on.
        config["quantization_config"].get("meta", {}).pop("offload_to_disk_path", None)
        (OUT / name / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        shutil.copyfile(saved / "model.safetensors", OUT / name / "model.safetensors")
    (OUT / name / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(name, sum(file.stat().st_size for file in (OUT / name).iterdir()))


for each in sys.argv[1:] or TOOLS:
    make(each)
