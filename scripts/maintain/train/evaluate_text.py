"""Bits per byte of a model on whole texts."""

import math

import torch
import torch.nn.functional as F

from chat import Chat
from llama import Llama


@torch.no_grad()
def bits_per_byte(model: Llama, chat: Chat, texts: list[str]) -> float:
    """Each text alone after an end-of-text token, its own end counted too; F32; per UTF-8 byte."""
    was_training = model.training
    model.eval()
    nats, byte_count = 0.0, 0
    limit = model.shape.max_position_embeddings
    device = next(model.parameters()).device
    for text in texts:
        ids = chat.plain(text)[0]
        for start in range(0, len(ids) - 1, limit):
            piece = torch.tensor([ids[start : start + limit + 1]], device=device)
            logits = model(piece[:, :-1]).float()
            nats += F.cross_entropy(logits[0], piece[0, 1:], reduction="sum").item()
        byte_count += len(text.encode())
    model.train(was_training)
    return nats / math.log(2) / byte_count
