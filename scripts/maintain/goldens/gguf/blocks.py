"""Random rows of each of ggml's quantised types and the numbers that the gguf package makes of them.

    python blocks.py      writes test/unit/models/gguf-blocks.json; needs `pip install gguf`
"""
from __future__ import annotations

import base64
import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

OUT = Path(__file__).resolve().parents[4] / "test" / "unit" / "models" / "gguf-blocks.json"
# Where a block has halves: random bits there would be infinite or no numbers.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82],
    Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_NL: [0], Type.IQ4_XS: [0],
    Type.MXFP4: [],
}
ROWS, WIDTH = 2, 256


def text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


random = np.random.default_rng(7)
golden = {}
for kind, halves in HALVES.items():
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (ROWS * WIDTH // elements, size), dtype=np.uint8)
    for place, at in enumerate(halves):
        # Minima of Q4_1 and Q5_1 are added, and mostly negative; those of the K types are subtracted.
        sign = -1 if place and elements == 32 else 1
        numbers = (sign * random.uniform(0.001, 0.02, len(blocks)) * (8 if place else 1)).astype(np.float16)
        blocks[:, at : at + 2] = numbers.view(np.uint8).reshape(-1, 2)
    if kind == Type.MXFP4:
        blocks[:, 0] = random.integers(110, 130, len(blocks))
    rows = blocks.reshape(ROWS, -1)
    numbers = gguf.quants.dequantize(rows, kind).astype(np.float32)
    assert numbers.shape == (ROWS, WIDTH) and np.isfinite(numbers).all()
    golden[kind.name] = {"number": int(kind), "rows": text(rows), "numbers": text(numbers)}
OUT.write_text(json.dumps(golden, indent=1) + "\n")
