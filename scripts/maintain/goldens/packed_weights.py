"""One small matrix in every format that quantised checkpoints keep it in, and what it stands for.

    python packed_weights.py      writes test/unit/models/packed-weights.json

Packed by vLLM's and compressed-tensors' own functions where they have them; the numbers are
theirs too. Needs vllm.
"""
from __future__ import annotations

import base64
import json
from pathlib import Path

import torch
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
from transformers.integrations.mxfp4 import convert_moe_packed_tensors
from vllm.model_executor.layers.quantization.utils.quant_utils import awq_pack, gptq_pack

OUT, IN, GROUP = 16, 64, 32
TARGET = Path(__file__).resolve().parents[3] / "test" / "unit" / "models" / "packed-weights.json"
NAMES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int32: "I32",
    torch.int8: "I8", torch.uint8: "U8", torch.float8_e4m3fn: "F8_E4M3",
}


def entry(tensor: torch.Tensor) -> dict:
    tensor = tensor.contiguous()
    data = tensor.view(torch.uint8).numpy().tobytes() if tensor.dim() else bytes(tensor.reshape(1).view(torch.uint8).numpy())
    return {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data": base64.b64encode(data).decode()}


def case(name: str, config: dict, tensors: dict, numbers: torch.Tensor, weight: str = "m.weight") -> dict:
    return {
        "name": name, "config": config, "weight": weight, "shape": list(numbers.shape),
        "tensors": {key: entry(value) for key, value in tensors.items()},
        "numbers": entry(numbers.to(torch.float32))["data"],
    }


def main() -> None:
    g = torch.Generator().manual_seed(5)
    weight = torch.randn(OUT, IN, generator=g)
    groups = IN // GROUP
    codes = torch.randint(0, 16, (IN, OUT), generator=g, dtype=torch.int32)
    scales = (0.01 + torch.rand(groups, OUT, generator=g) / 50).to(torch.float16)
    zeros = torch.randint(1, 16, (groups, OUT), generator=g, dtype=torch.int32)
    group_of = torch.arange(IN) // GROUP
    cases = []

    def dequantised(order: torch.Tensor, its_zeros: torch.Tensor, its_codes: torch.Tensor = codes) -> torch.Tensor:
        return ((its_codes - its_zeros[order]) * scales.float()[order]).T

    def along_outputs(values: torch.Tensor, bits: int) -> torch.Tensor:
        """As gptq_pack packs inputs, but columns: how both tools keep zeros."""
        return gptq_pack(values.T.contiguous(), bits, values.shape[1], values.shape[0]).T.contiguous()

    gptq = {"quant_method": "gptq", "bits": 4, "group_size": GROUP}
    for name, order, config, stored in [
        ("gptq", group_of, gptq, zeros - 1),
        ("gptq in its second format", group_of, {**gptq, "checkpoint_format": "gptq_v2"}, zeros),
        ("gptq, inputs out of order", group_of[torch.randperm(IN, generator=g)], gptq, zeros - 1),
    ]:
        cases.append(case(name, config, {
            "m.qweight": gptq_pack(codes, 4, IN, OUT), "m.qzeros": along_outputs(stored, 4),
            "m.scales": scales, "m.g_idx": order.to(torch.int32),
        }, dequantised(order, zeros)))
    wide = torch.randint(0, 256, (IN, OUT), generator=g, dtype=torch.int32)
    middle = torch.full((groups, OUT), 128, dtype=torch.int32)
    cases.append(case("gptq of 8 bits", {**gptq, "bits": 8}, {
        "m.qweight": gptq_pack(wide, 8, IN, OUT), "m.qzeros": along_outputs(middle - 1, 8), "m.scales": scales,
    }, dequantised(group_of, middle, wide)))
    cases.append(case("awq", {"quant_method": "awq", "bits": 4, "group_size": GROUP}, {
        "m.qweight": awq_pack(codes, 4, IN, OUT), "m.qzeros": awq_pack(zeros, 4, groups, OUT), "m.scales": scales,
    }, dequantised(group_of, zeros)))

    def compressed(bits: int, kind: str) -> dict:
        weights = {"num_bits": bits, "type": kind, "symmetric": True}
        return {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}}

    signed = torch.randint(-8, 8, (OUT, IN), generator=g, dtype=torch.int8)
    group_scales = scales.T.contiguous().to(torch.bfloat16)
    cases.append(case("compressed-tensors W4A16", compressed(4, "int"), {
        "m.weight_packed": pack_to_int32(signed, 4), "m.weight_scale": group_scales,
        "m.weight_shape": torch.tensor([OUT, IN], dtype=torch.int32),
    }, signed * group_scales.float().repeat_interleave(GROUP, 1)))
    row_scale = (weight.abs().amax(1, keepdim=True) / 127).to(torch.bfloat16)
    rounded = (weight / row_scale.float()).round().clamp(-128, 127).to(torch.int8)
    cases.append(case("compressed-tensors W8A8", compressed(8, "int"), {
        "m.weight": rounded, "m.weight_scale": row_scale,
    }, rounded * row_scale.float()))

    def eighths(scale: torch.Tensor) -> torch.Tensor:
        return (weight / scale).clamp(-448, 448).to(torch.float8_e4m3fn)

    for name, config, key, scale, spread in [
        ("fp8 with one scale", {"quant_method": "fp8"}, "weight_scale", weight.abs().max() / 448, lambda s: s),
        ("fp8 with a scale a row", compressed(8, "float"), "weight_scale", weight.abs().amax(1, keepdim=True) / 448, lambda s: s),
        ("fp8 in blocks", {"quant_method": "fp8", "weight_block_size": [10, 24]}, "weight_scale_inv",
         torch.rand(2, 3, generator=g) / 50 + 0.005,
         lambda s: s.repeat_interleave(10, 0)[:OUT].repeat_interleave(24, 1)[:, :IN]),
    ]:
        packed = eighths(spread(scale))
        cases.append(case(name, config, {"m.weight": packed, f"m.{key}": scale}, packed.float() * spread(scale)))

    blocks = torch.randint(0, 256, (2, OUT, IN // 32, 16), generator=g, dtype=torch.uint8)
    exponents = torch.randint(118, 130, (2, OUT, IN // 32), generator=g, dtype=torch.uint8)
    numbers = convert_moe_packed_tensors(blocks, exponents, dtype=torch.float32).transpose(1, 2)
    cases.append(case("mxfp4", {"quant_method": "mxfp4"}, {
        "m.gate_up_proj_blocks": blocks, "m.gate_up_proj_scales": exponents,
    }, numbers.contiguous(), "m.gate_up_proj"))
    TARGET.write_text("[\n" + ",\n".join(json.dumps(each) for each in cases) + "\n]\n")


if __name__ == "__main__":
    main()
