"""Batched generation with a KV cache, for evaluation and roll-outs."""

import torch

from llama import KvCache, Llama


def choose(logits: torch.Tensor, temperature: float, top_p: float, generator) -> torch.Tensor:
    """logits [batch, vocab] → ids [batch]; temperature 0 is greedy."""
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = (logits / temperature).softmax(-1)
    ordered, order = probabilities.sort(-1, descending=True)
    ordered[ordered.cumsum(-1) - ordered > top_p] = 0
    picked = torch.multinomial(ordered, 1, generator=generator)
    return order.gather(-1, picked)[:, 0]


@torch.no_grad()
def generate(model: Llama, prompts: list[list[int]], stop: set[int], limit: int, **sampling) -> list[list[int]]:
    """Answers in tokens, the stop token last where there is one. Prompts of one batch are padded on the left:
    RoPE is relative, so a shifted sequence gives the same answer."""
    model.eval()
    temperature, top_p = sampling.get("temperature", 0.0), sampling.get("top_p", 1.0)
    generator = torch.Generator().manual_seed(sampling.get("seed", 1))
    width = max(len(prompt) for prompt in prompts)
    limit = min(limit, model.shape.max_position_embeddings - width)
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
    real = torch.tensor([[False] * (width - len(p)) + [True] * len(p) for p in prompts])
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    mask = causal & real[:, None, None, :]
    mask = mask | torch.eye(width, dtype=torch.bool)  # padding must see something
    cache = KvCache()
    logits = model(ids, mask, cache)[:, -1]
    answers: list[list[int]] = [[] for _ in prompts]
    running = list(range(len(prompts)))
    for _ in range(limit):
        token = choose(logits.float(), temperature, top_p, generator)
        keep = []
        for row, (at, chosen) in enumerate(zip(running, token.tolist())):
            answers[at].append(chosen)
            if chosen not in stop:
                keep.append(row)
        if not keep:
            break
        if len(keep) < len(running):
            rows = torch.tensor(keep)
            running = [running[row] for row in keep]
            token, real = token[rows], real[rows]
            cache.pairs = {layer: (k[rows], v[rows]) for layer, (k, v) in cache.pairs.items()}
        real = torch.cat((real, torch.ones(len(running), 1, dtype=torch.bool)), dim=1)
        logits = model(token[:, None], real[:, None, None, :], cache)[:, -1]
    return answers


@torch.no_grad()
def speculate(target: Llama, draft: Llama, prompt: list[int], stop: set[int], limit: int, width: int = 3):
    """(accepted, drafted) of greedy speculative decoding with `width` drafted tokens a step."""
    answer = generate(target, [prompt], stop, limit)[0]
    accepted = drafted = position = 0
    # The target's greedy answer is what every step must reproduce: compare drafts with it.
    while position + 1 < len(answer):
        guess = generate(draft, [prompt + answer[: position + 1]], set(), width)[0]
        expected = answer[position + 1 : position + 1 + width]
        right = 0
        while right < len(expected) and guess[right] == expected[right]:
            right += 1
        accepted, drafted = accepted + right, drafted + width  # drafts past the end of turn count as wrong
        position += right + 1
    return accepted, drafted
