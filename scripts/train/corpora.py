"""Reads the text corpora. Which are used, and why, is in README.md."""

import gzip
import json
from pathlib import Path

HELD_OUT = "v1-valid"  # TinyStories part that no training stage may read
DEV_STORIES = 120  # stories of v1-random kept out to watch the loss while training


def read_lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def tiny_stories(data: Path) -> dict[str, list[str]]:
    """{"train", "dev", "held_out"} → stories."""
    parts: dict[str, list[str]] = {"train": [], "dev": [], "held_out": []}
    for line in read_lines(data / "corpus-tinystories" / "tinystories.jsonl.gz"):
        text = line["text"].strip()
        if line["source"] == HELD_OUT:
            parts["held_out"].append(text)
        elif line["source"] == "v1-random" and len(parts["dev"]) < DEV_STORIES:
            parts["dev"].append(text)
        else:
            parts["train"].append(text)
    return parts


def picture_books(data: Path) -> list[dict]:
    """African Storybook and Pratham Books, CC BY: {"title", "author", "source", "text"}."""
    books = read_lines(data / "corpus-kids-stories" / "kids-stories.jsonl.gz")
    return [book for book in books if book["source"] != "fairytaleqa"]


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
