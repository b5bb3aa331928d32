"""Reads the text corpora. Which are used, and why, is in README.md."""

import gzip
import json
from pathlib import Path

HELD_OUT = "v1-valid"  # TinyStories part that no training stage may read
# Parts that the held-out one resembles most, drawn more often than the others.
NEAREST, NEAREST_DRAWS, OTHER_DRAWS = ("v1-train-a", "v1-train-b-recased"), 3, 2
DEV_STORIES = 120  # stories of v1-random kept out to watch the loss while training


def read_lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def tiny_stories(data: Path) -> dict[str, list[str]]:
    """{"train", "dev", "held_out"} → stories; "draws": those of "train", each as often as it is drawn in a round."""
    parts: dict[str, list[str]] = {"train": [], "dev": [], "held_out": [], "draws": []}
    for line in read_lines(data / "corpus-tinystories" / "tinystories.jsonl.gz"):
        text = line["text"].strip()
        if line["source"] == HELD_OUT:
            parts["held_out"].append(text)
        elif line["source"] == "v1-random" and len(parts["dev"]) < DEV_STORIES:
            parts["dev"].append(text)
        else:
            parts["train"].append(text)
            parts["draws"] += [text] * (NEAREST_DRAWS if line["source"] in NEAREST else OTHER_DRAWS)
    return parts


def picture_books(data: Path) -> list[dict]:
    """African Storybook and Pratham Books, CC BY: {"title", "author", "source", "text"}."""
    return [book for book in _kids_stories(data) if book["source"] != "fairytaleqa"]


def fairy_tales(data: Path) -> list[dict]:
    """FairytaleQA's tales, public domain: old, long-sentenced English with many words that the stories lack."""
    return [book for book in _kids_stories(data) if book["source"] == "fairytaleqa"]


def _kids_stories(data: Path) -> list[dict]:
    return read_lines(data / "corpus-kids-stories" / "kids-stories.jsonl.gz")


def short_instructions(data: Path) -> list[list[dict]]:
    """Short Apache-2.0 instruction pairs as lists of messages."""
    lines = read_lines(data / "corpus-instruct" / "instruct.jsonl.gz")
    return [
        line["messages"]
        for line in lines
        if line["source"] == "llms-from-scratch"
        and sum(len(message["content"]) for message in line["messages"]) < 700
    ]


def glaive_dialogues(data: Path) -> list[dict]:
    """{"tools", "messages"} with arguments as JSON strings."""
    return read_lines(data / "corpus-instruct" / "glaive-toolcall-300.jsonl.gz")
