"""Writes the list of picture books that the CC BY licence asks for."""

import os
from pathlib import Path

import corpora

COLLECTIONS = {
    "african-storybook": ("African Storybook", "https://www.africanstorybook.org"),
    "pratham-books": ("Pratham Books, StoryWeaver", "https://storyweaver.org.in"),
}


def main():
    books = corpora.picture_books(Path(os.environ.get("TRAINYARD_DATA", "../shared/data")))
    lines = ["# Picture books among the training texts", "", "Used under CC BY 4.0 or as named by each story (one is in the public domain). Shortened and joined for training."]
    for source, (collection, address) in COLLECTIONS.items():
        lines += ["", f"## {collection} ({address})", ""]
        found = sorted({(" ".join(b["title"].split()), " ".join((b["author"] or "unknown").split())) for b in books if b["source"] == source})
        lines += [f"- {title}. {author}" for title, author in found]
    path = Path(__file__).parents[2] / "models" / "bundled" / "ATTRIBUTION.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
