"""Writes a run's weights as the ordinary Hugging Face folder that the server loads."""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from chat import SPECIAL, TEMPLATE_PATH, tokenizer_config
from llama import Llama, LlamaShape, hugging_face_config

HERE = Path(__file__).parent


def export(run: Path, tokenizer_path: Path, shape: LlamaShape, target: Path):
    target.mkdir(parents=True, exist_ok=True)
    model = Llama(shape)
    state = torch.load(run / "checkpoint.pt", weights_only=False, map_location="cpu")
    model.load_state_dict(state["model"])
    weights = {name: weight.to(torch.bfloat16).contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    ids = {token: Tokenizer.from_file(str(tokenizer_path)).token_to_id(token) for token in SPECIAL}
    generation = {
        "bos_token_id": ids[SPECIAL[0]],
        "eos_token_id": [ids[SPECIAL[2]], ids[SPECIAL[0]]],
        "pad_token_id": ids[SPECIAL[0]],
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.9,
    }
    template = TEMPLATE_PATH.read_text()
    for name, value in (
        ("config.json", hugging_face_config(shape, ids)),
        ("generation_config.json", generation),
        ("tokenizer_config.json", tokenizer_config(template)),
    ):
        (target / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    (target / "chat_template.jinja").write_text(template)
    shutil.copyfile(tokenizer_path, target / "tokenizer.json")
    for path in target.iterdir():
        path.chmod(0o644)
    print(target, f"{model.parameter_count():,} parameters, step {state['step']}, {state['tokens']:,} tokens")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--name", required=True, help="run folder")
    parser.add_argument("--model", required=True, help="a file under configs/")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    shape = LlamaShape.load(HERE / "configs" / f"{options.model}.json")
    export(options.runs / options.name, options.runs / "tokenizer.json", shape, options.out)


if __name__ == "__main__":
    main()
