"""Widens and deepens a trained small model into a larger shape that says the same.

The small model learns more per second of two cores; the large one starts where it stopped instead of anew.
Old features keep their places, new ones start at (nearly) no influence: new residual dimensions are small
noise in the embedding and are written by zero rows; new feed-forward and value units write through zero columns;
new layers write nothing yet. The RMSNorm weights and the query scale make up for the wider vectors.
"""

import argparse
import os
from pathlib import Path

import torch
from tokenizers import Tokenizer

import corpora
from chat import Chat
from llama import Llama, LlamaShape
from plant import plant

HERE = Path(__file__).parent


def rope_places(small: LlamaShape, large: LlamaShape) -> list[int]:
    """Where each dimension of a small head goes in a large head, so that it turns at the same frequency."""
    factor, half, new_half = large.head_dim // small.head_dim, small.head_dim // 2, large.head_dim // 2
    first = [at * factor for at in range(half)]
    return first + [at + new_half for at in first]


def head_rows(count: int, places: list[int], head_dim: int) -> list[int]:
    return [head * head_dim + place for head in range(count) for place in places]


@torch.no_grad()
def grow(old: Llama, new: Llama) -> None:
    small, large = old.shape, new.shape
    if (small.num_attention_heads, small.num_key_value_heads) != (large.num_attention_heads, large.num_key_value_heads):
        raise ValueError("growing keeps the number of heads")
    width, wide = small.hidden_size, large.hidden_size
    norm_scale, query_scale = (width / wide) ** 0.5, (large.head_dim / small.head_dim) ** 0.5
    new.model.embed_tokens.weight[:, :width] = old.model.embed_tokens.weight
    new.model.norm.weight.fill_(norm_scale)
    new.model.norm.weight[:width] = old.model.norm.weight * norm_scale
    # Old layers spread evenly; the layers between them stay as initialised, with zero output.
    count = small.num_hidden_layers
    at = [round(i * (large.num_hidden_layers - 1) / (count - 1)) for i in range(count)]
    turning, plain = rope_places(small, large), list(range(small.head_dim))
    query = head_rows(small.num_attention_heads, turning, large.head_dim)
    key = head_rows(small.num_key_value_heads, turning, large.head_dim)
    value = head_rows(small.num_key_value_heads, plain, large.head_dim)
    out = head_rows(small.num_attention_heads, plain, large.head_dim)
    units = list(range(small.intermediate_size))
    for place, layer in zip(at, old.model.layers):
        target = new.model.layers[place]
        for name in ("input_layernorm", "post_attention_layernorm"):
            weight = getattr(target, name).weight
            weight.fill_(norm_scale)
            weight[:width] = getattr(layer, name).weight * norm_scale
        target.self_attn.k_proj.weight.zero_()  # new key dimensions match nothing yet
        readers = [
            (target.self_attn.q_proj, layer.self_attn.q_proj.weight * query_scale, query),
            (target.self_attn.k_proj, layer.self_attn.k_proj.weight, key),
            (target.self_attn.v_proj, layer.self_attn.v_proj.weight, value),
            (target.mlp.gate_proj, layer.mlp.gate_proj.weight, units),
            (target.mlp.up_proj, layer.mlp.up_proj.weight, units),
        ]
        for linear, weight, rows in readers:
            linear.weight[rows] = 0
            linear.weight[rows, :width] = weight
        for linear, weight, columns in (
            (target.self_attn.o_proj, layer.self_attn.o_proj.weight, out),
            (target.mlp.down_proj, layer.mlp.down_proj.weight, units),
        ):
            linear.weight.zero_()
            linear.weight[:width, columns] = weight


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--source", required=True, help="run folder of the small model")
    parser.add_argument("--source-model", default="trainyard-draft")
    parser.add_argument("--name", required=True, help="run folder to begin")
    parser.add_argument("--model", default="trainyard-tiny")
    parser.add_argument("--plant", action="store_true", help="plant the copying circuit of plant.py")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TRAINYARD_DATA", "../shared/data")))
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    old = Llama(LlamaShape.load(HERE / "configs" / f"{options.source_model}.json"))
    state = torch.load(options.runs / options.source / "checkpoint.pt", weights_only=False)
    old.load_state_dict(state["model"])
    new = Llama(LlamaShape.load(HERE / "configs" / f"{options.model}.json"))
    grow(old, new)
    if options.plant:
        chat = Chat(Tokenizer.from_file(str(options.runs / "tokenizer.json")))
        stories = [chat.plain(text)[0] for text in corpora.tiny_stories(options.data)["dev"]]
        sample = torch.tensor([ids[:100] for ids in stories if len(ids) >= 100][:16])
        plant(new, old.shape.hidden_size, sample)
    ids = torch.randint(0, old.shape.vocab_size, (2, 64))
    with torch.no_grad():
        before, after = old(ids).log_softmax(-1), new(ids).log_softmax(-1)
    print("mean change of log-probabilities", (before - after).abs().mean().item())
    folder = options.runs / options.name
    folder.mkdir(parents=True)
    start = {"model": new.state_dict(), "step": state["step"], "tokens": state["tokens"], "curve": state["curve"]}
    torch.save(start, folder / "start.pt")


if __name__ == "__main__":
    main()
