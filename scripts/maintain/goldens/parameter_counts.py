"""Parameters of the catalogue's models as transformers builds them, as models/tiny/parameter-counts.json.

Models are built on the meta device: nothing is allocated. Left out are classes that
transformers does not know, and those whose published config names its keys otherwise than
the catalogue does (then transformers would build its own defaults).
"""
from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

MODELS = Path(__file__).resolve().parents[2] / "models"
OTHER_KEYS = {"afmoe", "llama4", "llama4_text"}


def count(path: Path) -> int | None:
    values = json.loads(path.read_text())
    kind = values.pop("model_type")
    # How weights are stored does not change how many there are.
    values.pop("quantization_config", None)
    if kind in OTHER_KEYS:
        return None
    try:
        config = AutoConfig.for_model(kind, **values)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except ValueError as error:
        print(f"  {path.stem}: {str(error).splitlines()[0][:80]}")
        return None
    model.tie_weights()
    return sum(parameter.numel() for _, parameter in model.named_parameters())


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    counts = {
        path.stem.replace("--", "/"): number
        for path in sorted((MODELS / "catalog").glob("*--*.json"))
        if (number := count(path)) is not None
    }
    target = MODELS / "tiny" / "parameter-counts.json"
    target.write_text(json.dumps(counts, indent=1) + "\n")
    print(f"{len(counts)} models")
