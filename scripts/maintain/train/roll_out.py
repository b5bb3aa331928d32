"""The target answers fresh prompts; the draft later learns these answers, which is what it must foresee.

Prompts come from the training programs, never from prompts.json.
"""

import argparse
import json
import os
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer

from chat import Chat
from generate import generate
from llama import Llama, LlamaShape
from skills import Skills

HERE = Path(__file__).parent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TRAINYARD_DATA", "../shared/data")))
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--name", default="trainyard-tiny", help="the target's run folder")
    parser.add_argument("--model", default="trainyard-tiny")
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--limit", type=int, default=230)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    chat = Chat(Tokenizer.from_file(str(options.runs / "tokenizer.json")))
    model = Llama(LlamaShape.load(HERE / "configs" / f"{options.model}.json"))
    state = torch.load(options.runs / options.name / "checkpoint.pt", weights_only=False)
    model.load_state_dict(state["model"])
    skills, rng = Skills(chat, options.data), random.Random(options.seed)
    stop = {chat.turn_end, chat.end_of_text}
    # Greedy mostly, since that is how speculation is used most; every third batch is sampled.
    kinds = [skills.story, skills.story, skills.story, skills.talk, skills.reading, skills.instruction, skills.tools, skills.repeat]
    with options.out.open("w") as out:
        for number in range(options.batches):
            make = kinds[number % len(kinds)]
            prompts, tools_given = [], []
            while len(prompts) < options.batch:
                messages, tools = make(rng)
                first = next(at for at, message in enumerate(messages) if message["role"] == "assistant")
                prompts.append(chat.prompt_ids(messages[:first], tools))
                tools_given.append(bool(tools))
            temperature = 0.7 if number % 3 == 2 else 0.0
            found = generate(model, prompts, stop, options.limit, temperature=temperature, seed=number)
            for prompt, answer, tools in zip(prompts, found, tools_given):
                out.write(json.dumps({"prompt": prompt, "answer": answer, "tools": tools}) + "\n")
            print(number, make.__name__, sum(map(len, found)) / len(found), flush=True)


if __name__ == "__main__":
    main()
