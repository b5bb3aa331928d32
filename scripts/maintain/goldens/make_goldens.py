"""Makes the reference outputs that the conformance tests compare with.

    python make_goldens.py tiny                 tiny random models and their goldens
    python make_goldens.py folder MODEL NAME    goldens of another folder, as models/tiny/NAME/golden.json
    python make_goldens.py rope                 rotary tables, as models/tiny/rope.json

Reference: Hugging Face transformers in float32 with eager attention. A prompt is
kept when every greedy choice beats the second by MARGIN, so that float32 on
another machine must choose the same.
"""
from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path

import torch
import transformers
from tiny_models import TINY, Tiny, randomize
from tiny_tokenizers import PROSE
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

OUT = Path(__file__).resolve().parents[3] / "models" / "tiny"
STEPS = 64
CASES = 16
MARGIN = 2e-3
# Cases that carry logits, and the largest vocabulary whose logits are kept whole.
WITH_LOGITS = 4
WHOLE_VOCABULARY = 512
TEXTS = [
    "The train leaves at noon.",
    "  two spaces, a tab\tand a line\nend",
    "naïve café, 12 345 wagons — \"blue\"",
    "日本語 русский עברית 🚂🚃👩‍🚀",
    "",
]
CHAT = [
    {"role": "user", "content": "Where does this one go?"},
    {"role": "assistant", "content": "To the sea."},
    {"role": "user", "content": "And then?"},
]


@torch.no_grad()
def run(model: torch.nn.Module, prompt: list[int]) -> dict:
    """Greedy ids over STEPS, the smallest margin, and the first and the last logits."""
    ids, first, margin = list(prompt), None, float("inf")
    cache = None
    for step in range(STEPS):
        tail = torch.tensor([ids if step == 0 else ids[-1:]])
        answer = model(tail, past_key_values=cache, use_cache=True)
        cache, logits = answer.past_key_values, answer.logits[0, -1]
        top = logits.topk(2)
        margin = min(margin, float(top.values[0] - top.values[1]))
        first = logits if first is None else first
        ids.append(int(top.indices[0]))
    # The cache must not have changed anything that matters.
    whole = model(torch.tensor([ids[:-1]]), use_cache=False).logits[0, len(prompt) - 1 :]
    assert [int(i) for i in whole.argmax(-1)] == ids[len(prompt) :], "cached run differs"
    return {
        "prompt_ids": prompt,
        "output_ids": ids[len(prompt) :],
        "margin": round(margin, 5),
        "first": first,
        "last": logits,
    }


def logits_entry(logits: torch.Tensor) -> dict:
    """All logits of a small vocabulary; of a large one the top 64 and 64 spread evenly."""
    if len(logits) <= WHOLE_VOCABULARY:
        chosen = list(range(len(logits)))
    else:
        spread = range(0, len(logits), len(logits) // 64)
        chosen = sorted({*logits.topk(64).indices.tolist(), *spread})
    values = [round(float(logits[i]), 5) for i in chosen]
    return {"values": values} if len(chosen) == len(logits) else {"ids": chosen, "values": values}


def wanders(output: list[int]) -> bool:
    """No short loop: the second half is not the first, and there are many different ids."""
    return len(set(output)) >= 20 and len(set(zip(output[40:], output[41:]))) >= 12


def prompts(tokenizer: PreTrainedTokenizerFast, longest: int):
    """Texts cut from the prose at random, of 1 word to `longest` tokens, endlessly."""
    words = PROSE.split()
    source = random.Random(7)
    while True:
        begin = source.randrange(len(words) - 1)
        text = " ".join(words[begin : begin + source.choice([1, 3, 6, 10, 15, 25])])
        ids = tokenizer(text)["input_ids"]
        if 0 < len(ids) <= longest:
            yield text, ids


def make_cases(model, tokenizer, longest: int, must_wander: bool) -> list[dict]:
    cases, seen, tried = [], set(), 0
    for text, ids in prompts(tokenizer, longest):
        tried += 1
        if tried > 4000:
            raise SystemExit(f"only {len(cases)} of {CASES} prompts are clear after {tried}")
        if tuple(ids) in seen:
            continue
        seen.add(tuple(ids))
        # The first cases carry logits: one short, then long ones (longer than any window).
        if 0 < len(cases) < WITH_LOGITS and len(ids) < 30:
            continue
        case = run(model, ids)
        if case["margin"] < MARGIN or (must_wander and not wanders(case["output_ids"])):
            continue
        first, last = case.pop("first"), case.pop("last")
        if len(cases) < WITH_LOGITS:
            case |= {"first_logits": logits_entry(first), "last_logits": logits_entry(last)}
        text_out = tokenizer.decode(case["output_ids"], skip_special_tokens=True)
        cases.append({"prompt": text, **case, "text": text_out})
        if len(cases) == CASES:
            break
    print(f"  {CASES} cases of {tried} tried, smallest margin {min(c['margin'] for c in cases)}")
    return cases


def make_golden(folder: Path, target: Path, must_wander: bool) -> None:
    """Compares with the folder as it is stored: the weights are read back from disk."""
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    golden = {
        "model": "." if folder == target else f"../../{folder.relative_to(OUT.parent)}",
        "reference": f"transformers {transformers.__version__}, torch {torch.__version__}, float32, eager",
        "vocab_size": model.config.vocab_size,
        "cases": make_cases(model, tokenizer, 120, must_wander),
        "texts": [
            {"text": text, "ids": (ids := tokenizer(text)["input_ids"]), "decoded": tokenizer.decode(ids, skip_special_tokens=True)}
            for text in TEXTS
        ],
        "chats": [
            {
                "messages": messages,
                "add_generation_prompt": prompted,
                "prompt": tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=prompted
                ),
            }
            for messages in (CHAT[:1], CHAT)
            for prompted in (True, False)
        ],
    }
    target.mkdir(parents=True, exist_ok=True)
    lines = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    (target / "golden.json").write_text(lines.replace('},{"prompt"', '},\n{"prompt"') + "\n")


def make_tiny(tiny: Tiny) -> None:
    print(tiny.name)
    folder = OUT / tiny.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    backend = tiny.tokenizer()
    assert backend.get_vocab_size() == tiny.config.vocab_size, backend.get_vocab_size()
    names = {"bos_token": tiny.bos, "eos_token": tiny.eos}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, clean_up_tokenization_spaces=False,
        **{name: token for name, token in names.items() if token},
    )
    tokenizer.chat_template = tiny.template
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_config(tiny.config, attn_implementation="eager")
    randomize(model, tiny.seed)
    sizes = {} if tiny.shard_bytes is None else {"max_shard_size": tiny.shard_bytes}
    model.to(tiny.dtype).save_pretrained(folder, **sizes)
    make_golden(folder, folder, must_wander=True)


def make_rope() -> None:
    """Frequencies of each kind of scaling, for unit tests."""
    kinds = {
        "linear": {"factor": 4.0},
        "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
        "yarn": {"factor": 4.0, "original_max_position_embeddings": 32768},
        "yarn-untruncated": {"factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False, "original_max_position_embeddings": 4096},
        "yarn-mscale": {"factor": 40.0, "mscale": 1.0, "mscale_all_dim": 0.5, "original_max_position_embeddings": 4096},
    }
    tables = []
    for name, numbers in kinds.items():
        kind = name.split("-")[0]
        config = transformers.LlamaConfig(
            hidden_size=128, num_attention_heads=2, head_dim=64, max_position_embeddings=131072,
            rope_parameters={"rope_type": kind, "rope_theta": 150000.0, **numbers},
        )
        frequencies, amplitude = ROPE_INIT_FUNCTIONS[kind](config, device="cpu")
        tables.append({
            "config": {"max_position_embeddings": 131072, "rope_theta": 150000.0, "rope_scaling": {"rope_type": kind, **numbers}},
            "head_dim": 64, "amplitude": amplitude, "frequencies": frequencies.tolist(),
        })
    (OUT / "rope.json").write_text(json.dumps(tables, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    match sys.argv[1:]:
        case ["tiny", *names]:
            for tiny in TINY:
                if not names or tiny.name in names:
                    make_tiny(tiny)
        case ["folder", model, name]:
            make_golden(Path(model).resolve(), OUT / name, must_wander=False)
        case ["rope"]:
            make_rope()
        case _:
            raise SystemExit(__doc__)
