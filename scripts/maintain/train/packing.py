"""Documents into rows of equal length.

Every row begins with a document's beginning, so position zero is seen as often as in use. Documents are
laid best-fit from a small pool; a plain text may be cut, its rest goes back to the pool.
"""

from dataclasses import dataclass

import torch

POOL = 96
LEAST_CUT = 24  # tokens: shorter left-overs are padding


@dataclass
class Document:
    ids: list[int]
    learn: list[int]
    may_cut: bool


class Packer:
    """documents: an endless iterator of Document."""

    def __init__(self, documents, row_length: int, pad: int):
        self.documents, self.row_length, self.pad = documents, row_length, pad
        self.pool: list[Document] = []

    def _fill(self):
        while len(self.pool) < POOL:
            document = next(self.documents)
            if len(document.ids) > self.row_length and not document.may_cut:
                continue
            self.pool.append(document)

    def _best(self, room: int) -> Document | None:
        fitting = [d for d in self.pool if len(d.ids) <= room]
        closest = max(fitting, key=lambda d: len(d.ids), default=None)
        if closest is not None and room - len(closest.ids) < LEAST_CUT:
            return closest
        cuttable = next((d for d in self.pool if d.may_cut and len(d.ids) > room), None)
        return cuttable if room >= 2 * LEAST_CUT and cuttable else closest

    def row(self) -> tuple[list[int], list[int]]:
        """(ids, learn), each row_length + 1 long: inputs and the targets one step on."""
        length = self.row_length + 1
        self._fill()
        first = self.pool.pop(0)
        ids, learn = self._take(first, length)
        while len(ids) < length - 1:
            self._fill()
            document = self._best(length - len(ids))
            if document is None:
                break
            self.pool.remove(document)
            more_ids, more_learn = self._take(document, length - len(ids))
            ids, learn = ids + more_ids, learn + more_learn
        padding = length - len(ids)
        return ids + [self.pad] * padding, learn + [0] * padding

    def _take(self, document: Document, room: int):
        if len(document.ids) > room:
            rest = Document(document.ids[room:], document.learn[room:], True)
            if len(rest.ids) >= LEAST_CUT:
                self.pool.append(rest)
        return document.ids[:room], document.learn[:room]

    def batch(self, rows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """inputs [rows, time], targets [rows, time], weights [rows, time]."""
        pairs = [self.row() for _ in range(rows)]
        ids = torch.tensor([ids for ids, _ in pairs])
        learn = torch.tensor([learn for _, learn in pairs], dtype=torch.float32)
        return ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), learn[:, 1:].contiguous()
