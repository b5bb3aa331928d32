"""Embeddings of a small random BERT by transformers in float32, whose weights nobody stores.

    python encoder.py       writes test/conformance/pooling/encoder.json

As random_families.py: the weights are numbers of a counter that the tests draw again; the
file lists each tensor as [name, shape, centre, spread], the vocabulary, texts with their ids,
and the last hidden state of the first token and the mean of all, both normalised.
"""
from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy
import torch
from random_families import uniform
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, BertTokenizerFast

OUT = Path(__file__).parents[3] / "test/conformance/pooling/encoder.json"
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
WORDS = ["the", "cat", "sat", "on", "mat", "river", "bank", "money", "##s", "##ing", ".", ",", "?"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *LETTERS, *(f"##{each}" for each in LETTERS)]
TEXTS = [
    "The cat sat on the mat.",
    "cats sitting",
    "money in the bank",
    "the river bank, the river and its banks: where does it go?",
    "a",
    "Un café à la plage " * 6,
]
CONFIG = {
    "vocab_size": len(VOCABULARY), "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "intermediate_size": 128, "max_position_embeddings": 128, "type_vocab_size": 2,
}


def draw(folder: Path) -> list[list]:
    """Fills the folder's model.safetensors from the counter: [name, shape, centre, spread] of each tensor, in order."""
    file = folder / "model.safetensors"
    with safe_open(file, "pt") as stored:
        shapes = {name: list(stored.get_slice(name).get_shape()) for name in sorted(stored.keys())}
    drawn, first, tensors = [], 0, {}
    for name, shape in shapes.items():
        centre = 1.0 if name.endswith(("LayerNorm.weight", "norm.weight")) else 0.0
        half = 0.3 if len(shape) == 1 else round((1.0 if "embed" in name else 2.0 / shape[-1] ** 0.5) * 3**0.5, 4)
        count = int(numpy.prod(shape))
        values = centre + half * (2 * uniform(first, count) - 1)
        tensors[name] = torch.from_numpy(values.astype(numpy.float32).reshape(shape))
        drawn.append([name, shape, centre, half])
        first += count
    save_file(tensors, file, metadata={"format": "pt"})
    return drawn


def main() -> None:
    config = BertConfig(**CONFIG, attn_implementation="eager")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        BertModel(config).save_pretrained(folder)
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
        drawn = draw(folder)
        model = BertModel.from_pretrained(folder, attn_implementation="eager").eval()
        tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
        cases = []
        for text in TEXTS:
            ids = tokenizer(text)["input_ids"]
            with torch.no_grad():
                states = model(torch.tensor([ids])).last_hidden_state[0]
            pooled = {"cls": states[0], "mean": states.mean(0)}
            rounded = {
                how: [round(value, 7) for value in (vector / vector.norm()).tolist()]
                for how, vector in pooled.items()
            }
            cases.append({"text": text, "ids": ids, **rounded})
    told = {**CONFIG, "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12}
    OUT.write_text(json.dumps({"config": told, "vocabulary": VOCABULARY, "tensors": drawn, "cases": cases}))


if __name__ == "__main__":
    main()
