"""What a training run reads: sources of documents and their shares of the tokens."""

import random
from pathlib import Path

import corpora
from chat import MARKERS, SPECIAL, Chat
from names import Names
from packing import Document

CHUNK_CHARACTERS = 1800  # picture books are cut near paragraph ends


class Source:
    """Draws documents endlessly from make(rng); keeps count of the tokens drawn."""

    def __init__(self, make, share: float):
        self.make, self.share, self.tokens = make, share, 0


class Mixture:
    """An endless iterator of Documents; each source's tokens stay near its share."""

    def __init__(self, sources: dict[str, Source], seed: int):
        self.sources, self.random = sources, random.Random(seed)

    def __iter__(self):
        return self

    def __next__(self) -> Document:
        source = min(self.sources.values(), key=lambda s: s.tokens / s.share)
        document = source.make(self.random)
        source.tokens += len(document.ids)
        return document


def shuffled(items):
    """make(rng) that goes through all items in a fresh order each epoch."""
    order: list = []

    def draw(rng: random.Random):
        if not order:
            order.extend(items)
            rng.shuffle(order)
        return order.pop()

    return draw


def book_chunks(books: list[dict]) -> list[str]:
    chunks = []
    for book in books:
        chunk = ""
        for paragraph in book["text"].split("\n"):
            if len(chunk) + len(paragraph) > CHUNK_CHARACTERS and chunk:
                chunks.append(chunk.strip())
                chunk = ""
            chunk += paragraph.strip() + "\n"
        if len(chunk) > 80:
            chunks.append(chunk.strip())
    return chunks


def plain_source(chat: Chat, texts: list[str], share: float, names: Names | None = None) -> Source:
    """Sources part paragraphs by one line end or by two; half of the draws have two, so that both are known."""
    draw = shuffled(texts)

    def make(rng: random.Random) -> Document:
        text = draw(rng)
        if names:
            text = names.tell(text, rng)
        if "\n\n" not in text and rng.random() < 0.5:
            text = text.replace("\n", "\n\n")
        ids, learn = chat.plain(text, with_start=rng.random() > 0.3)
        return Document(ids, learn, True)

    return Source(make, share)


def chat_source(chat: Chat, make_messages, share: float) -> Source:
    """make_messages(rng) → (messages, tools or None)."""

    def make(rng: random.Random) -> Document:
        messages, tools = make_messages(rng)
        ids, learn = chat.document(messages, tools)
        return Document(ids, learn, False)

    return Source(make, share)


def copy_source(chat: Chat, share: float) -> Source:
    """Random tokens said again and again, learned from the second time on: brings forth the heads that copy (names of
    functions, words of a given text) in a few hundred steps, which stories alone would take far longer for."""
    first, last = len(SPECIAL), chat.tokenizer.get_vocab_size() - len(MARKERS) - 1

    def tokens(rng: random.Random, count: int) -> list[int]:
        # Low numbers are the frequent tokens; half of the draws fall in the first eighth.
        return [first + int((last - first) * rng.random() ** 3) for _ in range(count)]

    def make(rng: random.Random) -> Document:
        piece, before = tokens(rng, rng.choice([3, 4, 6, 8, 12, 20])), tokens(rng, rng.randint(0, 6))
        ids, learn = before + piece, [0] * (len(before) + len(piece))
        for _ in range(rng.randint(1, 5)):
            between = tokens(rng, rng.choice([0, 0, 1, 4]))
            ids += between + piece
            learn += [0] * (len(between) + 1) + [1] * (len(piece) - 1)
        return Document([*ids, chat.end_of_text], [*learn, 0], False)

    return Source(make, share)


def text_mixture(chat: Chat, data: Path, seed: int) -> Mixture:
    """First stage: stories alone."""
    return Mixture(
        {
            "stories": plain_source(chat, corpora.tiny_stories(data)["train"], 0.94),
            "books": plain_source(chat, book_chunks(corpora.picture_books(data)), 0.06),
        },
        seed,
    )
