"""Trains the bundled pair. See README.md for the order of the stages.

The schedule is over time (`--minutes`, for a machine that is shared) or over steps (`--steps`, which repeats
exactly): a short warm-up, a constant rate, then a linear fall to zero. Stop and start at will: a run folder
holds everything, and neither the time between runs nor a stop by SIGSTOP counts.
"""

import argparse
import json
import os
import signal
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

import corpora
from chat import Chat, train_tokenizer
from llama import Llama, LlamaShape
from mixture import book_chunks, text_mixture
from muon import Muon
from packing import Packer
from plant import Reserve

HERE = Path(__file__).parent
WARM_UP, FALL = 0.02, 0.75  # shares of the schedule
LONG = 4  # long rows are this many times --row-length: the model's whole context
MUON_RATE, ADAM_RATE = 0.02, 0.004
SAVE_SECONDS, LOG_STEPS, DEV_STEPS = 150, 20, 200
LONGEST_STEP = 20  # seconds: a step that takes longer was stopped meanwhile


def make_tokenizer(data: Path, path: Path, vocab_size: int):
    """Stories once, books and chat texts too, so that roles and JSON have their tokens."""
    from skills import tokenizer_samples

    texts = corpora.tiny_stories(data)["train"] + book_chunks(corpora.picture_books(data))
    texts += tokenizer_samples(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    train_tokenizer(texts, vocab_size).save(str(path))


def rate_at(progress: float) -> float:
    if progress < WARM_UP:
        return progress / WARM_UP
    return min(1.0, max(0.0, (1 - progress) / FALL))


class Run:
    """Model, optimisers, place in the schedule; saved as one file."""

    def __init__(self, folder: Path, shape: LlamaShape, options):
        torch.manual_seed(options.seed)
        self.folder, self.path = folder, folder / "checkpoint.pt"
        self.model = Llama(shape, options.dropout)
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        others = [p for n, p in self.model.named_parameters() if p.ndim == 1 or "embed" in n]
        self.optimisers = [
            Muon(matrices, lr=MUON_RATE, weight_decay=options.weight_decay),
            torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        self.model.to(options.device)
        self.step, self.tokens, self.elapsed, self.curve = 0, 0, 0.0, []
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            saved = torch.load(self.path, weights_only=False)
            self.model.load_state_dict(saved["model"])
            for optimiser, state in zip(self.optimisers, saved["optimisers"]):
                optimiser.load_state_dict(state)
            self.step, self.tokens, self.elapsed = saved["step"], saved["tokens"], saved["elapsed"]
            self.curve = saved["curve"]
            torch.set_rng_state(saved["rng"])
        elif (folder / "start.pt").exists():  # written by grow.py: weights without optimiser state
            start = torch.load(folder / "start.pt", weights_only=False)
            self.model.load_state_dict(start["model"])
            self.step, self.tokens, self.curve = start["step"], start["tokens"], start["curve"]
        elif options.start:  # an exported folder: the step and the tokens are counted from here on
            self.model.load_state_dict(load_file(options.start / "model.safetensors"))
        for optimiser, rate in zip(self.optimisers, (MUON_RATE, ADAM_RATE)):
            for group in optimiser.param_groups:
                group["base_lr"] = rate
                if "momentum" in group:
                    group["weight_decay"] = options.weight_decay

    def save(self):
        state = {
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "tokens": self.tokens,
            "elapsed": self.elapsed,
            "curve": self.curve,
            "rng": torch.get_rng_state(),
        }
        torch.save(state, self.path.with_suffix(".new"))
        os.replace(self.path.with_suffix(".new"), self.path)
        (self.folder / "curve.json").write_text(json.dumps(self.curve))


def dev_loss(model: Llama, chat: Chat, texts: list[str]) -> float:
    """Bits per byte over the dev stories, as evaluate_pair.py counts them."""
    from evaluate_text import bits_per_byte

    return bits_per_byte(model, chat, texts)


def losses(model: Llama, teacher: Llama | None, temperature: float):
    """fn(inputs, targets, weights) → mean loss; with a teacher, mostly its distribution."""

    def cross_entropy(inputs, targets, weights):
        logits = model(inputs).flatten(0, 1).float()
        each = F.cross_entropy(logits, targets.flatten(), reduction="none")
        return (each * weights.flatten()).sum() / weights.sum()

    def distil(inputs, targets, weights):
        with torch.no_grad():
            goal = (teacher(inputs).flatten(0, 1).float() / temperature).softmax(-1)
        logits = model(inputs).flatten(0, 1).float()
        each = -(goal * logits.log_softmax(-1)).sum(-1)
        return (each * weights.flatten()).sum() / weights.sum()

    return cross_entropy if teacher is None else distil


def train(options):
    torch.set_num_threads(options.threads or 1)
    chat = Chat(Tokenizer.from_file(str(options.runs / "tokenizer.json")))
    shape = LlamaShape.load(HERE / "configs" / f"{options.model}.json")
    run = Run(options.runs / options.name, shape, options)
    teacher = None
    if options.teacher:
        teacher_shape = LlamaShape.load(HERE / "configs" / "trainyard-tiny.json")
        teacher = Llama(teacher_shape).eval().to(options.device)
        state = torch.load(options.runs / options.teacher / "checkpoint.pt", weights_only=False)
        teacher.load_state_dict(state["model"])
    seed = options.seed + run.step  # a resumed run goes on with other draws
    if options.mix == "text":
        mixture, long_mixture = text_mixture(chat, options.data, seed), None
    else:
        from skills import full_mixtures

        mixture, long_mixture = full_mixtures(chat, options, seed)
    packer = Packer(mixture, options.row_length, chat.end_of_text)
    rows = options.batch_tokens // options.row_length
    long_packer = long_mixture and Packer(long_mixture, LONG * options.row_length, chat.end_of_text)
    torch._inductor.config.cpp.dynamic_threads = True
    # Two fixed shapes, so two compiled graphs: short rows and, one batch in --long-every, rows of the whole context.
    function = losses(run.model, teacher, options.temperature)
    function = torch.compile(function, dynamic=False) if options.compile else function
    dev = corpora.tiny_stories(options.data)["dev"][: options.dev_stories]
    before, saved, total, logged = time.monotonic(), time.monotonic(), 0.0, time.monotonic()
    reserve = Reserve(run.model, options.reserve) if options.reserve else None
    asked_to_stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: asked_to_stop.append(received))
    while not asked_to_stop:
        run.elapsed += min(time.monotonic() - before, LONGEST_STEP)
        before = time.monotonic()
        progress = (
            run.step / options.steps if options.steps else run.elapsed / (60 * options.minutes)
        )
        if progress >= 1:
            break
        for optimiser in run.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["base_lr"] * rate_at(progress) * options.rate
        if long_packer and run.step % options.long_every == 0:
            batch = long_packer.batch(rows // LONG)
        else:
            batch = packer.batch(rows)
        run.model.train()
        with torch.autocast(options.device, torch.bfloat16):
            loss = function(*(tensor.to(options.device) for tensor in batch))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
        for optimiser in run.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        if reserve:
            reserve.restore()
        run.step, run.tokens, total = run.step + 1, run.tokens + batch[0].numel(), total + loss.item()
        if options.threads == 0 and run.step % LOG_STEPS == 0:
            # A shared machine: a second thread waits more than it works when others fill the cores.
            torch.set_num_threads(2 if os.getloadavg()[0] < 2.6 else 1)
        if run.step % LOG_STEPS == 0:
            now = time.monotonic()
            speed = LOG_STEPS * options.batch_tokens / (now - logged)
            point = {"step": run.step, "tokens": run.tokens, "minutes": round(run.elapsed / 60, 2)}
            point["loss"] = round(total / LOG_STEPS, 4)
            total, logged = 0.0, now
            if run.step % DEV_STEPS == 0:
                point["dev_bits_per_byte"] = round(dev_loss(run.model, chat, dev), 4)
            run.curve.append(point)
            print(json.dumps({**point, "progress": round(progress, 3), "tok/s": round(speed)}), flush=True)
        if time.monotonic() - saved > SAVE_SECONDS:
            run.save()
            saved = time.monotonic()
    run.save()
    print("dev bits per byte", dev_loss(run.model, chat, dev), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=["tokenizer", "train"])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TRAINYARD_DATA", "../shared/data")))
    parser.add_argument("--runs", type=Path, required=True, help="scratch folder outside the repository")
    parser.add_argument("--model", default="trainyard-tiny", help="a file under configs/")
    parser.add_argument("--name", help="run folder's name; default the model's")
    parser.add_argument("--mix", choices=["text", "full"], default="full")
    parser.add_argument("--plain-share", type=float, default=0.5, help="of bare stories in the full mix")
    parser.add_argument("--copy-share", type=float, default=0.08, help="of random tokens said again and again")
    parser.add_argument("--tale-share", type=float, default=0.0, help="of old fairy tales in the full mix")
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--steps", type=int, help="schedule by steps instead of wall time")
    parser.add_argument("--row-length", type=int, default=256)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--long-every", type=int, default=16, help="every n-th batch has rows of the whole context")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--rate", type=float, default=1.0, help="factor on both learning rates")
    parser.add_argument("--start", type=Path, help="exported folder whose weights a new run begins with")
    parser.add_argument("--teacher", help="run folder of trainyard-tiny to distil from")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--rollouts", type=Path, help="JSON lines of the target's own answers")
    parser.add_argument("--reserve", type=int, help="width of the model that plant.py grew from: keep its circuit")
    parser.add_argument("--rollout-share", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=2, help="0: one or two, by the machine's load")
    parser.add_argument("--dev-stories", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    options.name = options.name or options.model
    if options.stage == "tokenizer":
        shape = LlamaShape.load(HERE / "configs" / f"{options.model}.json")
        make_tokenizer(options.data, options.runs / "tokenizer.json", shape.vocab_size)
    else:
        train(options)


if __name__ == "__main__":
    main()
