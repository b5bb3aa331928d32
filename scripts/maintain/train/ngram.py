"""Baselines on bytes: an interpolated n-gram model and gzip."""

import gzip
import math
from collections import defaultdict


class NgramModel:
    """Order-5 over bytes (four bytes of context), Witten-Bell interpolation down to a uniform byte."""

    def __init__(self, texts: list[str], order: int = 5):
        self.order = order
        self.counts: list[dict[bytes, dict[int, int]]] = [defaultdict(dict) for _ in range(order)]
        for text in texts:
            data = self._framed(text)
            for at in range(order - 1, len(data)):
                for length in range(order):
                    seen = self.counts[length][data[at - length : at]]
                    seen[data[at]] = seen.get(data[at], 0) + 1

    def _framed(self, text: str) -> bytes:
        return b"\0" * (self.order - 1) + text.encode() + b"\0"

    def probability(self, context: bytes, byte: int) -> float:
        value = 1 / 256
        for length in range(self.order):
            seen = self.counts[length].get(context[len(context) - length :])
            if not seen:
                break
            total, kinds = sum(seen.values()), len(seen)
            value = (seen.get(byte, 0) + kinds * value) / (total + kinds)
        return value

    def bits_per_byte(self, texts: list[str]) -> float:
        bits, size = 0.0, 0
        for text in texts:
            data = self._framed(text)
            for at in range(self.order - 1, len(data)):
                bits -= math.log2(self.probability(data[at - self.order + 1 : at], data[at]))
            size += len(text.encode())
        return bits / size


def gzip_bits_per_byte(texts: list[str]) -> float:
    """gzip -9 of the texts as one file."""
    joined = "\n".join(texts).encode()
    return 8 * len(gzip.compress(joined, 9)) / len(joined)
