"""Prints the pair's figures from the exported folders, and writes the samples for the model card.

Everything is F32 on the CPU. Sizes, bits per byte, ends of turn, loops, tool calls, accepted drafts.
"""

import argparse
import json
import os
import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

import corpora
from chat import Chat
from evaluate_text import bits_per_byte
from generate import generate, speculate
from llama import Llama, LlamaShape
from ngram import NgramModel, gzip_bits_per_byte

LIMIT = 400  # tokens an answer may take
LOOP_WINDOW = 128


def load(folder: Path) -> Llama:
    config = json.loads((folder / "config.json").read_text())
    shape = LlamaShape(**{key: config[key] for key in LlamaShape.__dataclass_fields__})
    model = Llama(shape)
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return model.eval()


def loops(ids: list[int]) -> bool:
    """A piece of 1 to 24 tokens said three times running (four times for a single token), at least 6 tokens in all."""
    ids = ids[:LOOP_WINDOW]
    for size in range(1, 25):
        times = 4 if size == 1 else 3
        if size * times < 6:
            times = -(-6 // size)
        for start in range(len(ids) - size * times + 1):
            piece = ids[start : start + size]
            if ids[start : start + size * times] == piece * times:
                return True
    return False


def tool_call(text: str, names: set[str]) -> str:
    """"ok", or what is wrong."""
    found = re.search(r"<tool_call>\n(.*?)\n</tool_call>", text, re.DOTALL)
    if not found:
        return "no call"
    try:
        call = json.loads(found[1])
    except ValueError:
        return "not JSON"
    if not isinstance(call, dict) or call.get("name") not in names:
        return "unknown function"
    return "ok" if isinstance(call.get("arguments"), dict) else "no arguments"


def answers(model, chat, prompts, temperature, batch=10):
    stop = {chat.turn_end, chat.end_of_text}
    found = []
    for at in range(0, len(prompts), batch):
        ids = [chat.prompt_ids(p["messages"], p.get("tools")) for p in prompts[at : at + batch]]
        found += generate(model, ids, stop, LIMIT, temperature=temperature, seed=7 + at)
    return found


def say(chat: Chat, ids: list[int]) -> str:
    return chat.tokenizer.decode([i for i in ids if i not in (chat.turn_end, chat.end_of_text)], skip_special_tokens=False)


def report_turns(name, chat, prompts, found) -> None:
    ended = sum(ids[-1] in (chat.turn_end, chat.end_of_text) for ids in found)
    looping = [p["messages"][-1]["content"] for p, ids in zip(prompts, found) if loops(ids)]
    print(f"{name}: ended by themselves {ended}/{len(found)}, without loops {len(found) - len(looping)}/{len(found)}", looping)


def report_tools(chat, prompts, found) -> None:
    wrong, right_one = [], 0
    for prompt, ids in zip(prompts, found):
        names = [tool["function"]["name"] for tool in prompt["tools"]]
        verdict = tool_call(say(chat, ids), set(names))
        if verdict != "ok":
            wrong.append((prompt["messages"][-1]["content"], verdict, say(chat, ids)[:160]))
    print(f"tool calls: {len(prompts) - len(wrong)}/{len(prompts)} parse and name an offered function")
    for line in wrong:
        print("   ", *line, sep=" | ")


def samples(chat, prompts, greedy, warm) -> str:
    """Markdown, unedited."""
    lines = []
    for prompt, cold_ids, warm_ids in zip(prompts, greedy, warm):
        tools = ", ".join(tool["function"]["name"] for tool in prompt.get("tools", []))
        lines.append(f"**{prompt['kind']}**{f' (functions: {tools})' if tools else ''} – {prompt['messages'][-1]['content']}\n")
        for label, ids in (("greedy", cold_ids), ("0.7", warm_ids)):
            quoted = say(chat, ids).replace("\n", "\n> ")
            cut = "" if ids[-1] in (chat.turn_end, chat.end_of_text) else " [cut]"
            lines.append(f"> *{label}:* {quoted}{cut}\n")
    return "\n".join(lines).replace("<tool_call>", "`<tool_call>`").replace("</tool_call>", "`</tool_call>`")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TRAINYARD_DATA", "../shared/data")))
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--draft", type=Path)
    parser.add_argument("--samples", type=Path, help="write the unedited samples here")
    parser.add_argument("--quick", action="store_true", help="no baselines")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    chat = Chat(Tokenizer.from_file(str(options.target / "tokenizer.json")))
    prompts = json.loads((Path(__file__).parent / "prompts.json").read_text())
    stories = corpora.tiny_stories(options.data)
    held_out = stories["held_out"]
    models = {"target": load(options.target)} | ({"draft": load(options.draft)} if options.draft else {})
    for name, model in models.items():
        print(f"{name}: {model.parameter_count():,} parameters, {bits_per_byte(model, chat, held_out):.4f} bits per byte on {len(held_out)} held-out stories", flush=True)
    if not options.quick:
        print(f"gzip -9: {gzip_bits_per_byte(held_out):.4f} bits per byte")
        print(f"order-5 n-gram: {NgramModel(stories['train']).bits_per_byte(held_out):.4f} bits per byte", flush=True)
    fixed = prompts["fixed"]
    for name, model in models.items():
        greedy, warm = answers(model, chat, fixed, 0.0), answers(model, chat, fixed, 0.7)
        report_turns(f"{name}, greedy", chat, fixed, greedy)
        report_turns(f"{name}, temperature 0.7", chat, fixed, warm)
        report_tools(chat, prompts["tools"], answers(model, chat, prompts["tools"], 0.0))
        if name == "target" and options.samples:
            options.samples.write_text(samples(chat, fixed, greedy, warm))
    if options.draft:
        by_kind: dict[str, list[int]] = {}
        for prompt in fixed:
            ids = chat.prompt_ids(prompt["messages"], prompt.get("tools"))
            accepted, drafted = speculate(models["target"], models["draft"], ids, {chat.turn_end, chat.end_of_text}, 128)
            total = by_kind.setdefault(prompt["kind"], [0, 0])
            total[0], total[1] = total[0] + accepted, total[1] + drafted
        accepted, drafted = (sum(pair[at] for pair in by_kind.values()) for at in (0, 1))
        print(f"accepted / drafted (3 a step, greedy, 128 tokens): {accepted}/{drafted} = {accepted / drafted:.3f}")
        print("   ", {kind: round(pair[0] / pair[1], 3) for kind, pair in by_kind.items()})


if __name__ == "__main__":
    main()
